"""What is predicted: sequences of the two priors, and real series as rises and falls."""

from __future__ import annotations

import importlib.util
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.series.datasets import read_ett
from holdfast.data.series.rises import rises
from holdfast.errors import InputError, MissingExtra
from holdfast.experiment import Problem


@dataclass(frozen=True)
class Sampled(Problem):
    """Sequences of a source, predicted by networks that were trained on the same or on another one.

    Attributes:
        trained: prior that networks were trained on, "ptw" or "lin".
        tested: prior that the test sequences come from; its Bayes mixture is the optimum.
        longer: length of the test sequences, in lengths of the training sequences.
    """

    trained: str = "ptw"
    tested: str = "ptw"
    longer: int = 1
    source: ClassVar[Literal["generated"]] = "generated"

    def describe(self) -> str:
        times = f", {self.longer} times as long as in training" if self.longer > 1 else ""
        return f"sequences of the {self.tested.upper()} prior{times}; networks trained on {self.trained.upper()}"


@dataclass(frozen=True, kw_only=True)
class Series(Problem):
    """A series whose rises and falls are predicted one by one.

    Attributes:
        unit: symbols per case (a year of months, a day of hours). Bits per symbol are measured case by case; symbols
            after the last whole case are predicted and not counted.
        block: neighbouring cases that are redrawn together, so that an interval allows for cycles and slow changes.
    """

    unit: int = 1
    block: int = 1
    fixed_test: ClassVar[bool] = True

    @abstractmethod
    def values(self) -> np.ndarray:
        """The series, float64 `(N,)`."""

    def bits(self) -> np.ndarray:
        """int64 `(T,)`: 1 where the series rises."""
        return rises(self.values())


PACKAGED = {
    "sunspots": "sunspot number, yearly 1700-2008",
    "elnino": "sea surface temperature off Peru, monthly 1950-2010",
    "co2": "CO2 at Mauna Loa, weekly 1958-2001",
}


@dataclass(frozen=True)
class PackagedSeries(Series):
    """A series that ships in statsmodels: "sunspots", "elnino" or "co2" (public domain)."""

    series: str
    source: ClassVar[Literal["package"]] = "package"
    how_to_get: ClassVar[str] = "pip install 'holdfast[forecast]' brings statsmodels, which holds it"

    def available(self) -> bool:
        return importlib.util.find_spec("statsmodels") is not None

    def values(self) -> np.ndarray:
        if not self.available():
            raise MissingExtra("statsmodels", "forecast")
        from statsmodels import datasets

        table = getattr(datasets, self.series).load_pandas().data
        if self.series == "elnino":
            table = table.drop(columns="YEAR")  # one row per year, one column per month
        if self.series == "sunspots":
            table = table[["SUNACTIVITY"]]
        return np.asarray(table.to_numpy(dtype=float).ravel())

    def describe(self) -> str:
        return f"rises of the {PACKAGED[self.series]} (statsmodels)"


@dataclass(frozen=True)
class EttSeries(FileProblem, Series):
    """A column of ETTh1: hourly load and oil temperature of a transformer station, July 2016 - June 2018."""

    file: str = "gbrt_forecasting/ETTh1.csv"
    column: str = "OT"
    how_to_get: ClassVar[str] = (
        "ETTh1.csv of https://github.com/zhouhaoyi/ETDataset (CC BY-ND 4.0), put at gbrt_forecasting/ETTh1.csv in the "
        "folder that the variable HOLDFAST_DATA names"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        return (data_folder(self.file),)

    def values(self) -> np.ndarray:
        try:
            channels = read_ett(data_folder(self.file))[1]
        except OSError as error:
            raise InputError(self.file, f"must be ETTh1.csv: {self.how_to_get}", str(error)) from None
        if self.column not in channels:
            raise InputError(self.file, f"must have a column {self.column!r}", ", ".join(channels))
        return channels[self.column]

    def describe(self) -> str:
        return f"hourly rises of {self.column} in ETTh1"


LONGER = ("ptw, 2x length", "ptw, 4x length")
SERIES = ("sunspots", "elnino", "co2", "etth1")
PROBLEMS: dict[str, Problem] = {
    "ptw": Sampled(),
    "lin": Sampled("lin", "lin"),
    "ptw->lin": Sampled("ptw", "lin"),
    "lin->ptw": Sampled("lin", "ptw"),
    "ptw, 2x length": Sampled(longer=2),
    "ptw, 4x length": Sampled(longer=4),
    # Blocks span two sunspot cycles, four years, two years and two weeks.
    "sunspots": PackagedSeries("sunspots", unit=1, block=22),
    "elnino": PackagedSeries("elnino", unit=12, block=4),
    "co2": PackagedSeries("co2", unit=13, block=8),
    "etth1": EttSeries(unit=24, block=14),
}
FROM_PTW = ("ptw", "ptw->lin", *LONGER, *SERIES)  # all that a network trained on PTW alone can do

__all__ = ["FROM_PTW", "LONGER", "PROBLEMS", "SERIES", "EttSeries", "PackagedSeries", "Sampled", "Series"]
