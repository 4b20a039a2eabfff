"""Backtests with a rolling origin: forecasts from several points of the past against what came then."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import pandas as pd

from holdfast.data.series.panel import Panel
from holdfast.data.series.seasons import season_of
from holdfast.errors import InputError
from holdfast.metrics.backtests import Backtest, Origin

Progress = Callable[[int, int], None]


class Forecaster(Protocol):
    """What can be backtested: a `WindowForecaster`, or a model of each series."""

    @property
    def horizon(self) -> int: ...

    @property
    def lookback(self) -> int: ...

    def clone(self) -> Forecaster: ...

    def fit_panel(self, panel: Panel) -> Forecaster: ...

    def forecast_windows(
        self, panel: Panel, index: np.ndarray, steps: int, ahead: np.ndarray | None = None
    ) -> dict[str, np.ndarray]: ...


def run_backtest(
    forecaster: Forecaster, panel: Panel, origin: Origin, progress: Progress, season: int | None = None
) -> Backtest:
    """See `WindowForecaster.backtest`; `season` is that of MASE, None = what the frequency suggests."""
    season = season_of(panel.clock) if season is None else season
    h, w = forecaster.horizon, forecaster.lookback
    origin.check(w, h)
    cutoffs = origin.cutoffs(panel, h)
    model, parts, left_out, fit_seconds = None, [], 0, 0.0
    for done, cutoff in enumerate(cutoffs.tolist()):
        past = panel.until(cutoff)
        if model is None or origin.refit:
            trained, start = _trained_on(past, origin, w + h, done, cutoffs), time.process_time()
            model = forecaster.clone().fit_panel(trained)
            fit_seconds += time.process_time() - start
        part, missed = _judge(model, panel, past, cutoff, origin, season)
        parts.append(part)
        left_out += missed
        progress(done + 1, len(cutoffs))
    frame = pd.concat(parts, ignore_index=True)
    if not len(frame):
        raise InputError("y", "must have values after the cutoffs", "none in any series")
    return Backtest(frame, left_out, fit_seconds)


def known_first(panel: Panel, origin: Origin, horizon: int) -> Panel:
    """The series up to the first cutoff.

    Raises:
        InputError: nothing is known by then.
    """
    past = panel.until(int(origin.cutoffs(panel, horizon)[0]))
    if not past.count:
        rule = f"must leave steps before the first of {origin.n_windows} cutoffs; use fewer windows or a smaller step"
        raise InputError("n_windows", rule, f"{int(panel.lengths.max())} steps in all")
    return past


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


def _judge(
    model: Forecaster, panel: Panel, past: Panel, cutoff: int, origin: Origin, season: int
) -> tuple[pd.DataFrame, int]:
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
    found = model.forecast_windows(known, known.ends, h, ahead)
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
        "scale": known.seasonal_step(season)[row],
    }
    return pd.DataFrame(columns), int((some_future & ~reaches).sum())


def _known_until(panel: Panel, past: Panel, chosen: np.ndarray, cutoff: int) -> Panel:
    """The chosen series up to the cutoff: forecasts are made from this, so that nothing later can reach them."""
    keep = np.zeros(panel.count, np.int64)
    keep[chosen] = cutoff - panel.first[chosen] + 1
    return panel.between(np.zeros_like(keep), keep)


__all__ = ["Forecaster", "known_first", "run_backtest"]
