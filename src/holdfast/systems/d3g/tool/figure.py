"""Figures: which training domains a new one is related to, and how methods compare on domains left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from holdfast.metrics.group_scores import GroupScores


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


def comparison_figure(found: GroupScores) -> Any:
    """Bars of the mean over domains left out, a mark at the worst, and a line at each, of every method."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 0.9 + 0.5 * len(found.scores)), layout="constrained")
    axes = figure.subplots()
    for place, (name, values) in enumerate(found.scores.items()):
        axes.barh(place, values.mean(), color="#6baed6", label=None if place else "mean")
        axes.plot(found.worst(name), place, "D", color="#b30000", label=None if place else "worst domain")
        axes.plot(values, [place] * len(values), "|", color="#333333", markersize=9, alpha=0.5)
    axes.set_yticks(range(len(found.scores)), list(found.scores))
    axes.invert_yaxis()
    axes.set_xlabel(found.unit)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    return figure


__all__ = ["comparison_figure", "weights_figure"]
