"""Forecasts with their bands over what came, and errors by the step ahead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from holdfast.errors import InputError
from holdfast.printable import clean_line

# Okabe and Ito (2008): told apart with every kind of colour vision, and by their lightness
CAME, FORECAST, GRID = "#333333", "#0072B2", "#999999"


def forecast_figure(
    actual: pd.DataFrame, forecasts: pd.DataFrame, *, series: Sequence[Any] | None = None, history: int | None = None
) -> Any:
    """A panel per series: what came as a line, forecasts on top of it, the outermost quantiles as a band.

    Args:
        actual: unique_id, ds, y.
        forecasts: unique_id, ds, yhat, perhaps quantiles (q10, q90, ...) and cutoff (several forecasts of a series).
        series: which to show; None = the first six of the forecasts.
        history: steps to show before the first forecast; None = four times the steps of a forecast.

    Returns:
        A matplotlib Figure, which belongs to no window.

    Raises:
        InputError: no forecasts of these series.

    Example:
        >>> import pandas as pd
        >>> actual = pd.DataFrame({"unique_id": "a", "ds": range(8), "y": range(8)})
        >>> forecasts = pd.DataFrame({"unique_id": "a", "ds": [8, 9], "yhat": [8.0, 9.0]})
        >>> len(forecast_figure(actual, forecasts).axes)
        1
    """
    from matplotlib.figure import Figure

    names = list(forecasts["unique_id"].unique()[:6] if series is None else series)
    if missing := [n for n in names if n not in set(forecasts["unique_id"])] or not names:
        raise InputError("series", "must have forecasts", missing if names else "no series")
    columns = 1 if len(names) < 3 else 2
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(8.6 if columns == 2 else 7.2, 2.3 * rows + 0.7), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, name in zip(axes, names, strict=False):
        part = forecasts[forecasts["unique_id"] == name]
        came = actual[actual["unique_id"] == name]
        _draw(axis, came, part, history)
        axis.set_title(clean_line(name), fontsize=9, loc="left")
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=3, frameon=False, fontsize=8)
    return figure


def _draw(axis: Any, came: pd.DataFrame, part: pd.DataFrame, history: int | None) -> None:
    groups = [g for _, g in part.groupby("cutoff")] if "cutoff" in part else [part]
    shown = 4 * max(len(g) for g in groups) if history is None else history
    before = came[came["ds"] < part["ds"].min()].tail(shown)
    since = came[came["ds"] >= part["ds"].min()]
    line = pd.concat([before, since])
    axis.plot(line["ds"], line["y"], color=CAME, linewidth=1, label="what came")
    low, high = outermost(part)
    for k, group in enumerate(groups):
        first = k == 0
        # A line of one point is invisible without a mark; a cutoff between two forecasts is seen by the mark, too
        mark: dict[str, Any] = {"marker": "o", "markersize": 2.5, "markevery": [0]}
        axis.plot(
            group["ds"], group["yhat"], color=FORECAST, linewidth=1.4, label="forecast" if first else None, **mark
        )
        if low is not None and high is not None:
            text = f"{low[1:]} % to {high[1:]} %" if first else None
            axis.fill_between(group["ds"], group[low], group[high], color=FORECAST, alpha=0.22, linewidth=0, label=text)
    axis.grid(color=GRID, alpha=0.2)
    axis.tick_params(labelsize=7)
    time_axis(axis, part["ds"], 7)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def time_axis(axis: Any, times: pd.Series, size: float) -> None:
    """Few, short labels of the times on the x axis of matplotlib axes; `size` points where one names the year."""
    if pd.api.types.is_numeric_dtype(times):
        axis.xaxis.set_major_locator(_numbers())
        return
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=6)
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(
        ConciseDateFormatter(
            locator,
            # Every tick names its month: one offset for the axis would name the wrong one left of a change
            formats=["%Y", "%b %Y", "%d %b", "%H:%M", "%H:%M", "%H:%M:%S"],
            zero_formats=["", "%b %Y", "%d %b", "%d %b", "%H:%M", "%H:%M"],
            offset_formats=["", "", "%Y", "%Y", "%Y", "%Y"],
        )
    )
    axis.xaxis.get_offset_text().set_fontsize(size)


def _numbers() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(6, integer=True)


def outermost(forecasts: pd.DataFrame) -> tuple[str | None, str | None]:
    """Columns of the smallest and the largest quantile; (None, None) where there are not two."""
    found = sorted((c for c in forecasts.columns if _is_quantile(c)), key=lambda c: float(c[1:]))
    return (found[0], found[-1]) if len(found) > 1 else (None, None)


def _is_quantile(column: str) -> bool:
    return column[:1] == "q" and column[1:].replace(".", "", 1).isdigit()


def step_figure(scores: pd.DataFrame) -> Any:
    """Errors by the step ahead, and the coverage of the band where there is one.

    Args:
        scores: of `Backtest.scores(by="step")`.
    """
    from matplotlib.figure import Figure

    covered = "coverage" in scores
    figure = Figure(figsize=(8.6 if covered else 5, 2.8), layout="constrained")
    axes = figure.subplots(1, 2 if covered else 1, squeeze=False)[0]
    steps = np.asarray(scores.index, float)
    axes[0].plot(steps, scores["rmse"], color=FORECAST, marker="o", markersize=3, label="RMSE")
    axes[0].plot(steps, scores["mae"], color=CAME, marker="s", markersize=3, linestyle="--", label="MAE")
    axes[0].set(xlabel="step ahead", ylabel="error", ylim=(0, None))
    axes[0].legend(frameon=False, fontsize=8)
    if covered:
        axes[1].plot(steps, 100 * scores["coverage"], color=FORECAST, marker="o", markersize=3)
        axes[1].set(xlabel="step ahead", ylabel="% within the band", ylim=(0, 100))
    for axis in axes:
        axis.grid(color=GRID, alpha=0.2)
        axis.xaxis.set_major_locator(_numbers())
    return figure


__all__ = ["forecast_figure", "outermost", "step_figure", "time_axis"]
