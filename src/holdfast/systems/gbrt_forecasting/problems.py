"""Series to forecast: generated ones that everyone has, one that ships with statsmodels, and files."""

from __future__ import annotations

import functools
import importlib.util
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.series.calendar_features import calendar_features
from holdfast.data.series.cuts import Cuts, OneSeries
from holdfast.experiment import Problem
from holdfast.regressors.boosters import XGBoostTrees

Draw = Callable[[str], np.random.Generator]
PAPERS_CALENDAR = ("month", "day", "hour", "dayofweek", "dayofyear", "week")


@dataclass(frozen=True)
class Forecasting(Problem):
    """Series, and how far to look back and ahead.

    Attributes:
        lookback, horizon: w and h.
        season: steps after which the series repeats; at most the lookback, 0 = none.
        train_stride, test_stride: steps between windows that are fitted on, and between forecasts that are tested;
            None = the horizon.
        block: horizons that are redrawn together when verdicts are bootstrapped: at least two, as what neighbouring
            forecasts see overlaps.
        validation, test: shares of each series: settings are chosen on the one, the other comes last.
        refits: models are fitted anew so often in the course of the test part, on all that lies before.
    """

    lookback: int = 24
    horizon: int = 24
    season: int = 24
    train_stride: int = 1
    test_stride: int | None = None
    block: int = 2
    validation: float = 0.1
    test: float = 0.2
    refits: int = 1

    @property
    def published(self) -> XGBoostTrees | None:
        """The paper's settings of the trees, where it used these data."""
        return None

    @abstractmethod
    def panel(self, draw: Draw) -> Sequence[OneSeries]:
        """The series. `draw` gives named generators; only problems whose data are redrawn call it."""

    @property
    def cuts(self) -> Cuts:
        """How the series are cut into what is fitted, what settings are chosen on, and what is tested."""
        return Cuts(
            lookback=self.lookback,
            horizon=self.horizon,
            train_stride=self.train_stride,
            test_stride=self.test_stride or self.horizon,
            validation=self.validation,
            test=self.test,
            refits=self.refits,
        )


# ----------------------------------------------------------------------------------------------------- generated series
@dataclass(frozen=True)
class HourlySeries(Forecasting):
    """y_t = 10 + 3 sin(2 pi t / 24) + 1.5 at weekends + u_t, with u_t = 0.8 u_{t-1} + N(0, 0.5^2).

    Covariates are hour and weekday, scaled to [-0.5, 0.5]. Step 0 is a Monday, 0:00. The weekend comes as a step that
    the window shows only once it has begun; what else the window does not show is noise.

    Models are fitted on 2,400 steps; settings are chosen by fitting on 2,100 of them and forecasting the other 300.
    Steps to test on cost nothing: there are 9,600, with a forecast every hour, so that a replicate is exact.
    """

    length: int = 12_000
    test_stride: int | None = 1
    validation: float = 0.025
    test: float = 0.8
    source: ClassVar[Literal["generated"]] = "generated"
    redrawn: ClassVar[bool] = True

    def panel(self, draw: Draw) -> Sequence[OneSeries]:
        t = np.arange(self.length)
        level = 10 + 3 * np.sin(2 * np.pi * t / 24) + 1.5 * (t // 24 % 7 >= 5)
        return (OneSeries("y", level + autoregression(draw("split"), self.length, 0.8, 0.5), hour_and_weekday(t)),)

    def describe(self) -> str:
        return (
            f"generated hourly series of {self.length:,} steps (daily wave, weekends, autoregressive noise), drawn anew"
            f" in each replicate; {self.lookback} -> {self.horizon}"
        )


@dataclass(frozen=True)
class WhiteNoise(Forecasting):
    """Independent normal draws: there is nothing to forecast, and the mean is the best forecast."""

    length: int = 1500
    source: ClassVar[Literal["generated"]] = "generated"
    redrawn: ClassVar[bool] = True

    def panel(self, draw: Draw) -> Sequence[OneSeries]:
        t = np.arange(self.length)
        return (OneSeries("y", 10 + draw("split").standard_normal(self.length), hour_and_weekday(t)),)

    def describe(self) -> str:
        return f"white noise of {self.length:,} steps, drawn anew in each replicate; {self.lookback} -> {self.horizon}"


def autoregression(rng: np.random.Generator, length: int, memory: float, sigma: float) -> np.ndarray:
    """u_t = memory u_{t-1} + N(0, sigma^2), (length,), started in its stationary distribution."""
    from scipy.signal import lfilter

    noise = sigma * rng.standard_normal(length)
    noise[0] /= np.sqrt(1 - memory**2)
    filtered: np.ndarray = lfilter([1.0], [1.0, -memory], noise)
    return filtered


def hour_and_weekday(hours: np.ndarray) -> np.ndarray:
    """(T, 2) hour of the day and day of the week, each scaled to [-0.5, 0.5], of hours counted from a Monday 0:00."""
    return np.stack([hours % 24 / 23 - 0.5, hours // 24 % 7 / 6 - 0.5], axis=1)


# ------------------------------------------------------------------------------------------------------ in a package
@dataclass(frozen=True)
class WeeklyCO2(Forecasting):
    """Atmospheric CO2 at Mauna Loa, weekly 1958-2001, as statsmodels ships it: it rises beyond all that was seen.

    Weeks without a value (59 of 2,284) are interpolated. The covariate is the week of the year.
    """

    season: int = 0
    source: ClassVar[Literal["package"]] = "package"
    fixed_test: ClassVar[bool] = True
    how_to_get: ClassVar[str] = "pip install 'holdfast[forecast]' (statsmodels ships the series)"

    def available(self) -> bool:
        return importlib.util.find_spec("statsmodels") is not None

    def panel(self, draw: Draw) -> Sequence[OneSeries]:
        y, week = _co2()
        return (OneSeries("CO2", y, week[:, None]),)

    def describe(self) -> str:
        return f"CO2 at Mauna Loa, 2,284 weeks, rising; {self.lookback} -> {self.horizon}"


@functools.cache
def _co2() -> tuple[np.ndarray, np.ndarray]:
    from statsmodels.datasets import co2

    frame = co2.load_pandas().data["co2"].interpolate()
    return frame.to_numpy(float), frame.index.isocalendar().week.to_numpy(float) / 52 - 0.5


# -------------------------------------------------------------------------------------------------------------- files
@dataclass(frozen=True)
class SeriesFile(FileProblem, Forecasting):
    """Series in a file of the data folder.

    Attributes:
        file: path inside the folder that HOLDFAST_DATA names.
    """

    file: str = ""
    fixed_test: ClassVar[bool] = True

    @property
    def paths(self) -> tuple[Path, ...]:
        return (data_folder(self.file),)

    def panel(self, draw: Draw) -> Sequence[OneSeries]:
        return self.read(self.found()[0])

    @abstractmethod
    def read(self, path: Path) -> Sequence[OneSeries]:
        """The series in the file."""


@dataclass(frozen=True)
class ETTh1(SeriesFile):
    """Electricity transformer, hourly: one channel from its window and the calendar.

    Attributes:
        target: the channel to forecast: "HUFL" (high useful load), ..., "OT" (oil temperature).
        channels: whether the other channels are covariates, too.
    """

    file: str = "gbrt_forecasting/ETTh1.csv"
    target: str = "HUFL"
    channels: bool = False
    block: int = 7
    test_stride: int | None = 6
    test: float = 0.45
    refits: int = 3
    how_to_get: ClassVar[str] = (
        "ETTh1.csv of the ETDataset repository (CC BY-ND 4.0) as gbrt_forecasting/ETTh1.csv in the folder that"
        " HOLDFAST_DATA names"
    )

    def read(self, path: Path) -> Sequence[OneSeries]:
        from holdfast.data.series.datasets import read_ett, target_from

        stamps, channels = read_ett(path)
        y, others = target_from(channels, self.target)
        calendar = calendar_features(stamps, PAPERS_CALENDAR)
        x = np.concatenate([calendar, others], axis=1) if self.channels else calendar
        return (OneSeries(self.target, y, x),)

    def describe(self) -> str:
        more = " and six other channels" if self.channels else ""
        return f"ETTh1, {self.target}, hourly, with calendar{more}; {self.lookback} -> {self.horizon}"


@dataclass(frozen=True)
class ExchangeRates(SeriesFile):
    """Daily exchange rates of 8 currencies to the dollar, windows pooled.

    No calendar: the file has no dates, and no calendar of the span it is said to cover has as many days. (The
    reference stamps consecutive calendar days from 1990-01-01, so that its weekdays are wrong.)
    """

    file: str = "gbrt_forecasting/exchange_rate.txt.gz"
    season: int = 0
    how_to_get: ClassVar[str] = (
        "exchange_rate.txt.gz of laiguokun/multivariate-time-series-data as gbrt_forecasting/exchange_rate.txt.gz in"
        " the folder that HOLDFAST_DATA names"
    )

    def read(self, path: Path) -> Sequence[OneSeries]:
        from holdfast.data.series.datasets import read_matrix

        values = read_matrix(path)
        none = np.empty((len(values), 0))
        return tuple(OneSeries(str(i), column, none) for i, column in enumerate(values.T))

    def describe(self) -> str:
        return f"exchange rates of 8 currencies, daily, pooled; {self.lookback} -> {self.horizon}"


__all__ = ["ETTh1", "ExchangeRates", "Forecasting", "HourlySeries", "SeriesFile", "WeeklyCO2", "WhiteNoise"]
