"""After how many steps series of a frequency usually repeat."""

from __future__ import annotations

from holdfast.data.series.clock import DAY_US, Clock

CALENDAR = {"W": 52, "M": 12, "Q": 4, "B": 5, "Y": 1}  # first letter of frequencies that are no fixed time


def season_of(clock: Clock) -> int:
    """Steps per day for what is finer than a day, else per week (days), year (weeks, months, quarters) or 1.

    Whole numbers as time stamps say nothing about seasons: 1.

    Example:
        >>> import numpy as np, pandas as pd
        >>> from holdfast.data.series.clock import make_clock
        >>> [
        ...     season_of(make_clock(pd.date_range("2024-01-01", periods=9, freq=f), np.zeros(9, int), None))
        ...     for f in ("15min", "h", "D", "W", "MS")
        ... ]
        [96, 24, 7, 52, 12]
    """
    if clock.freq is None:
        return 1
    if clock.step and clock.step < DAY_US:
        return max(1, DAY_US // clock.step)
    if clock.step:
        days = clock.step // DAY_US
        return 7 if days == 1 else 52 if days == 7 else 1
    letters = clock.freq.lstrip("0123456789")
    return 1 if letters != clock.freq else CALENDAR.get(letters[:1], 1)


__all__ = ["season_of"]
