"""Fitting within a bound on memory: on blocks of rows where the table of all rows would not fit."""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.regressors.base import Regressor, RowSource
from holdfast.systems.gbrt_forecasting.method import Direct, Fitting, Layout, MultiOutput, Origins, Recursive, Strategy
from holdfast.validation import check_choice

FEWEST, MOST = 4096, 65_536  # rows of a block: fewer cost much time, more gain none
STRATEGIES: dict[str, type[Strategy]] = {s.name: s for s in (Direct, MultiOutput, Recursive)}


def as_strategy(strategy: Any) -> Strategy:
    """A part from its name, or the part itself.

    Raises:
        InputError: another name.
    """
    if isinstance(strategy, Strategy):
        return strategy
    return STRATEGIES[check_choice(strategy, tuple(STRATEGIES), "strategy")]()


def check_regressor(strategy: Strategy, regressor: Regressor) -> None:
    """Raise an InputError where one model for all steps is asked of a regressor that cannot."""
    if isinstance(strategy, MultiOutput) and not regressor.several():
        rule = "must be 'direct' or 'recursive' with this estimator, which predicts one number at a time"
        other = "'multi_output' needs 'xgboost' or a scikit-learn regressor of several"
        raise InputError("strategy", f"{rule}; {other}", "multi_output")


def check_layout(strategy: Strategy, layout: Layout) -> None:
    """Raise an InputError for past covariates where forecasts are fed back: nobody knows them at the steps between."""
    if isinstance(strategy, Recursive) and layout.past_columns:
        rule = "must be None with strategy 'recursive': their values are not known at the steps in between"
        raise InputError("X", f"{rule}; give them as X_future, or covariates='none'", ", ".join(layout.x_names))


def fit_within(strategy: Strategy, origins: Origins, fitting: Fitting, max_bytes: int | None) -> list[Any]:
    """The models of a strategy, fitted so that it adds at most so many bytes to memory; None = no bound.

    Raises:
        InputError: that cannot be done; says what can.
    """
    columns = strategy.trained(fitting.horizon)
    if max_bytes is None or needed(origins, fitting, columns) <= max_bytes:
        return strategy.fit(origins, fitting)
    if not isinstance(strategy, Direct):
        why = f"with strategy '{strategy.name}'"
    elif not fitting.regressor.streams:
        why = "or the estimator 'xgboost' or 'lightgbm'"
    elif origins.layout.future_names:
        why = "where there are known-future covariates"
    else:
        return _fit_stream(origins, fitting, max_bytes)
    rule = f"must be at least {needed(origins, fitting, columns):,} bytes, for the table and the estimator"
    raise InputError("max_bytes", f"{rule}, {why}", max_bytes)


def needed(origins: Origins, fitting: Fitting, columns: int) -> int:
    """Bytes of a fit on the table of rows and of `columns` targets."""
    regressor, width = fitting.regressor, origins.layout.width
    table = len(origins) * (width * np.dtype(regressor.dtype).itemsize + 4 * columns)
    return table + regressor.held(len(origins), width)


def _fit_stream(origins: Origins, fitting: Fitting, max_bytes: int) -> list[Any]:
    """A model per step from blocks of rows, so that no table of all rows is ever in memory."""

    def rows(part: slice) -> np.ndarray:
        start, stop, _ = part.indices(len(origins))
        out = np.empty((stop - start, origins.layout.width), np.float32)
        origins.rows(slice(start, stop), out)
        return out

    source = RowSource(len(origins), _block_rows(origins, fitting, max_bytes), rows, origins.target)
    return fitting.regressor.fit_stream(source, fitting.horizon, fitting.seed, fitting.threads, fitting.progress)


def _block_rows(origins: Origins, fitting: Fitting, max_bytes: int) -> int:
    """Rows of a block; an InputError where what the regressor itself holds leaves too little for one."""
    width = origins.layout.width
    # The rows, a copy for LightGBM in float64, their values in float64 as they are and relative
    row = 12 * width + 16 * origins.layout.lookback
    held, fewest = fitting.regressor.held(len(origins), width), min(FEWEST, len(origins))
    if max_bytes < held + fewest * row:
        rule = f"must be at least {held + fewest * row:,} bytes for {len(origins):,} windows of {width} columns"
        raise InputError("max_bytes", f"{rule}, of which the estimator itself holds {held:,}", max_bytes)
    return min((max_bytes - held) // row, MOST)


__all__ = ["STRATEGIES", "as_strategy", "check_layout", "check_regressor", "fit_within", "needed"]
