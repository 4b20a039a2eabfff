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

from holdfast.data.series.calendars import MonthDays, WorkingDays, find_month_days, find_working_days
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
        days: which days steps are, where pandas has no name for it: then freq is the nearest that it has.
    """

    freq: str | None
    origin: int
    step: int
    tz: str | None = None
    days: MonthDays | WorkingDays | None = None

    @property
    def _wall(self) -> bool:
        """Steps are counted in wall time."""
        return self.tz is None or self.step % DAY_US == 0

    def _numbers(self, times: pd.DatetimeIndex) -> np.ndarray:
        """Microseconds since 1970 of times, in wall time or in absolute time."""
        naive = times.tz_localize(None) if self._wall else times.tz_convert("UTC").tz_localize(None)
        return naive.as_unit("us").asi8

    @property
    def _first_day(self) -> np.datetime64:
        return np.datetime64(self.origin // DAY_US, "D")

    def _grid(self, last: int) -> np.ndarray:
        """Microseconds of all steps from the origin up to a time."""
        start, end = pd.Timestamp(self.origin, unit="us"), pd.Timestamp(last, unit="us")
        return pd.date_range(start, end, freq=self.freq).as_unit("us").asi8

    def positions(self, times: Any) -> tuple[np.ndarray, np.ndarray]:
        """(positions (N,) int64, whether each time is on a step (N,) bool)."""
        numbers = np.asarray(times, np.int64) if self.freq is None else self._numbers(times)
        if self.step:
            return (numbers - self.origin) // self.step, (numbers - self.origin) % self.step == 0
        if self.days is not None:
            dates = (numbers // DAY_US).astype("datetime64[D]")
            places, found = self.days.places(dates, self._first_day)
            return places, found & (numbers % DAY_US == 0)
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
        elif self.days is not None:
            numbers = self.days.days(positions, self._first_day).astype("datetime64[us]").astype(np.int64)
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
        return (self.freq, self.step, self._kind) == (other.freq, other.step, other._kind)

    @property
    def _kind(self) -> Any:
        """Which days steps are: holidays are others in other years."""
        return self.days.week if isinstance(self.days, WorkingDays) else self.days

    def __str__(self) -> str:
        return f"every {self.step}" if self.freq is None else str(self.days or self.freq)


def make_clock(
    times: Any, group: np.ndarray, freq: str | int | Clock | None, name: str = "freq", *, holidays: bool = True
) -> Clock:
    """The clock of time stamps, with the first as origin.

    Args:
        times: (N,) whole numbers or a DatetimeIndex.
        group: (N,) which series each belongs to; those of one lie together, in the order of time.
        freq: the frequency, or a clock that has it; None = found from the most frequent step.
        name: of the argument, in errors.
        holidays: whether working days that are missing in all series may be holidays rather than gaps.

    Raises:
        InputError: an unknown frequency, or none that could be found.
    """
    like, freq = (freq, freq.freq) if isinstance(freq, Clock) else (None, freq)
    if not isinstance(times, pd.DatetimeIndex):
        return _count_clock(np.asarray(times, np.int64), group, freq, name)
    tz = None if times.tz is None else str(times.tz)
    dates = _dates(times)
    if like is not None and like.days is not None and len(dates):
        return Clock(like.freq, int(dates[0].astype(np.int64)) * DAY_US, 0, tz, _again(like.days, dates))
    if freq is None and (found := _calendar(times, group, dates, holidays)) is not None:
        nearest = "B" if isinstance(found, WorkingDays) else "MS" if found.months == 1 else f"{found.months}MS"
        return Clock(nearest, int(dates[0].astype(np.int64)) * DAY_US, 0, tz, found)
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


def _dates(times: pd.DatetimeIndex) -> np.ndarray:
    """The different days of times, ascending; none where some are not at midnight."""
    numbers = times.tz_localize(None).as_unit("us").asi8
    return np.unique(numbers[:0] if (numbers % DAY_US).any() else numbers // DAY_US).astype("datetime64[D]")


def _calendar(
    times: pd.DatetimeIndex, group: np.ndarray, dates: np.ndarray, holidays: bool
) -> MonthDays | WorkingDays | None:
    if not len(dates):
        return None
    longest = _dates(times[group == np.bincount(group).argmax()])
    if (monthly := find_month_days(longest)) is not None:
        return monthly
    return find_working_days(dates) if holidays else None


def _again(days: MonthDays | WorkingDays, dates: np.ndarray) -> MonthDays | WorkingDays:
    """The same kind of days, with the holidays of other dates."""
    if isinstance(days, MonthDays):
        return days
    span = np.arange(dates[0], dates[-1] + 1)
    missing = np.setdiff1d(span[np.is_busday(span, weekmask=days.week)], dates)
    return WorkingDays(days.week, tuple(missing.astype(np.int64).tolist()))


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
