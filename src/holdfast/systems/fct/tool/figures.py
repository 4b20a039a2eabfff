"""Figures: scores of the pairings of query and gallery; quality over the share of the gallery embedded again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.systems.fct.tool.backfill import BackfillCurve

if TYPE_CHECKING:
    import pandas as pd

INK, GRID = "#444444", "#dddddd"
LEAST = 0.02  # of a score, from the bottom of a figure to its top
COLOURS = {"old/old": "#999999", "new/old": "#D55E00", "new/migrated": "#0072B2", "new/new": "#009E73"}
LINES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#999999", "v"))


def compatibility(table: pd.DataFrame, queries: int, gallery: int) -> Any:
    """Bars of each score, grouped by score; the value above each bar."""
    from matplotlib.figure import Figure

    pairings, scores = list(table.index), list(table.columns)
    figure = Figure(figsize=(1.2 + 1.9 * len(scores) * len(pairings) / 4 + 1.2, 3.4), layout="constrained")
    axis = figure.subplots()
    width = 0.8 / len(pairings)
    for i, pairing in enumerate(pairings):
        x = np.arange(len(scores)) + (i - (len(pairings) - 1) / 2) * width
        bars = axis.bar(x, table.loc[pairing], width * 0.92, color=COLOURS.get(pairing, INK), label=pairing)
        axis.bar_label(bars, fmt="%.2f", fontsize=7, color=INK, padding=1)
    axis.set_xticks(np.arange(len(scores)), scores)
    axis.set(ylim=(0, 1.08), ylabel="share", title=f"{queries:,} queries, {gallery:,} gallery rows")
    _plain(axis)
    figure.legend(loc="outside lower center", ncols=len(pairings), frameon=False, fontsize=8, title="query / gallery")
    return figure


def backfilling(curves: Mapping[str, BackfillCurve], score: str) -> Any:
    """The score over the share of rows embedded again, a line per order, its area in the legend."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.4, 3.4), layout="constrained")
    axis = figure.subplots()
    for (name, curve), (colour, marker) in zip(curves.items(), LINES * (len(curves) // len(LINES) + 1), strict=False):
        label = f"{name} (area {curve.area:.3f})"
        axis.plot(curve.fractions, curve.values, color=colour, marker=marker, markersize=4, linewidth=1.5, label=label)
    axis.set(xlabel="share of the gallery embedded again", ylabel=score)
    low, high = axis.get_ylim()
    if high - low < LEAST:  # differences too small to matter should not look large
        axis.set_ylim((low + high - LEAST) / 2, (low + high + LEAST) / 2)
    axis.xaxis.set_major_formatter(lambda x, _: f"{x:.0%}")
    _plain(axis)
    axis.legend(frameon=False, fontsize=8)
    return figure


def _plain(axis: Any) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(axis="y", color=GRID, linewidth=0.6)
    axis.set_axisbelow(True)
    axis.title.set_fontsize(9)


__all__ = ["backfilling", "compatibility"]
