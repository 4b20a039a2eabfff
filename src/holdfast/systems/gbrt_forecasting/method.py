"""Window-based gradient-boosted trees: windows of the past as rows of a table, and models of the steps ahead.

Elsayed, Thyssens, Rashed, Jomaa, Schmidt-Thieme, "Do We Really Need Deep Learning Models for Time Series Forecasting?",
2021, arXiv 2101.02118, section 3. Reference code: Daniela-Shereen/GBRT-for-TSF (no licence; nothing copied).

Symbols: y series, x covariates, w lookback, h horizon, t the last observed step of a window.
    φ_t = [y_{t-w+1}, …, y_t, x_t]     an instance: all w values of the window, the covariates of its last step alone
    targets (y_{t+1}, …, y_{t+h})      a series of T steps has T - w - h + 1 instances; those of all series are pooled
    f_k(φ_t) ≈ y_{t+k}, k = 1, …, h    a boosted-tree regressor for each step ahead, on the same rows, squared error

`Origins` builds the rows, `Direct` is the paper's strategy; `window_rows` in `data.series.windows` gives the windows of
one series as arrays.

Beyond the paper: covariates of all steps of the window or known for the steps ahead; lags and targets relative to a
level and in units of a scale (`data.series.relative`), as trees do not extrapolate; one model for all steps ahead
(`MultiOutput`), or one of the next step that is applied to its own forecasts (`Recursive`).
Differences from the reference code: its exchange script loses windows where w != h and its PeMS script loses the last h
of them; ours follows the definition. `scale_pos_weight`, which it sets, means nothing in regression.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from holdfast.data.series.calendar_features import CalendarTable
from holdfast.data.series.panel import Panel
from holdfast.data.series.relative import Relative, SeriesScale
from holdfast.data.series.windows import blocks, gather_windows
from holdfast.regressors.base import Progress, Regressor

PREDICTED = 1 << 26  # bytes of rows that are predicted at a time


# ---------------------------------------------------------------------------------------------------------------- rows
@dataclass(frozen=True)
class Layout:
    """The columns of a row: lags, past covariates, calendar, known-future covariates.

    Attributes:
        lookback: w, lags.
        covariates: which steps of the window past covariates are taken from: "last", "all" or "none".
        calendar: names of calendar features, of the last step of the window.
        x_names, future_names: of the covariates.
        ahead: steps ahead of which known-future covariates are put into the row.
        relative: what lags and targets are taken relative to.
    """

    lookback: int
    covariates: str
    calendar: tuple[str, ...]
    x_names: tuple[str, ...]
    future_names: tuple[str, ...]
    ahead: int
    relative: Relative

    @property
    def past_columns(self) -> int:
        """Columns made of past covariates."""
        steps = {"last": 1, "all": self.lookback, "none": 0}[self.covariates]
        return steps * len(self.x_names)

    @property
    def fixed(self) -> int:
        """Columns before those of known-future covariates."""
        return self.lookback + self.past_columns + len(self.calendar)

    @property
    def width(self) -> int:
        """Columns of a row."""
        return self.fixed + self.ahead * len(self.future_names)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns: lag_w, …, lag_1 (the last value), x_<covariate>, x_<calendar>, future_<covariate>."""
        lags = [f"lag_{k}" for k in range(self.lookback, 0, -1)]
        past = {
            "last": [f"x_{n}" for n in self.x_names],
            "all": [f"x_{n}_lag_{k}" for k in range(self.lookback, 0, -1) for n in self.x_names],
            "none": [],
        }[self.covariates]
        calendar = [f"x_{n}" for n in self.calendar]
        steps = [""] if self.ahead == 1 else [f"_{k}" for k in range(1, self.ahead + 1)]
        return (*lags, *past, *calendar, *(f"future_{n}{k}" for k in steps for n in self.future_names))


@dataclass
class Origins:
    """Windows of a panel that forecasts are made from.

    Attributes:
        panel: the series.
        layout: the columns.
        index: (n,) rows of the panel at which windows end.
        known: means and deviations of the panel's series, in its order; for standard scaling.
        ahead: (n, h, K) known-future covariates where the panel has none; None = look them up in the panel.
        beyond: steps after the end of the panel that forecasts go on for.
    """

    panel: Panel
    layout: Layout
    index: np.ndarray
    known: SeriesScale | None = None
    ahead: np.ndarray | None = None
    beyond: int = 0

    def __post_init__(self) -> None:
        first = self.panel.first
        low, high = int(first.min()), int((first + self.panel.lengths).max()) + self.beyond
        self._calendar = CalendarTable(self.panel.clock, self.layout.calendar, low, high)
        self.series = self.panel.series_of(self.index)

    def __len__(self) -> int:
        return len(self.index)

    def blocks(self, limit: int | None = None) -> Iterator[slice]:
        """Slices of the windows whose rows take about `limit` bytes."""
        yield from blocks(len(self), 8 * (self.layout.width + self.layout.lookback), limit)

    def lags(self, part: slice) -> np.ndarray:
        """(b, w) float64, the values of windows."""
        index = self.index[part]
        out = np.empty((len(index), self.layout.lookback))
        return gather_windows(self.panel.y, index - self.layout.lookback + 1, out)

    def anchors(self, lags: np.ndarray, part: slice) -> tuple[np.ndarray, np.ndarray]:
        """(level (b,), scale (b,)) of windows."""
        return self.layout.relative.of(lags, self.known, self.series[part])

    def future(self, part: slice, step: int) -> np.ndarray:
        """(b, K) known-future covariates `step` steps after windows."""
        if self.ahead is not None:
            return self.ahead[part, step - 1]
        index = self.index[part]
        last = self.panel.ends[self.series[part]]
        values = self.panel.future[np.minimum(index + step, last)]
        values[index + step > last] = np.nan
        return values

    def rows(self, part: slice, out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Write the rows of windows into `out` (b, width); returns their (level, scale)."""
        return self.fill(part, self.lags(part), out, 0)

    def fill(self, part: slice, lags: np.ndarray, out: np.ndarray, later: int) -> tuple[np.ndarray, np.ndarray]:
        """Write rows for given lags (b, w), `later` steps after the windows end; returns their (level, scale)."""
        layout, index = self.layout, self.index[part]
        level, scale = self.anchors(lags, part)
        w, p = layout.lookback, layout.past_columns
        # Through float32 whatever the type of the table, so that every booster sees the same numbers
        out[:, :w] = _relative(lags, level, scale, layout.relative)
        if layout.covariates == "last":
            out[:, w : w + p] = self.panel.X[index]
        elif layout.covariates == "all" and p:
            gather_windows(self.panel.X, index - w + 1, out[:, w : w + p])
        if layout.calendar:
            out[:, w + p : layout.fixed] = self._calendar(self.panel.positions(index, self.series[part]) + later)
        self.fill_future(part, out, later + 1)
        return level, scale

    def fill_future(self, part: slice, out: np.ndarray, first: int = 1) -> None:
        """Write the columns of known-future covariates, those of steps `first`, first + 1, …, into `out`."""
        width = len(self.layout.future_names)
        for k in range(self.layout.ahead if width else 0):
            column = self.layout.fixed + k * width
            out[:, column : column + width] = self.future(part, first + k)

    def targets(self, part: slice, level: np.ndarray, scale: np.ndarray, out: np.ndarray) -> None:
        """Write the targets of windows into `out` (b, h), relative as their rows are."""
        values = gather_windows(self.panel.y, self.index[part] + 1, np.empty(out.shape))
        out[:] = _relative(values, level, scale, self.layout.relative)

    def target(self, step: int) -> np.ndarray:
        """(n,) float32, the targets `step` + 1 steps after windows."""
        out = np.empty(len(self), np.float32)
        for part in self.blocks():
            level, scale = self.anchors(self.lags(part), part)
            values = self.panel.y[self.index[part] + 1 + step, None]
            out[part] = _relative(values, level, scale, self.layout.relative)[:, 0]
        return out

    def table(self, horizon: int, dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray]:
        """(rows (n, width) of `dtype`, targets (n, horizon) float32)."""
        rows: np.ndarray = np.empty((len(self), self.layout.width), dtype)
        targets = np.empty((len(self), horizon), np.float32)
        for part in self.blocks():
            level, scale = self.rows(part, rows[part])
            self.targets(part, level, scale, targets[part])
        return rows, targets

    def inputs(self, part: slice, dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(rows (b, width), level (b,), scale (b,)) of windows."""
        rows: np.ndarray = np.empty((len(self.index[part]), self.layout.width), dtype)
        return rows, *self.rows(part, rows)


def _relative(values: np.ndarray, level: np.ndarray, scale: np.ndarray, relative: Relative) -> np.ndarray:
    if not relative.nothing:
        values = (values - level[:, None]) / scale[:, None]
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


# ---------------------------------------------------------------------------------------------------------- strategies
@dataclass(frozen=True)
class Fitting:
    """What all strategies need besides the data.

    Attributes:
        regressor: the kind of model.
        horizon: h.
        seed, threads: of the models.
        progress: called with (models done, models).
    """

    regressor: Regressor
    horizon: int
    seed: int
    threads: int
    progress: Progress


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

    def remembers(self, lookback: int) -> int | None:
        """Last steps of a series that a forecast needs; None = all."""
        return lookback

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

    def fit(self, origins: Origins, fitting: Fitting) -> list[Any]:
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

    def fit(self, origins: Origins, fitting: Fitting) -> list[Any]:
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


__all__ = ["Direct", "Fitting", "Layout", "MultiOutput", "Origins", "Recursive", "Strategy"]
