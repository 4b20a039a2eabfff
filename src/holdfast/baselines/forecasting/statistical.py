"""AutoETS and AutoTheta of statsforecast: a model for each series, chosen by itself, refitted at every cutoff."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from holdfast.data.series.panel import Panel
from holdfast.errors import MissingExtra
from holdfast.metrics.backtests import Backtest, Origin

MODELS = ("AutoETS", "AutoTheta")
LONGEST_SEASON = 24  # that statsforecast's ETS can hold
MOST_STEPS = 1000  # of the past that a model is fitted on: older ones change little and cost much


def local_model(name: str, season: int) -> Any:
    """The model, unfitted.

    Args:
        name: of `MODELS`.
        season: steps after which series repeat; 1 = they do not.

    Raises:
        MissingExtra: statsforecast is not installed.
    """
    try:
        from statsforecast import models
    except ImportError as error:
        raise MissingExtra("statsforecast", "forecast") from error
    return getattr(models, name)(season_length=season if season <= LONGEST_SEASON else 1)


def compiled(name: str, season: int, horizon: int) -> None:
    """Fit once on a short series, so that the time it takes to compile the model is not counted as its own."""
    wave = 10 + np.sin(np.arange(4.0 * max(season, 6)))
    local_model(name, season).forecast(y=wave + np.arange(len(wave)) * 0.1, h=horizon, level=[80])


def local_backtest(
    name: str, panel: Panel, origin: Origin, horizon: int, season: int, progress: Callable[[int, int], None]
) -> Backtest:
    """Forecasts of every series from every cutoff, with the model's own 80 % band.

    Args:
        panel: the series.
        origin: cutoffs.
        progress: called with (forecasts done, forecasts).

    Returns:
        A `Backtest`, with q10 and q90; a band that is none at a step (NaN) stays.
    """
    cutoffs = origin.cutoffs(panel, horizon)
    parts, left_out, done = [], 0, 0
    for cutoff in cutoffs.tolist():
        for k in range(panel.count):
            done += 1
            known = cutoff - int(panel.first[k]) + 1
            start = int(panel.offsets[k])
            came = panel.y[start + max(known, 0) : start + int(panel.lengths[k])][:horizon]
            if known < 4 or not len(came):
                left_out += bool(len(came))
                continue
            y = panel.y[start : start + known]
            found = _forecast(name, season, y[-MOST_STEPS:], horizon)
            steps = np.arange(1, len(came) + 1)
            columns = {
                "unique_id": panel.ids[k],
                "ds": panel.clock.times(cutoff + steps),
                "cutoff": panel.clock.times(np.array([cutoff]))[0],
                "step": steps,
                "y": came,
                **{key: values[: len(came)] for key, values in found.items()},
                "scale": _usual_change(y, season),
            }
            parts.append(pd.DataFrame(columns))
            progress(done, len(cutoffs) * panel.count)
    return Backtest(pd.concat(parts, ignore_index=True), left_out)


def local_forecasts(name: str, panel: Panel, horizon: int, season: int) -> pd.DataFrame:
    """The steps after the end of every series: unique_id, ds, yhat, q10, q90."""
    parts = []
    for k in range(panel.count):
        start, length = int(panel.offsets[k]), int(panel.lengths[k])
        found = _forecast(name, season, panel.y[start : start + length][-MOST_STEPS:], horizon)
        positions = int(panel.first[k]) + length - 1 + np.arange(1, horizon + 1)
        parts.append(pd.DataFrame({"unique_id": panel.ids[k], "ds": panel.clock.times(positions), **found}))
    return pd.concat(parts, ignore_index=True)


def _usual_change(y: np.ndarray, season: int) -> float:
    """Mean absolute change over a season; over one step where there is no more than a season."""
    lag = season if len(y) > season else 1
    return float(np.abs(y[lag:] - y[:-lag]).mean())


def _forecast(name: str, season: int, y: np.ndarray, horizon: int) -> dict[str, np.ndarray]:
    """yhat, q10, q90 (h,). A series the seasonal model cannot be fitted to gets the model without a season."""
    for tried in dict.fromkeys((season, 1)):
        try:
            found = local_model(name, tried).forecast(y=y.astype(np.float64), h=horizon, level=[80])
        except (ValueError, ZeroDivisionError, FloatingPointError, IndexError, NotImplementedError):
            continue
        if np.isfinite(found["mean"]).all():
            return {"yhat": found["mean"], "q10": found["lo-80"], "q90": found["hi-80"]}
    last = np.full(horizon, y[-1])
    return {"yhat": last, "q10": np.full(horizon, np.nan), "q90": np.full(horizon, np.nan)}


__all__ = ["LONGEST_SEASON", "MODELS", "compiled", "local_backtest", "local_forecasts", "local_model"]
