"""Figures of a comparison: errors side by side, errors by the step ahead, forecasts with bands over what came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from holdfast.data.series.panel import Panel
from holdfast.report.canvas import (
    SMALL,
    TEXT,
    WIDTH,
    Drawing,
    Mark,
    chart,
    labelled,
    legend,
    limits,
    mark_at,
    quiet,
    sheet,
)
from holdfast.report.lettering import fitted
from holdfast.report.svg import THEMED, Palette
from holdfast.systems.gbrt_forecasting.tool.comparison import Comparison
from holdfast.systems.gbrt_forecasting.tool.figures import time_axis

MOST_SERIES = 4  # with figures of their own
SHOWN = 3  # forecasters per series
HISTORY = 3  # horizons of the past that are drawn


def marks(comparison: Comparison, palette: Palette = THEMED) -> dict[str, Mark]:
    """One look per forecaster, whatever its rank."""
    names = sorted(entry.name for entry in comparison.entries)
    return {name: mark_at(i, palette) for i, name in enumerate(names)}


def error_figure(comparison: Comparison, palette: Palette = THEMED) -> Drawing:
    """Mean error of each forecaster, best on top, with the 95 % interval of its distance to the best."""
    table, looks = comparison.table(), marks(comparison, palette)
    names, best = list(table.index), float(table[comparison.order].iloc[0])
    with quiet():
        figure, axes = sheet(26.0 * len(names), palette, left=122, bottom=44)
        axes.grid(axis="x", color=palette.grid, linewidth=0.7)
        axes.axvline(best, color=palette.muted, linewidth=1, dashes=(3, 3))
        for i, (name, row) in enumerate(table.iterrows()):
            look, y = looks[str(name)], len(names) - 1 - i
            if np.isfinite(row["worse_low"]):
                ends = [best * (1 + row["worse_low"]), best * (1 + row["worse_high"])]
                axes.plot(ends, [y, y], color=look.colour, linewidth=3.5, alpha=0.45, solid_capstyle="butt")
            axes.plot(row[comparison.order], y, look.marker, color=look.colour, markersize=7)
            axes.text(
                8 / WIDTH,
                y,
                fitted(name, 108, TEXT, bold=not i),
                transform=_row(figure, axes),
                fontsize=TEXT,
                color=palette.ink,
                va="center",
                fontweight="bold" if not i else "normal",
            )
        axes.set(yticks=[], ylim=(-0.6, len(names) - 0.4))
        highs = [best * (1 + h) for h in table["worse_high"] if np.isfinite(h)]
        axes.set_xlim(*limits([best, *table[comparison.order], *highs]))
        axes.set_xlabel(labelled(comparison.order.upper(), "", False))
    alt = "; ".join(f"{name} {row[comparison.order]:.3g}" for name, row in table.iterrows())
    return Drawing("errors", "Mean error; bars: 95 % interval of the distance to the best", alt, figure)


def step_figure(comparison: Comparison, palette: Palette = THEMED) -> Drawing | None:
    """Error by the step ahead, a line per forecaster; None for a horizon of one."""
    frame, looks = comparison.by_step(), marks(comparison, palette)
    if len(frame) < 2:
        return None
    with quiet():
        figure, axes = chart(palette, f"{comparison.order.upper()} → lower is better", len(frame.columns))
        entries: list[tuple[Any, str, str]] = []
        for name in frame.columns:
            look = looks[name]
            bold = name == comparison.best.name
            (line,) = axes.plot(
                frame.index, frame[name], color=look.colour, linestyle=look.dashes, linewidth=2.4 if bold else 1.5
            )
            entries.append((line, name, ""))
        axes.set(xlim=(1, len(frame)), ylim=limits([0.0, *frame.to_numpy().ravel()], 0.04))
        axes.set_xlabel("steps ahead")
        legend(axes, palette, entries, bold=[comparison.best.name])
    alt = "error of each forecaster at every step ahead"
    return Drawing("steps", "How fast forecasts get worse", alt, figure)


def series_figures(comparison: Comparison, palette: Palette = THEMED) -> list[Drawing]:
    """For a few series: what came after the last cutoffs, the best forecasters on it, each with its 80 % band."""
    shown = _shown(comparison.bench.panel)
    most = 1 if len(shown) > 2 else SHOWN
    drawn_all: list[Drawing] = []
    for k, name, came in shown:
        for entry in comparison.entries[:most]:
            frame = entry.backtest.frame
            frame = frame[frame["unique_id"] == name]
            frame = frame[frame["cutoff"].isin(sorted(frame["cutoff"].unique())[-2:])].sort_values("ds")
            if not len(frame):
                continue
            inside = float(((frame["q10"] <= frame["y"]) & (frame["y"] <= frame["q90"])).mean())
            title = f"{entry.called}: {inside:.0%} of these steps inside the 80 % band"
            alt = f"forecasts of {name} by {entry.name} over what came"
            figure = _forecasts(comparison, entry.name, name, came, frame, palette)
            drawn_all.append(Drawing(f"series-{k}-{len(drawn_all)}", title, alt, figure))
    return drawn_all


def future_figures(comparison: Comparison, ahead: pd.DataFrame, palette: Palette = THEMED) -> list[Drawing]:
    """For the same series: the best forecaster's forecasts of what comes next, with its 80 % band.

    Args:
        ahead: of `forecast_ahead`.
    """
    drawn_all = []
    for k, name, came in _shown(comparison.bench.panel):
        frame = ahead[ahead["unique_id"] == name].assign(cutoff=came["ds"].iloc[-1])
        title = f"the next {comparison.bench.horizon} steps, with the 80 % band"
        figure = _forecasts(comparison, comparison.best.name, name, came, frame, palette)
        drawn_all.append(Drawing(f"future-{k}", title, f"forecasts of {name} after its end", figure))
    return drawn_all


def _shown(panel: Panel) -> list[tuple[int, Any, pd.DataFrame]]:
    """(number, name, values) of the series that have figures of their own."""
    chosen = np.unique(np.linspace(0, panel.count - 1, min(MOST_SERIES, panel.count)).round().astype(int))
    actual = panel.frame()
    return [(int(k), panel.ids[k], actual[actual["unique_id"] == panel.ids[k]]) for k in chosen]


def _forecasts(
    comparison: Comparison, forecaster: str, name: Any, came: pd.DataFrame, frame: pd.DataFrame, palette: Palette
) -> Any:
    """Forecasts of one series with their bands over what came, a line and a band from each cutoff."""
    parts = [part for _, part in frame.groupby("cutoff")]
    came = came.tail(comparison.bench.horizon * (HISTORY + len(parts)))
    look = marks(comparison, palette)[forecaster]
    with quiet():
        figure, axes = chart(palette, fitted(name, WIDTH - 60, SMALL + 0.5), 3)
        (line,) = axes.plot(came["ds"], came["y"], color=palette.ink, linewidth=1.3)
        entries: list[tuple[Any, str, str]] = [(line, "what came", "")]
        for part in parts:
            band = axes.fill_between(part["ds"], part["q10"], part["q90"], color=look.colour, alpha=0.25, linewidth=0)
            dot = "o" if len(part) == 1 else None  # a line of one point is invisible
            (line,) = axes.plot(part["ds"], part["yhat"], color=look.colour, linewidth=2, marker=dot, markersize=4)
            axes.axvline(part["cutoff"].iloc[0], color=palette.muted, linewidth=0.8, dashes=(2, 3))
        entries += [(line, forecaster, ""), (band, "80 % band", "")]
        values = pd.concat([came["y"], frame["yhat"], frame["q10"], frame["q90"]]).dropna()
        times = pd.concat([came["ds"], frame["ds"]])
        axes.set(xlim=(times.min(), times.max()), ylim=limits(list(values)))
        time_axis(axes, times, SMALL)
        axes.xaxis.get_offset_text().set(color=THEMED.muted)
        legend(axes, palette, entries, bold=[forecaster])
    return figure


def _row(figure: Any, axes: Any) -> Any:
    from matplotlib.transforms import blended_transform_factory

    return blended_transform_factory(figure.transFigure, axes.transData)


def drawings(comparison: Comparison, palette: Palette = THEMED) -> Sequence[Drawing]:
    """All figures, the errors first."""
    first = [error_figure(comparison, palette), step_figure(comparison, palette)]
    return [d for d in first if d is not None] + series_figures(comparison, palette)


__all__ = ["drawings", "error_figure", "future_figures", "marks", "series_figures", "step_figure"]
