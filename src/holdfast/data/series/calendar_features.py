"""Hour, weekday, month, …: what the calendar knows about a step.

Features are scaled to [-0.5, 0.5] by the range the calendar allows (hours 0 to 23, weeks 1 to 53), so that nothing is
fitted. The paper scales by the smallest and largest value in the data set, test part included; `ranges="data"` does so
over the times it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from holdfast.data.series.clock import DAY_US, Clock
from holdfast.errors import InputError
from holdfast.validation import check_choice

FEATURES: dict[str, tuple[Callable[[pd.DatetimeIndex], Any], int, int]] = {
    "minute": (lambda t: t.minute, 0, 59),
    "hour": (lambda t: t.hour, 0, 23),
    "dayofweek": (lambda t: t.day_of_week, 0, 6),
    "day": (lambda t: t.day, 1, 31),
    "dayofyear": (lambda t: t.day_of_year, 1, 366),
    "week": (lambda t: t.isocalendar().week.to_numpy(), 1, 53),
    "month": (lambda t: t.month, 1, 12),
    "quarter": (lambda t: t.quarter, 1, 4),
}


def calendar_features(times: pd.DatetimeIndex, names: Sequence[str], ranges: str = "calendar") -> np.ndarray:
    """Calendar features of times.

    Args:
        times: (N,).
        names: of `minute`, `hour`, `dayofweek` (Monday = 0), `day`, `dayofyear`, `week` (ISO), `month`, `quarter`.
        ranges: "calendar" or "data", see above.

    Returns:
        (N, len(names)) float32, in [-0.5, 0.5].

    Raises:
        InputError: an unknown name.

    Example:
        >>> import pandas as pd
        >>> calendar_features(pd.DatetimeIndex(["2024-01-01 00:00", "2024-12-01 23:00"]), ("hour", "month")).tolist()
        [[-0.5, -0.5], [0.5, 0.5]]
    """
    check_choice(ranges, ("calendar", "data"), "ranges")
    columns = np.empty((len(times), len(names)), np.float32)
    for k, name in enumerate(names):
        values, low, high = FEATURES[check_choice(name, tuple(FEATURES), "calendar")]
        column = np.asarray(values(times), np.float64)
        if ranges == "data" and len(column):
            low, high = column.min(), column.max()
        columns[:, k] = (column - low) / max(high - low, 1) - 0.5
    return columns


def choose_features(calendar: Any, clock: Clock) -> tuple[str, ...]:
    """The names for a clock: those given, or for "auto" the ones that change from step to step and repeat in a year.

    Raises:
        InputError: an unknown name, or calendar features asked for where time stamps are whole numbers.
    """
    if calendar is None:
        return ()
    if isinstance(calendar, str) and calendar == "auto":
        return _automatic(clock)
    if isinstance(calendar, str) or not isinstance(calendar, Sequence):
        raise InputError("calendar", "must be 'auto', None or a sequence of names", calendar)
    names = tuple(check_choice(name, tuple(FEATURES), "calendar") for name in calendar)
    if names and clock.freq is None:
        raise InputError("calendar", "must be empty, 'auto' or None where time stamps are whole numbers", list(names))
    return names


def _automatic(clock: Clock) -> tuple[str, ...]:
    if clock.freq is None:
        return ()
    if clock.step and clock.step < DAY_US:
        finer = ("minute",) if clock.step % (DAY_US // 24) else ()
        return (*finer, "hour", "dayofweek", "dayofyear")
    start = clock.times(np.arange(3))
    days = (start[-1] - start[0]).total_seconds() / 86400 / 2
    if days < 5:
        return ("dayofweek", "day", "dayofyear")
    return ("week",) if days < 25 else ("month",) if days < 80 else ("quarter",) if days < 300 else ()


class CalendarTable:
    """Calendar features of many steps, each distinct step computed once."""

    def __init__(self, clock: Clock, names: tuple[str, ...], low: int, high: int) -> None:
        self._low = low
        times = clock.times(np.arange(low, high + 1)) if names else None
        self._table = np.empty((high - low + 1, 0), np.float32) if times is None else calendar_features(times, names)

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        """(N, names) of positions of the clock."""
        return self._table[positions - self._low]


__all__ = ["FEATURES", "CalendarTable", "calendar_features", "choose_features"]
