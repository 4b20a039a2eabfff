"""Steps that are no fixed time and that pandas has no name for: a day of the month, the working days of a calendar.

Dates are datetime64[D]; places count from the origin, which is a step itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from holdfast.data.readers.tables.regularity import regularity

OPEN = 0.9  # of the days of a working calendar that are there at least; fewer are gaps
FEW_DAYS, FEW_MONTHS = 20, 3


@dataclass(frozen=True)
class MonthDays:
    """One day of every n-th month; of shorter months the last.

    Attributes:
        months: n.
        day: 1 to 31.
    """

    months: int
    day: int

    def places(self, days: np.ndarray, origin: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
        """(places (N,) int64, whether each day is a step (N,) bool)."""
        later = (days.astype("datetime64[M]") - origin.astype("datetime64[M]")).astype(np.int64)
        places = later // self.months
        return places, (later % self.months == 0) & (self.days(places, origin) == days)

    def days(self, places: np.ndarray, origin: np.datetime64) -> np.ndarray:
        """The days of places."""
        months = origin.astype("datetime64[M]") + (np.asarray(places, np.int64) * self.months).astype("timedelta64[M]")
        first = months.astype("datetime64[D]")
        length = ((months + 1).astype("datetime64[D]") - first).astype(np.int64)
        return first + (np.minimum(self.day, length) - 1).astype("timedelta64[D]")

    def __str__(self) -> str:
        return f"month, day {self.day}" if self.months == 1 else f"{self.months} months, day {self.day}"


@dataclass(frozen=True)
class WorkingDays:
    """The weekdays on which something is open, without holidays.

    Attributes:
        week: seven of 0 and 1, Monday first.
        holidays: days since 1970 that are no steps, ascending.
    """

    week: str
    holidays: tuple[int, ...] = ()

    @property
    def _closed(self) -> np.ndarray:
        return np.array(self.holidays, np.int64).astype("datetime64[D]")

    def places(self, days: np.ndarray, origin: np.datetime64) -> tuple[np.ndarray, np.ndarray]:
        """(places (N,) int64, whether each day is a step (N,) bool)."""
        places = np.busday_count(origin, days, weekmask=self.week, holidays=self._closed)
        return places, np.is_busday(days, weekmask=self.week, holidays=self._closed)

    def days(self, places: np.ndarray, origin: np.datetime64) -> np.ndarray:
        """The days of places."""
        wanted = np.asarray(places, np.int64)
        return np.busday_offset(origin, wanted, "forward", weekmask=self.week, holidays=self._closed)

    def __str__(self) -> str:
        return "B" if self.week == "1111100" else f"{self.week.count('1')} days a week"


def find_month_days(days: np.ndarray) -> MonthDays | None:
    """The day of the month that all of some days are on, unless pandas has a name for it (the first, the last).

    Args:
        days: (N,) datetime64[D], different and ascending.

    Example:
        >>> find_month_days(np.array(["2024-01-31", "2024-02-29", "2024-03-30"], "datetime64[D]"))
        >>> find_month_days(np.array(["2024-01-30", "2024-02-29", "2024-03-30"], "datetime64[D]"))
        MonthDays(months=1, day=30)
    """
    months = days.astype("datetime64[M]")
    steps, counts = np.unique(np.diff(months).astype(np.int64), return_counts=True)
    if len(days) < FEW_MONTHS or steps[0] < 1:
        return None
    of_month = (days - months.astype("datetime64[D]")).astype(np.int64) + 1
    found = MonthDays(int(steps[counts.argmax()]), int(of_month.max()))
    length = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
    named = found.day == 1 or (of_month == length).all()
    return found if found.places(days, days[0])[1].all() and not named else None


def find_working_days(days: np.ndarray) -> WorkingDays | None:
    """The weekdays that days are on, with the few of them that are missing as holidays; None where it is no such week.

    Args:
        days: (N,) datetime64[D], different and ascending; of all series together.

    Example:
        >>> week = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")
        >>> open_ = week[np.is_busday(week) & (week != np.datetime64("2024-01-10"))]
        >>> found = find_working_days(open_)
        >>> found.week, len(found.holidays)
        ('1111100', 1)
    """
    if len(days) < FEW_DAYS or regularity(days) > OPEN:
        return None
    weekday = (days.astype(np.int64) + 3) % 7  # 1970 began on a Thursday
    week = "".join("1" if count else "0" for count in np.bincount(weekday, minlength=7))
    span = np.arange(days[0], days[-1] + 1)
    expected = span[np.is_busday(span, weekmask=week)]
    if week == "1111111" or len(days) < OPEN * len(expected):
        return None
    return WorkingDays(week, tuple(np.setdiff1d(expected, days).astype(np.int64).tolist()))


__all__ = ["MonthDays", "WorkingDays", "find_month_days", "find_working_days"]
