"""From one-number regressors to h steps ahead: a model per step, one for all of them, or one applied repeatedly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from holdfast.errors import InputError
from holdfast.regressors.base import Progress, Regressor, RowSource
from holdfast.systems.gbrt_forecasting.design import Layout, Origins
from holdfast.validation import check_choice

PREDICTED = 1 << 26  # bytes of rows that are predicted at a time
FEWEST, MOST = 4096, 65_536  # rows of a block: fewer cost much time, more gain none


@dataclass(frozen=True)
class Fitting:
    """What all strategies need besides the data.

    Attributes:
        regressor: the kind of model.
        horizon: h.
        seed, threads: of the models.
        max_bytes: that a fit may take in all; None = no bound.
        progress: called with (models done, models).
    """

    regressor: Regressor
    horizon: int
    seed: int
    threads: int
    max_bytes: int | None
    progress: Progress

    def exceeds(self, origins: Origins, columns: int) -> bool:
        """Whether a fit on the table of rows and of `columns` targets takes more than the bound."""
        return self.max_bytes is not None and self.needed(origins, columns) > self.max_bytes

    def needed(self, origins: Origins, columns: int) -> int:
        """Bytes of a fit on the table of rows and of `columns` targets."""
        width = origins.layout.width
        table = len(origins) * (width * np.dtype(self.regressor.dtype).itemsize + 4 * columns)
        return table + self.regressor.held(len(origins), width)

    def refuse_beyond(self, origins: Origins, columns: int, why: str) -> None:
        """Raise an InputError where a fit on the table takes more than the bound."""
        if self.exceeds(origins, columns):
            rule = f"must be at least {self.needed(origins, columns):,} bytes, for the table and the estimator"
            raise InputError("max_bytes", f"{rule}, {why}", self.max_bytes)

    def block_rows(self, origins: Origins) -> int:
        """Rows of a block, so that a fit on blocks stays within the bound.

        Raises:
            InputError: what the regressor itself holds leaves too little for a block.
        """
        assert self.max_bytes is not None
        width, lookback = origins.layout.width, origins.layout.lookback
        # The rows, a copy for LightGBM in float64, their values in float64 as they are and relative
        row = 12 * width + 16 * lookback
        held, fewest = self.regressor.held(len(origins), width), min(FEWEST, len(origins))
        if self.max_bytes < held + fewest * row:
            rule = f"must be at least {held + fewest * row:,} bytes for {len(origins):,} windows of {width} columns"
            raise InputError("max_bytes", f"{rule}, of which the estimator itself holds {held:,}", self.max_bytes)
        return min((self.max_bytes - held) // row, MOST)


class Strategy:
    """How h steps are forecast."""

    name: ClassVar[str]
    unbounded: ClassVar[bool] = False  # forecasts go beyond the horizon that was trained

    def ahead(self, horizon: int) -> int:
        """Steps ahead of which a row holds the known-future covariates."""
        return 1

    def trained(self, horizon: int) -> int:
        """Steps after a window that training needs to know."""
        return horizon

    def check_regressor(self, regressor: Regressor) -> None:
        """Raise an InputError where the regressor does not suit the strategy."""

    def check(self, layout: Layout) -> None:
        """Raise an InputError where the columns do not suit the strategy."""

    def fit(self, origins: Origins, fitting: Fitting) -> list[Any]:
        """The models."""
        raise NotImplementedError

    def predict(self, models: list[Any], origins: Origins, regressor: Regressor, horizon: int) -> np.ndarray:
        """(n, horizon) float64."""
        raise NotImplementedError


@dataclass(frozen=True)
class Direct(Strategy):
    """A model for every step ahead, all with the same rows: the paper's.

    With known-future covariates, the model of step k sees those of that step.
    """

    name: ClassVar[str] = "direct"

    def fit(self, origins: Origins, fitting: Fitting) -> list[Any]:
        if fitting.exceeds(origins, fitting.horizon):
            return self._fit_stream(origins, fitting)
        regressor, h = fitting.regressor, fitting.horizon
        rows, targets = origins.table(h, regressor.dtype)
        if not origins.layout.future_names:
            return regressor.fit_each(rows, targets, fitting.seed, fitting.threads, fitting.progress)
        models = []
        for k in range(h):
            for part in origins.blocks():
                origins.fill_future(part, rows[part], k + 1)
            models.append(regressor.fit(rows, targets[:, k], fitting.seed, fitting.threads))
            fitting.progress(k + 1, h)
        return models

    def _fit_stream(self, origins: Origins, fitting: Fitting) -> list[Any]:
        """From blocks of rows, so that no table of all rows is ever in memory."""
        regressor, layout = fitting.regressor, origins.layout
        if not regressor.streams:
            fitting.refuse_beyond(origins, fitting.horizon, "or the estimator 'xgboost' or 'lightgbm'")
        if layout.future_names:
            fitting.refuse_beyond(origins, fitting.horizon, "where there are known-future covariates")
        size = fitting.block_rows(origins)

        def rows(part: slice) -> np.ndarray:
            start, stop, _ = part.indices(len(origins))
            out = np.empty((stop - start, layout.width), np.float32)
            origins.rows(slice(start, stop), out)
            return out

        source = RowSource(len(origins), size, rows, origins.target)
        return regressor.fit_stream(source, fitting.horizon, fitting.seed, fitting.threads, fitting.progress)

    def predict(self, models: list[Any], origins: Origins, regressor: Regressor, horizon: int) -> np.ndarray:
        out = np.empty((len(origins), horizon))
        for part in origins.blocks(PREDICTED):
            rows, level, scale = origins.inputs(part, regressor.dtype)
            for k in range(horizon):
                if k:
                    origins.fill_future(part, rows, k + 1)
                out[part, k] = level + scale * regressor.predict(models[k], rows)
        return out


@dataclass(frozen=True)
class MultiOutput(Strategy):
    """One model whose leaves hold all h steps: XGBoost, or a scikit-learn regressor with several outputs.

    Rows hold the known-future covariates of all steps.
    """

    name: ClassVar[str] = "multi_output"

    def ahead(self, horizon: int) -> int:
        return horizon

    def check_regressor(self, regressor: Regressor) -> None:
        if not regressor.several():
            rule = "must be 'direct' or 'recursive' with this estimator, which predicts one number at a time"
            other = "'multi_output' needs 'xgboost' or a scikit-learn regressor of several"
            raise InputError("strategy", f"{rule}; {other}", "multi_output")

    def fit(self, origins: Origins, fitting: Fitting) -> list[Any]:
        fitting.refuse_beyond(origins, fitting.horizon, "with strategy 'multi_output'")
        rows, targets = origins.table(fitting.horizon, fitting.regressor.dtype)
        when = origins.panel.positions(origins.index, origins.series)
        model = fitting.regressor.fit_joint(rows, targets, fitting.seed, fitting.threads, when)
        fitting.progress(1, 1)
        return [model]

    def predict(self, models: list[Any], origins: Origins, regressor: Regressor, horizon: int) -> np.ndarray:
        out = np.empty((len(origins), horizon))
        for part in origins.blocks(PREDICTED):
            rows, level, scale = origins.inputs(part, regressor.dtype)
            found = regressor.predict(models[0], rows).reshape(len(rows), -1)
            out[part] = level[:, None] + scale[:, None] * found[:, :horizon]
        return out


@dataclass(frozen=True)
class Recursive(Strategy):
    """A model of the next step, applied to its own forecasts; any number of steps ahead.

    Past covariates are refused, since nobody knows them at the steps in between.
    """

    name: ClassVar[str] = "recursive"
    unbounded: ClassVar[bool] = True

    def trained(self, horizon: int) -> int:
        return 1

    def check(self, layout: Layout) -> None:
        if layout.past_columns:
            rule = "must be None with strategy 'recursive': their values are not known at the steps in between"
            raise InputError("X", f"{rule}; give them as X_future, or covariates='none'", ", ".join(layout.x_names))

    def fit(self, origins: Origins, fitting: Fitting) -> list[Any]:
        fitting.refuse_beyond(origins, 1, "with strategy 'recursive'")
        rows, targets = origins.table(1, fitting.regressor.dtype)
        return fitting.regressor.fit_each(rows, targets, fitting.seed, fitting.threads, fitting.progress)

    def predict(self, models: list[Any], origins: Origins, regressor: Regressor, horizon: int) -> np.ndarray:
        out = np.empty((len(origins), horizon))
        for part in origins.blocks(PREDICTED):
            lags = origins.lags(part)
            for k in range(horizon):
                rows: np.ndarray = np.empty((len(lags), origins.layout.width), regressor.dtype)
                level, scale = origins.fill(part, lags, rows, k)
                out[part, k] = level + scale * regressor.predict(models[0], rows).reshape(-1)
                lags = np.concatenate([lags[:, 1:], out[part, k : k + 1]], 1)
        return out


STRATEGIES: dict[str, type[Strategy]] = {s.name: s for s in (Direct, MultiOutput, Recursive)}


def as_strategy(strategy: Any) -> Strategy:
    """A part from its name, or the part itself.

    Raises:
        InputError: another name.
    """
    if isinstance(strategy, Strategy):
        return strategy
    return STRATEGIES[check_choice(strategy, tuple(STRATEGIES), "strategy")]()


__all__ = ["STRATEGIES", "Direct", "Fitting", "MultiOutput", "Recursive", "Strategy", "as_strategy"]
