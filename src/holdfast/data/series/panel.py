"""Many series of regular steps, one behind the other in one array, so that nothing loops over series."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from holdfast.data.series.clock import Clock


@dataclass(frozen=True)
class Panel:
    """S series of together N steps, without gaps.

    Attributes:
        ids: (S,) names, strings or whole numbers.
        lengths: (S,) int64, steps of each.
        first: (S,) int64, the clock's position of each series' first step.
        y: (N,) float64, finite.
        X: (N, M) float32 past covariates; NaN = missing.
        future: (N, K) float32 covariates that are known beforehand, at the same steps; NaN = missing.
        x_names, future_names: of the columns.
        clock: what a step is.
    """

    ids: np.ndarray
    lengths: np.ndarray
    first: np.ndarray
    y: np.ndarray
    X: np.ndarray
    future: np.ndarray
    x_names: tuple[str, ...]
    future_names: tuple[str, ...]
    clock: Clock

    @property
    def count(self) -> int:
        """S, the number of series."""
        return len(self.lengths)

    @property
    def offsets(self) -> np.ndarray:
        """(S,) where each series begins in the joint arrays."""
        return np.cumsum(self.lengths) - self.lengths

    @property
    def ends(self) -> np.ndarray:
        """(S,) where the last step of each series is."""
        return np.cumsum(self.lengths) - 1

    def series_of(self, index: np.ndarray) -> np.ndarray:
        """Which series each row of the joint arrays belongs to."""
        return np.searchsorted(self.ends, index)

    def positions(self, index: np.ndarray, series: np.ndarray | None = None) -> np.ndarray:
        """The clock's positions of rows of the joint arrays."""
        series = self.series_of(index) if series is None else series
        return index - self.offsets[series] + self.first[series]

    def between(self, start: np.ndarray, stop: np.ndarray) -> Panel:
        """Each series from its step `start` up to and without `stop`; those with nothing left are dropped."""
        start = np.clip(start, 0, self.lengths)
        length = np.clip(np.minimum(stop, self.lengths) - start, 0, None)
        kept = length > 0
        length, begin = length[kept], (self.offsets + start)[kept]
        shift = begin - (np.cumsum(length) - length)
        index = np.arange(int(length.sum()), dtype=np.int64) + np.repeat(shift, length)
        return replace(
            self,
            ids=self.ids[kept],
            lengths=length,
            first=(self.first + start)[kept],
            y=self.y[index],
            X=self.X[index],
            future=self.future[index],
        )

    def tail(self, steps: int) -> Panel:
        """The last steps of each series."""
        return self.between(self.lengths - steps, self.lengths)

    def until(self, position: int) -> Panel:
        """Each series up to and with a position of the clock."""
        return self.between(np.zeros_like(self.lengths), position - self.first + 1)

    def ahead(self, index: np.ndarray, horizon: int) -> np.ndarray:
        """(n, h, K) float32 known-future covariates of the steps after rows; NaN after the end of a series."""
        last = self.ends[self.series_of(index)]
        wanted = index[:, None] + np.arange(1, horizon + 1)
        inside = wanted <= last[:, None]
        values = self.future[np.minimum(wanted, len(self.y) - 1)]
        return np.where(inside[:, :, None], values, np.float32(np.nan))

    def mean_step(self) -> np.ndarray:
        """(S,) mean absolute difference from one step to the next: the error of the last value one step ahead."""
        steps = np.abs(np.diff(self.y, prepend=self.y[:1]))
        steps[self.offsets] = 0
        series = np.repeat(np.arange(self.count), self.lengths)
        return np.bincount(series, steps, self.count) / np.maximum(self.lengths - 1, 1)

    def seasonal_step(self, season: int) -> np.ndarray:
        """(S,) mean absolute difference from a season before: what errors are divided by in the M competitions' MASE.

        Series with no more than a season of steps have that of one step instead.
        """
        index = np.arange(len(self.y)) - np.repeat(self.offsets, self.lengths)
        series = np.repeat(np.arange(self.count), self.lengths)
        later = np.flatnonzero(index >= season)
        total = np.bincount(series[later], np.abs(self.y[later] - self.y[later - season]), self.count)
        count = np.maximum(self.lengths - season, 0)
        return np.where(count > 0, total / np.maximum(count, 1), self.mean_step())

    def frame(self) -> pd.DataFrame:
        """The series as a long table: unique_id, ds, y."""
        series = np.repeat(np.arange(self.count), self.lengths)
        ds = self.clock.times(self.positions(np.arange(len(self.y)), series))
        return pd.DataFrame({"unique_id": self.ids[series], "ds": ds, "y": self.y})


def describe(panel: Panel) -> str:
    """ "10,000 series, 2,000,000 steps, every h"."""
    many: Any = "1 series" if panel.count == 1 else f"{panel.count:,} series"
    return f"{many}, {len(panel.y):,} steps, freq {panel.clock}"


__all__ = ["Panel", "describe"]
