"""The paper's data sets in their published formats, as problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from holdfast.data.series.calendar_features import calendar_features
from holdfast.data.series.cuts import OneSeries
from holdfast.data.series.datasets import read_matrix, read_nasdaq100, read_sml2010, target_from
from holdfast.regressors.boosters import XGBoostTrees
from holdfast.systems.gbrt_forecasting.problems import SeriesFile
from holdfast.systems.gbrt_forecasting.tool.presets import PRESETS


@dataclass(frozen=True)
class MatrixFile(SeriesFile):
    """Lines of n reals, one series per column, all windows pooled.

    Attributes:
        data_set: name in `PRESETS`.
        series: how many of the first columns are used; None = all (the paper uses 70 of electricity, 90 of traffic).
        start, freq: of the stamps, as pandas reads them.
    """

    data_set: str = ""
    series: int | None = None
    start: str = ""
    freq: str = "h"
    how_to_get: ClassVar[str] = (
        "electricity.txt, traffic.txt, solar_AL.txt: laiguokun/multivariate-time-series-data (.gz will do);"
        " PeMSD7_V_228.csv: the data of STGCN. Each goes into gbrt_forecasting/ in the folder that HOLDFAST_DATA names"
    )

    @property
    def published(self) -> XGBoostTrees:
        return PRESETS[self.data_set].booster

    def read(self, path: Path) -> Sequence[OneSeries]:
        import pandas as pd

        values = read_matrix(path)[:, : self.series]
        stamps = pd.date_range(self.start, periods=len(values), freq=self.freq)
        x = calendar_features(stamps, PRESETS[self.data_set].calendar)
        return tuple(OneSeries(str(i), column, x) for i, column in enumerate(values.T))

    def describe(self) -> str:
        some = "all" if self.series is None else f"the first {self.series}"
        return f"{self.file}, {some} series, pooled; {self.lookback} -> {self.horizon}"


@dataclass(frozen=True)
class SML2010(SeriesFile):
    """Indoor temperature from the sensors of a house, every 15 minutes: one target, all other columns covariates."""

    file: str = "gbrt_forecasting/NEW-DATA-1.T15.txt"
    second: str = "gbrt_forecasting/NEW-DATA-2.T15.txt"
    target: str = "Temperature_Habitacion_Sensor"
    lookback: int = 10
    horizon: int = 1
    season: int = 0
    block: int = 24
    how_to_get: ClassVar[str] = (
        "SML2010 of the UCI repository: NEW-DATA-1.T15.txt and NEW-DATA-2.T15.txt into gbrt_forecasting/ in the folder"
        " that HOLDFAST_DATA names"
    )

    @property
    def published(self) -> XGBoostTrees:
        return PRESETS["sml2010"].booster

    @property
    def paths(self) -> tuple[Path, ...]:
        return (*super().paths, super().paths[0].parent / Path(self.second).name)

    def read(self, path: Path) -> Sequence[OneSeries]:
        y, x = target_from(read_sml2010((path, path.parent / Path(self.second).name)), self.target)
        return (OneSeries(self.target, y, x),)

    def describe(self) -> str:
        return f"SML2010, {self.target}, every 15 minutes; {self.lookback} -> {self.horizon}"


@dataclass(frozen=True)
class Nasdaq100(SeriesFile):
    """The index from the minutes of 81 of its stocks."""

    file: str = "gbrt_forecasting/nasdaq100_padding.csv"
    target: str = "NDX"
    lookback: int = 10
    horizon: int = 1
    season: int = 0
    block: int = 60
    how_to_get: ClassVar[str] = (
        "nasdaq100_padding.csv (the data of DA-RNN) into gbrt_forecasting/ in the folder that HOLDFAST_DATA names"
    )

    @property
    def published(self) -> XGBoostTrees:
        return PRESETS["nasdaq100"].booster

    def read(self, path: Path) -> Sequence[OneSeries]:
        y, x = target_from(read_nasdaq100(path), self.target)
        return (OneSeries(self.target, y, x),)

    def describe(self) -> str:
        return f"NASDAQ 100, {self.target}, by the minute; {self.lookback} -> {self.horizon}"


def share(part: int, of: int) -> float:
    """A share of a series that is a number of its steps."""
    return float(np.nextafter(part / of, 1.0))


FOLDER = "gbrt_forecasting"
PUBLISHED: Mapping[str, SeriesFile] = {
    "electricity": MatrixFile(
        file=f"{FOLDER}/electricity.txt",
        data_set="electricity",
        series=70,
        start="2012-01-01",
        validation=share(336, 26_304),
        test=share(336, 26_304),
        block=2,
    ),
    "traffic": MatrixFile(
        file=f"{FOLDER}/traffic.txt", data_set="traffic", series=90, start="2015-01-01", validation=0.1, test=0.2
    ),
    "solar": MatrixFile(
        file=f"{FOLDER}/solar_AL.txt", data_set="solar", start="2006-01-01", freq="10min", season=0, block=12
    ),
    "PeMSD7": MatrixFile(
        file=f"{FOLDER}/PeMSD7_V_228.csv",
        data_set="pemsd7",
        start="2012-05-01",
        freq="5min",
        lookback=9,
        horizon=9,
        season=0,
        block=32,
    ),
    "SML2010": SML2010(),
    "NASDAQ100": Nasdaq100(),
}

__all__ = ["PUBLISHED", "SML2010", "MatrixFile", "Nasdaq100"]
