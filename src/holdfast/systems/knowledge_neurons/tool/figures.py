"""Where knowledge neurons lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from holdfast.systems.knowledge_neurons.method.attribution import Neuron

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def places_figure(sets: Sequence[Sequence[Neuron]], layers: int) -> Figure:
    """The share of all facts' neurons that lie in each layer."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.add_subplot()
    total = max(sum(map(len, sets)), 1)
    shares = [100 * sum(layer == i for chosen in sets for layer, _ in chosen) / total for i in range(layers)]
    bars = axes.bar(range(1, layers + 1), shares, color="#2a6f97")
    axes.bar_label(bars, fmt="%.0f %%")
    axes.set(xlabel="layer", ylabel="knowledge neurons, %", xticks=range(1, layers + 1))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


__all__ = ["places_figure"]
