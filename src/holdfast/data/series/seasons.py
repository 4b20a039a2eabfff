"""After how many steps series of a frequency usually repeat."""

from __future__ import annotations

import re

from holdfast.data.series.calendars import MonthDays, WorkingDays
from holdfast.data.series.clock import DAY_US, Clock

# Steps a year, of frequencies that are no fixed time, by how pandas' names of them begin once marks of the start, the
# end and of business days are off: BMS, CBME and ME are all months.
A_YEAR = {"M": 12, "Q": 4, "Y": 1, "A": 1, "W": 52, "SM": 24}


def season_of(clock: Clock) -> int:
    """Steps per day for what is finer than a day, else per week (days), year (weeks, months, quarters) or 1.

    Of several units as a step (2h, 3MS, 2W) as many steps as fill the same time; 1 where none fills it. Whole numbers
    as time stamps say nothing about seasons: 1.

    Example:
        >>> import numpy as np, pandas as pd
        >>> from holdfast.data.series.clock import make_clock
        >>> [
        ...     season_of(make_clock(pd.date_range("2024-01-01", periods=9, freq=f), np.zeros(9, int), None))
        ...     for f in ("15min", "h", "D", "W", "MS", "BME", "2MS")
        ... ]
        [96, 24, 7, 52, 12, 12, 6]
    """
    if clock.freq is None:
        return 1
    if isinstance(clock.days, WorkingDays):
        return clock.days.week.count("1")
    if isinstance(clock.days, MonthDays):
        return _times(12, clock.days.months)
    if clock.step and clock.step < DAY_US:
        return max(1, round(DAY_US / clock.step)) if DAY_US % clock.step == 0 else 1
    if clock.step:
        days = clock.step // DAY_US
        return 7 if days == 1 else _times(52, days // 7) if days % 7 == 0 else 1
    return _of_name(clock.freq)


def _of_name(freq: str) -> int:
    count, unit = re.match(r"(\d*)([A-Z]+)", freq).groups()  # type: ignore[union-attr]  # pandas' names are like this
    if unit in ("B", "C"):
        return _times(5, int(count or 1))
    if unit not in ("M", "Q", "Y", "A", "W"):
        unit = "SM" if unit.startswith("SM") else re.sub(r"^C?B|[SE]$", "", unit)
    return _times(A_YEAR.get(unit, 1), int(count or 1))


def _times(season: int, steps: int) -> int:
    return season // steps if steps and season % steps == 0 else 1


__all__ = ["season_of"]
