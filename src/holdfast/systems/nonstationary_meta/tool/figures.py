"""Figures for one's own sequences: where they changed, and what predictors lose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.systems.nonstationary_meta.tool.posterior import SegmentPosterior

if TYPE_CHECKING:
    import pandas as pd

DATA, FITTED, CHANGE = "#6b7280", "#1d4ed8", "#c2410c"
SHOWN = 4000  # symbols up to which each one is drawn


def changes_figure(posterior: SegmentPosterior) -> Any:
    """The sequence with its most probable segments above, the probability of a start at each symbol below."""
    figure, (top, bottom) = _figure(2, (3, 1.2))
    x, total = posterior.x, len(posterior.x)
    if total:
        at = np.arange(1, total + 1)
        shown = 1 if posterior.alphabet == 2 else int(np.bincount(x).argmax())
        hits = x == shown
        if total <= SHOWN:
            rng = np.random.default_rng(0)  # spreads dots that would hide each other
            top.plot(
                at, hits + rng.uniform(-0.025, 0.025, total), ".", color=DATA, markersize=2, alpha=0.5, rasterized=True
            )
        width = min(max(total // 60, 8), total)
        smooth = np.convolve(hits, np.ones(width), "same") / np.convolve(np.ones(total), np.ones(width), "same")
        top.plot(at, smooth, color=DATA, linewidth=0.8, label=f"mean of {width} neighbours")
        segments = posterior.segments
        means = np.repeat([s.probs[shown] for s in segments], [s.end - s.start for s in segments])
        top.plot(at, means, color=FITTED, linewidth=1.8, drawstyle="steps-mid", label="most probable segments")
        top.set(ylabel=f"frequency of {shown}", ylim=(-0.06, 1.06), xlim=(0.5, total + 0.5))
        top.legend(frameon=False, fontsize=8, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1))
        later = np.flatnonzero(posterior.start_probs[1:] > 1e-3) + 1
        bottom.vlines(later + 1, 0, posterior.start_probs[later], color=CHANGE, linewidth=1)
    bottom.set(ylabel="p(start)", ylim=(0, 1.02), xlabel="symbol")
    return figure


def regret_figure(curves: pd.DataFrame) -> Any:
    """Mean cumulative regret against time; one line per column beside `t`, best at the end first in the legend."""
    figure, (axes,) = _figure(1, (1,))
    names = sorted((name for name in curves if name != "t"), key=lambda name: curves[name].iloc[-1])
    for name in names:
        axes.plot(curves["t"], curves[name], label=name)
    axes.set(xlabel="symbol", ylabel="cumulative regret in nats", ylim=(0, None))
    axes.legend(frameon=False)
    return figure


def _figure(rows: int, heights: tuple[float, ...]) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.6 + 2.2 * rows), layout="constrained")
    grid = figure.subplots(rows, 1, height_ratios=heights, squeeze=False, sharex=True)[:, 0]
    for axes in grid:
        axes.spines[["top", "right"]].set_visible(False)
    return figure, grid


__all__ = ["changes_figure", "regret_figure"]
