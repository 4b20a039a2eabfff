"""Backtests with a rolling origin: forecasts from several points of the past against what came then."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from holdfast.data.series.panel import Panel
from holdfast.errors import InputError
from holdfast.systems.gbrt_forecasting import metrics
from holdfast.validation import check_integer

if TYPE_CHECKING:
    from holdfast.systems.gbrt_forecasting.forecaster import WindowForecaster

Progress = Callable[[int, int], None]
KEYS = ("unique_id", "ds", "cutoff", "step", "y")


@dataclass(frozen=True)
class Origin:
    """Where forecasts begin.

    Attributes:
        n_windows: number of cutoffs.
        step: steps between them.
        gap: first steps of a forecast that are not judged.
        train_size: steps before a cutoff that are trained on; None = all.
        refit: fit at every cutoff, else at the first only.
    """

    n_windows: int
    step: int
    gap: int = 0
    train_size: int | None = None
    refit: bool = True

    def check(self, lookback: int, horizon: int) -> None:
        """Raise an InputError for numbers that make no backtest."""
        check_integer(self.n_windows, "n_windows", low=1)
        check_integer(self.step, "step", low=1)
        check_integer(self.gap, "gap", low=0)
        if self.gap >= horizon:
            raise InputError("gap", f"must be below horizon = {horizon}", self.gap)
        if self.train_size is not None:
            check_integer(self.train_size, "train_size", low=lookback + horizon)

    def cutoffs(self, panel: Panel, horizon: int) -> np.ndarray:
        """(n_windows,) positions of the clock after which forecasts begin, ascending."""
        end = int((panel.first + panel.lengths).max()) - 1
        return end - horizon - self.step * np.arange(self.n_windows - 1, -1, -1)


@dataclass(frozen=True)
class Backtest:
    """What came of a backtest.

    Attributes:
        frame: a row per series, cutoff and step: unique_id, ds, cutoff (last time that was known), step (1 = the first
            after it), y, yhat, quantiles, and scale (mean absolute step of the series up to the cutoff; for MASE).
        left_out: series and cutoffs that were too short to forecast.
        fit_seconds: CPU seconds that fitting took, of all cutoffs and cores together.
    """

    frame: pd.DataFrame
    left_out: int
    fit_seconds: float = float("nan")

    def scores(self, by: str | None = None) -> pd.DataFrame:
        """Metrics of all forecasts, or of each group.

        Args:
            by: None, "step", "cutoff" or "unique_id".

        Returns:
            rmse, mae, wape, smape, mase, pinball_<q> for every quantile, coverage of the outermost two, and n. WAPE
            and MASE are NaN where they would divide by zero.

        Raises:
            InputError: another word.
        """
        if by is None:
            return pd.DataFrame([_score(self.frame)])
        if by not in ("step", "cutoff", "unique_id"):
            raise InputError("by", "must be None, 'step', 'cutoff' or 'unique_id'", by)
        found = {name: _score(group) for name, group in self.frame.groupby(by, sort=True)}
        return pd.DataFrame(found).T.rename_axis(by)


def run_backtest(forecaster: WindowForecaster, panel: Panel, origin: Origin, progress: Progress) -> Backtest:
    """See `WindowForecaster.backtest`."""
    h, w = forecaster.horizon, forecaster.lookback
    origin.check(w, h)
    cutoffs = origin.cutoffs(panel, h)
    model, parts, left_out, fit_seconds = None, [], 0, 0.0
    for done, cutoff in enumerate(cutoffs.tolist()):
        past = panel.until(cutoff)
        if model is None or origin.refit:
            trained, start = _trained_on(past, origin, w + h, done, cutoffs), time.process_time()
            model = forecaster.clone()._fit(trained)
            fit_seconds += time.process_time() - start
        part, missed = _judge(model, panel, past, cutoff, origin)
        parts.append(part)
        left_out += missed
        progress(done + 1, len(cutoffs))
    frame = pd.concat(parts, ignore_index=True)
    if not len(frame):
        raise InputError("y", "must have values after the cutoffs", "none in any series")
    return Backtest(frame, left_out, fit_seconds)


def _trained_on(past: Panel, origin: Origin, needed: int, done: int, cutoffs: np.ndarray) -> Panel:
    """What a model is fitted on: series that are long enough by then, or the last steps of them."""
    if origin.train_size is not None:
        past = past.tail(origin.train_size)
    long_enough = past.lengths >= needed
    if not long_enough.any():
        longest = int(past.lengths.max(initial=0))
        rule = f"must leave at least lookback + horizon = {needed} steps before cutoff {done + 1} of {len(cutoffs)}"
        raise InputError("n_windows", rule, f"{longest} steps; use fewer windows or a smaller step")
    return past.between(np.zeros_like(past.lengths), np.where(long_enough, past.lengths, 0))


def _judge(model: WindowForecaster, panel: Panel, past: Panel, cutoff: int, origin: Origin) -> tuple[pd.DataFrame, int]:
    """Forecasts from one cutoff, beside what came."""
    h = model.horizon
    series_end = panel.first + panel.lengths - 1
    reaches = (panel.first <= cutoff - model.lookback + 1) & (series_end > cutoff + origin.gap)
    some_future = series_end > cutoff + origin.gap
    chosen = np.flatnonzero(reaches)
    index = panel.offsets[chosen] + cutoff - panel.first[chosen]  # row of the last step that is known
    if not len(index):
        return pd.DataFrame(), int(some_future.sum())
    known = _known_until(panel, past, chosen, cutoff)
    ahead = panel.ahead(index, h) if panel.future_names else None
    found = model._forecast(known, known.ends, h, ahead)
    steps = np.arange(1, h + 1)
    there = (steps > origin.gap) & (cutoff + steps <= series_end[chosen, None])
    row = np.nonzero(there)[0]
    came = panel.y[(index[:, None] + steps)[there]]
    columns: dict[str, Any] = {
        "unique_id": panel.ids[chosen][row],
        "ds": panel.clock.times((cutoff + np.broadcast_to(steps, there.shape))[there]),
        "cutoff": np.repeat(panel.clock.times(np.array([cutoff])), len(row)),
        "step": np.broadcast_to(steps, there.shape)[there],
        "y": came,
        **{name: values[there] for name, values in found.items()},
        "scale": _naive_error(known)[row],
    }
    return pd.DataFrame(columns), int((some_future & ~reaches).sum())


def _known_until(panel: Panel, past: Panel, chosen: np.ndarray, cutoff: int) -> Panel:
    """The chosen series up to the cutoff: forecasts are made from this, so that nothing later can reach them."""
    keep = np.zeros(panel.count, np.int64)
    keep[chosen] = cutoff - panel.first[chosen] + 1
    return panel.between(np.zeros_like(keep), keep)


def _naive_error(panel: Panel) -> np.ndarray:
    """(S,) mean absolute step, the error of the last value as a forecast of the next."""
    steps = np.abs(np.diff(panel.y, prepend=panel.y[:1]))
    steps[panel.offsets] = 0
    series = np.repeat(np.arange(panel.count), panel.lengths)
    return np.bincount(series, steps, panel.count) / np.maximum(panel.lengths - 1, 1)


def _score(frame: pd.DataFrame) -> dict[str, float]:
    y, f, scale = (frame[c].to_numpy(np.float64) for c in ("y", "yhat", "scale"))
    found = {
        "rmse": metrics.rmse(y, f),
        "mae": metrics.mae(y, f),
        "wape": metrics.wape(y, f) if np.any(y) else float("nan"),
        "smape": metrics.smape(y, f),
        "mase": float(np.mean(np.abs(y - f) / scale)) if (scale > 0).all() else float("nan"),
    }
    quantiles = {float(c[1:]) / 100: c for c in frame.columns if c.startswith("q") and c not in KEYS}
    for q, column in sorted(quantiles.items()):
        found[f"pinball_{column}"] = metrics.pinball(y, frame[column], q)
    if len(quantiles) >= 2:
        low, high = frame[quantiles[min(quantiles)]], frame[quantiles[max(quantiles)]]
        found["coverage"] = float(((low <= y) & (y <= high)).mean())
    return found | {"n": float(len(frame))}


__all__ = ["Backtest", "Origin", "run_backtest"]
