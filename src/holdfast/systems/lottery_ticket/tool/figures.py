"""Figures of levels and of barriers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def draw_levels(table: Any, others: Mapping[str, float]) -> Any:
    """Error and barrier along the density; what else would have reached stands at the last density."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), layout="constrained")
    error, valley = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    density = 100 * table["density"]
    error.plot(density, table["error %"], "o-", color="#0b6e4f", label="pruned and rewound, level by level")
    error.axhline(table["error %"].iloc[0], color="#777777", linestyle=":", label="dense")
    for (name, value), marker in zip(others.items(), "sD^v", strict=False):
        error.plot(density.iloc[-1], value, marker, color="#b4531f", label=name)
    error.set_ylabel("error on held-out rows, %")
    error.legend(frameon=False)
    valley.plot(density, table["barrier to the level before"], "o-", color="#44546a")
    valley.set_ylabel("barrier to the\nlevel before, points")
    valley.set_xlabel("share of the prunable weights that is kept, %")
    valley.set_xscale("log")
    shown = [share for share in (100, 50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1) if share >= 0.8 * density.iloc[-1]]
    valley.set_xticks(shown, [f"{share:g}" for share in shown])
    valley.set_xticks([], minor=True)
    valley.invert_xaxis()
    return figure


def draw_barrier(found: Any) -> Any:
    """Error along the line between two networks, and the straight line it is measured from."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(found.alphas, found.values, "o-", color="#0b6e4f", label="on the line")
    axes.plot([0, 1], found.values[[0, -1]], color="#777777", linestyle=":", label="between the ends' errors")
    axes.set_xlabel("place on the line: 0 = the first network, 1 = the second")
    axes.set_ylabel("error on held-out rows, %")
    axes.legend(frameon=False)
    return figure
