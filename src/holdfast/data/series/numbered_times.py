"""Whole numbers that are times: 202401, 20240131, seconds since 1970; and columns of numbers that are the time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from holdfast.data.readers.tables.regularity import ENOUGH, LEAST, evenness, regularity

# A column is the time by name if its name, or the last word of it, is one of these.
WORDS = frozenset(
    (
        *("ds", "date", "dates", "time", "times", "timestamp", "timestamps", "datetime", "ts", "t", "epoch", "period"),
        *("minute", "hour", "day", "days", "week", "weeks", "month", "months", "quarter", "year", "years", "yr"),
        *("step", "steps", "index", "idx", "datum", "tag", "monat", "jahr", "zeit", "woche", "fecha", "mes", "jour"),
        *("mois", "日期", "时间", "年", "月", "日"),
    )
)
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
FIRST_SECOND, LAST_SECOND = 10**8, 42 * 10**8  # 1973 to 2103
FORMS = {6: "year and month", 8: "year, month and day", 10: "... and hour", 12: "... and minute"}


def calendar_times(numbers: np.ndarray) -> tuple[np.ndarray, str] | None:
    """Whole numbers as moments, and what they were taken as; None where they are steps or years.

    Args:
        numbers: (N,) int64.

    Example:
        >>> moments, what = calendar_times(np.array([202311, 202312, 202401]))
        >>> moments.astype(str).tolist(), what
        (['2023-11-01T00:00:00', '2023-12-01T00:00:00', '2024-01-01T00:00:00'], 'year and month')
        >>> calendar_times(np.array([1, 2, 3]))
    """
    if len(np.unique(numbers)) < 2:
        return None
    found = list(_readings(numbers))
    return max(found, key=lambda reading: regularity(reading[0])) if found else None


def _readings(numbers: np.ndarray) -> Iterator[tuple[np.ndarray, str]]:
    low, high = int(numbers.min()), int(numbers.max())
    for digits, name in FORMS.items():
        if 10 ** (digits - 1) <= low and high < 10**digits:
            moments = _stamps(numbers, digits)
            if moments is not None:
                yield moments, name
    for unit, size in UNITS.items():
        if FIRST_SECOND * size <= low and high <= LAST_SECOND * size:
            exact = numbers.astype(f"datetime64[{unit}]")
            yield exact.astype("datetime64[us]" if size > 1 else "datetime64[s]"), f"{unit} since 1970"


def _stamps(numbers: np.ndarray, digits: int) -> np.ndarray | None:
    """Digits of a date and perhaps hours and minutes; None where they are none."""
    parts, rest = [], numbers
    for _ in range((digits - 4) // 2):
        parts.append(rest % 100)
        rest = rest // 100
    month, day, hour, minute = [*parts[::-1], *[None] * 4][:4]
    assert month is not None
    good = (rest >= 1900) & (rest <= 2100) & (month >= 1) & (month <= 12)
    if not good.all():
        return None
    months = ((rest - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]")
    if day is not None:
        days = days + (day - 1).astype("timedelta64[D]")
        if not ((day >= 1) & (days.astype("datetime64[M]") == months)).all():
            return None
    seconds = np.zeros(len(numbers), np.int64)
    for part, most, size in ((hour, 23, 3600), (minute, 59, 60)):
        if part is not None:
            if (part > most).any():
                return None
            seconds += part * size
    return days.astype("datetime64[s]") + seconds.astype("timedelta64[s]")


def named_as_time(name: Any) -> bool:
    """Whether a column is called as times are: "Month", "order_date", "Unnamed: 0" (pandas' index).

    Example:
        >>> named_as_time("order_date"), named_as_time("sales"), named_as_time("Unnamed: 0")
        (True, False, True)
    """
    words = str(name).lower().replace("_", " ").replace("-", " ").split()
    return not words or words[-1] in WORDS or str(name).lower().startswith("unnamed: 0")


def runs_evenly(numbers: np.ndarray) -> bool:
    """Whether whole numbers, each counted once, are steps or dates that follow one another with few left out."""
    different = np.unique(numbers)
    if len(different) < LEAST:
        return False
    found = calendar_times(different)
    return evenness(different) >= ENOUGH or (found is not None and regularity(found[0]) >= ENOUGH)


__all__ = ["calendar_times", "named_as_time", "runs_evenly"]
