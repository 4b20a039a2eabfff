"""Regular time: which step a timestamp is, and which timestamp a step has.

Time stamps come as dates (with or without a time zone) or as whole numbers. Frequencies of a fixed length (hours,
minutes) are counted in absolute time; days, weeks, months and business days in the wall time of the zone, so that a
change to daylight saving is no gap in daily data.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import Day, Tick

from holdfast.errors import InputError

# Names of frequencies that pandas has given up and people still write.
FORMER = {"H": "h", "T": "min", "S": "s", "L": "ms", "U": "us", "M": "ME", "Q": "QE", "Y": "YE", "A": "YE", "BM": "BME"}
DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Clock:
    """Steps from an origin.

    Attributes:
        freq: a frequency as pandas names it ("h", "D", "MS", "15min", ...); None = time stamps are whole numbers.
        origin: time stamp of position 0: a whole number, or microseconds since 1970.
        step: length of a step in the same unit; 0 = it varies (months, business days).
        tz: name of the time zone; None = none.
    """

    freq: str | None
    origin: int
    step: int
    tz: str | None = None

    @property
    def _wall(self) -> bool:
        """Steps are counted in wall time."""
        return self.tz is None or self.step % DAY_US == 0

    def _numbers(self, times: pd.DatetimeIndex) -> np.ndarray:
        """Microseconds since 1970 of times, in wall time or in absolute time."""
        naive = times.tz_localize(None) if self._wall else times.tz_convert("UTC").tz_localize(None)
        return naive.as_unit("us").asi8

    def _grid(self, last: int) -> np.ndarray:
        """Microseconds of all steps from the origin up to a time."""
        start, end = pd.Timestamp(self.origin, unit="us"), pd.Timestamp(last, unit="us")
        return pd.date_range(start, end, freq=self.freq).as_unit("us").asi8

    def positions(self, times: Any) -> tuple[np.ndarray, np.ndarray]:
        """(positions (N,) int64, whether each time is on a step (N,) bool)."""
        numbers = np.asarray(times, np.int64) if self.freq is None else self._numbers(times)
        if self.step:
            return (numbers - self.origin) // self.step, (numbers - self.origin) % self.step == 0
        if not len(numbers):
            return np.empty(0, np.int64), np.empty(0, bool)
        # A year more than asked for, so that there is a step behind every time
        grid = self._grid(max(int(numbers.max()), self.origin) + 370 * DAY_US)
        found = np.searchsorted(grid, numbers)
        on_grid = grid[np.minimum(found, len(grid) - 1)] == numbers
        return np.where(numbers < self.origin, -1, found), on_grid

    def times(self, positions: np.ndarray) -> Any:
        """Time stamps of positions: int64, or a DatetimeIndex in the zone."""
        positions = np.asarray(positions, np.int64)
        if self.freq is None:
            return self.origin + self.step * positions
        if self.step:
            numbers = self.origin + self.step * positions
        else:
            start = pd.Timestamp(self.origin, unit="us")
            count = int(positions.max(initial=0)) + 1
            numbers = pd.date_range(start, periods=count, freq=self.freq).as_unit("us").asi8[positions]
        naive = pd.DatetimeIndex(numbers.astype("datetime64[us]"))
        if self.tz is None:
            return naive
        if self._wall:
            # An hour that a change of the clock leaves out or repeats still belongs to its day
            first = np.ones(len(naive), bool)
            return naive.tz_localize(self.tz, nonexistent="shift_forward", ambiguous=first)
        return naive.tz_localize("UTC").tz_convert(self.tz)

    def same_steps(self, other: Clock) -> bool:
        """Whether both count in the same frequency."""
        return (self.freq, self.step) == (other.freq, other.step)

    def __str__(self) -> str:
        return f"every {self.step}" if self.freq is None else str(self.freq)


def make_clock(times: Any, group: np.ndarray, freq: str | int | None, name: str = "freq") -> Clock:
    """The clock of time stamps, with the first as origin.

    Args:
        times: (N,) whole numbers or a DatetimeIndex.
        group: (N,) which series each belongs to; those of one lie together, in the order of time.
        freq: the frequency; None = found from the most frequent step.
        name: of the argument, in errors.

    Raises:
        InputError: an unknown frequency, or none that could be found.
    """
    if not isinstance(times, pd.DatetimeIndex):
        return _count_clock(np.asarray(times, np.int64), group, freq, name)
    tz = None if times.tz is None else str(times.tz)
    offset = _offset(freq, name) if freq is not None else _inferred(times, group, name)
    if isinstance(offset, Tick):
        step = int(pd.Timedelta(offset) // pd.Timedelta(1, "us"))
    elif isinstance(offset, Day):
        step = offset.n * DAY_US
    else:
        step = 0
    clock = Clock(offset.freqstr, 0, step, tz)
    origin = int(clock._numbers(times).min())
    if not step:  # the first time may be off the grid; the grid then starts before it, and the error names it
        origin = int(pd.DatetimeIndex([offset.rollback(pd.Timestamp(origin, unit="us"))]).as_unit("us").asi8[0])
    return Clock(offset.freqstr, origin, step, tz)


def _count_clock(times: np.ndarray, group: np.ndarray, freq: str | int | None, name: str) -> Clock:
    if freq is None:
        steps = np.diff(times)[group[1:] == group[:-1]]
        steps = steps[steps > 0]
        values, counts = np.unique(steps, return_counts=True)
        freq = int(values[counts.argmax()]) if len(values) else 1
    if isinstance(freq, bool) or not isinstance(freq, int | np.integer) or freq < 1:
        raise InputError(name, "must be a whole number of at least 1 where time stamps are whole numbers", freq)
    return Clock(None, int(times.min()), int(freq))


def _offset(freq: Any, name: str) -> Any:
    rule = "must be a frequency as pandas names them (h, D, B, W, MS, 15min, ...)"
    if not isinstance(freq, str):
        raise InputError(name, rule, freq)
    try:
        offset = to_offset(FORMER.get(freq, freq))
    except (ValueError, TypeError):
        raise InputError(name, rule, repr(freq)) from None
    if offset is None or offset.n < 1:
        raise InputError(name, rule, repr(freq))
    return offset


def _inferred(times: pd.DatetimeIndex, group: np.ndarray, name: str) -> Any:
    """The frequency that most stretches of the longest series agree on."""
    sizes = np.bincount(group)
    stretch = times[group == sizes.argmax()].tz_localize(None).unique().sort_values()
    found: dict[str, int] = {}
    for length in (len(stretch), 15, 8, 4, 3):
        for start in range(0, min(len(stretch) - length + 1, 40 * length), length):
            if length >= 3 and (freq := _regular(stretch[start : start + length])):
                found[freq] = found.get(freq, 0) + 1
        if found:
            return to_offset(max(found, key=lambda f: found[f]))
    raise InputError(name, "must be given where time stamps have no regular step", f"{len(stretch)} time stamps")


def _regular(times: pd.DatetimeIndex) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # later versions of pandas return another type, which is as good here
        freq = pd.infer_freq(times)
    return None if freq is None else to_offset(freq).freqstr


__all__ = ["Clock", "make_clock"]
