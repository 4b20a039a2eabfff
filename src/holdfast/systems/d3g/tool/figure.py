"""The figure of which training domains a new one is related to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor


def weights_figure(weights: Tensor, rows: Sequence[Any], columns: Sequence[Any]) -> Any:
    """The weights of the heads (N, K) as a map: a row for each domain, a column for each head."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2 + 0.3 * min(len(columns), 40), 1.6 + 0.25 * min(len(rows), 40)), layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(weights.numpy(), cmap="Blues", vmin=0, aspect="auto")
    for names, place, label in ((rows, axes.set_yticks, "domain"), (columns, axes.set_xticks, "head")):
        every = -(-len(names) // 40)
        place(range(0, len(names), every), [str(name) for name in names[::every]], fontsize=7)
        (axes.set_ylabel if label == "domain" else axes.set_xlabel)(label)
    axes.tick_params(axis="x", rotation=90)
    figure.colorbar(shown, ax=axes, label="weight")
    return figure


__all__ = ["weights_figure"]
