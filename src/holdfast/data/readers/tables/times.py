"""Dates and times as people write them: which of two numbers is the day, and what moment each cell is.

`03/04/2024` may be in March or in April. `Times` says of a column whether its cells tell (one is 25/04/2024), as
`numerals` does for decimal signs. Everything is done on whole columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from holdfast.data.readers.tables.asnumpy import strings
from holdfast.data.readers.tables.numerals import prepared

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTH = {name[:length]: i for i, name in enumerate(MONTHS, 1) for length in (3, 4, len(name))}
_CLOCK = (
    r"(?:[T ,]+(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<part>[0-9]{1,9}))?)?"
    r" ?(?P<half>[AaPp]\.?[Mm]\.?)?(?: ?(?P<zone>Z|UTC|GMT|[-+][0-9]{2}:?[0-9]{2}))?)?$"
)
_NAME = r"(?P<name>[A-Za-z]{3,9})\.?"
_YEAR, _MONTH_NUMBER, _DAY = r"(?P<year>[0-9]{4})", r"(?P<month>[0-9]{1,2})", r"(?P<day>[0-9]{1,2})"
NO_TIME = np.datetime64("NaT")
_TH = "(?:st|nd|rd|th)?"
# Year first; two numbers, then the year; names of months, before or behind the day; months and quarters alone.
YEAR_FIRST = rf"^{_YEAR}[-/.]{_MONTH_NUMBER}[-/.]{_DAY}{_CLOCK}"
NUMBERS = rf"^(?P<one>[0-9]{{1,2}})(?P<mark>[-/.])(?P<two>[0-9]{{1,2}})[-/.]{_YEAR}{_CLOCK}"
NAMED = (
    rf"^{_DAY}{_TH}\.?[ -]{_NAME},?[ -]{_YEAR}{_CLOCK}",
    rf"^{_NAME} {_DAY}{_TH},? {_YEAR}{_CLOCK}",
    rf"^{_NAME},?[ -]{_YEAR}$",
)
SHORT_YEAR = rf"^{_NAME},?[ -]'?(?P<short>[0-9]{{2}})$"  # Jan-16, as spreadsheets show January 2016
SHORT = (rf"^{_YEAR}-{_MONTH_NUMBER}$", rf"^{_YEAR}[- ]?[Qq](?P<quarter>[1-4])$")


@dataclass(frozen=True, eq=False)
class Times:
    """What the cells of a column are as dates and times.

    Attributes:
        are_times: which cells are a date, with or without the time of day; where two numbers may each be the day, in
            at least one order.
        one, two: of cells written as two numbers and a year: the numbers; else 0.
        points: which cells are written with points (03.04.2024): the day is first in all countries that do.
        month, day: of the other cells.
        year: of all cells.
        clock: nanoseconds since midnight, less the zone's offset.
        zoned: which cells have a zone.
        timed: which cells have a time of day.
        short: which cells are a month and two digits, taken as the year (00 to 68: 2000 to 2068).
    """

    are_times: np.ndarray
    year: np.ndarray
    month: np.ndarray
    day: np.ndarray
    one: np.ndarray
    two: np.ndarray
    points: np.ndarray
    clock: np.ndarray
    zoned: np.ndarray
    timed: np.ndarray
    short: np.ndarray

    @classmethod
    def of(cls, cells: Any) -> Times:
        """Of an arrow array of texts without nulls, as they are in the file."""
        text = prepared(cells)
        found = _Fields(len(text))
        for pattern in (YEAR_FIRST, NUMBERS, *NAMED, *SHORT, SHORT_YEAR):
            if not found.matched.all():
                found.add(pc.extract_regex(text, pattern))
        return found.times()

    def orders(self, among: np.ndarray) -> dict[bool, int]:
        """For day first (True) and month first (False), the first of the cells that are dates in this order alone."""
        both = among & (self.one > 0) & ~self.points
        first = np.flatnonzero(both & (self.one > 12) & (self.two <= 12))
        second = np.flatnonzero(both & (self.two > 12) & (self.one <= 12))
        return {day: int(f[0]) for day, f in ((True, first), (False, second)) if len(f)}

    def open(self, among: np.ndarray) -> np.ndarray:
        """The cells whose date depends on the order."""
        return np.flatnonzero(
            among & (self.one > 0) & ~self.points & (self.one <= 12) & (self.two <= 12) & (self.one != self.two)
        )

    def values(self, day_first: bool, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The moments, and which cells are some: datetime64, in days if no cell has a time of day, else in
        microseconds (nanoseconds where written); NaT elsewhere."""
        first = np.where(self.points, True, day_first)
        numbers = self.one > 0
        day = np.where(numbers, np.where(first, self.one, self.two), self.day)
        month = np.where(numbers, np.where(first, self.two, self.one), self.month)
        possible = among & self.are_times & (month >= 1) & (month <= 12) & (day >= 1) & (self.year >= 1)
        months = (np.where(possible, self.year, 1970) - 1970) * 12 + np.where(possible, month, 1) - 1
        start = months.astype("datetime64[M]")
        dates = start.astype("datetime64[D]") + (np.where(possible, day, 1) - 1).astype("timedelta64[D]")
        good = possible & (dates.astype("datetime64[M]") == start)  # the 31st of April would be in May
        if not self.timed[among].any():
            dates[~good] = NO_TIME
            return dates, good
        fine = bool((self.clock[among] % 1000).any())
        unit = "ns" if fine else "us"
        if fine:
            good &= (self.year > 1677) & (self.year < 2262)  # what 64 bits of nanoseconds hold
        dates[~good] = 0
        moments = dates.astype(f"datetime64[{unit}]")
        moments += (self.clock // (1 if fine else 1000)).astype(f"timedelta64[{unit}]")
        moments[~good] = NO_TIME
        return moments, good


class _Fields:
    """Years, months and the rest, gathered from one pattern after the other."""

    NUMBERS = ("year", "month", "day", "one", "two", "hour", "minute", "second", "quarter")

    def __init__(self, count: int) -> None:
        self.matched = np.zeros(count, bool)
        self.number = {name: np.zeros(count, np.int64) for name in self.NUMBERS}
        self.nanoseconds = np.zeros(count, np.int64)
        self.offset = np.zeros(count, np.int64)  # of the zone, in minutes
        self.points, self.zoned, self.timed, self.wrong, self.short = (np.zeros(count, bool) for _ in range(5))

    def add(self, parts: Any) -> None:
        """The cells that match a pattern and no earlier one."""
        new = np.asarray(parts.is_valid()) & ~self.matched
        if not new.any():
            return
        self.matched |= new
        text = {name: strings(pc.struct_field(parts, name))[new] for name in parts.type.names}
        for name in (n for n in self.NUMBERS if n in text):
            self.number[name][new] = _integers(text[name])
        if "name" in text:
            self.number["month"][new] = [_MONTH.get(word.lower(), 0) for word in text["name"]]
            if "day" not in text:
                self.number["day"][new] = 1
        elif "day" not in text and "one" not in text:  # a month or a quarter alone
            self.number["day"][new] = 1
            if "quarter" in text:
                self.number["month"][new] = 3 * self.number["quarter"][new] - 2
        if "short" in text:
            digits = _integers(text["short"])
            self.number["year"][new] = digits + np.where(digits < 69, 2000, 1900)
            self.short[new] = True
        if "mark" in text:
            self.points[new] = text["mark"] == "."
        if "hour" in text:
            self._clock(new, text)

    def _clock(self, new: np.ndarray, text: dict[str, np.ndarray]) -> None:
        self.timed[new] = text["hour"] != ""
        self.nanoseconds[new] = _integers(np.array([word.ljust(9, "0") if word else "0" for word in text["part"]]))
        half = np.array([word[:1].lower() for word in text["half"]])
        hour = self.number["hour"][new]
        self.wrong[new] |= (half != "") & ((hour < 1) | (hour > 12))
        self.number["hour"][new] = np.where(half == "", hour, hour % 12 + 12 * (half == "p"))
        zones = {word: _minutes(word) for word in set(text["zone"].tolist())}
        self.zoned[new] = text["zone"] != ""
        self.offset[new] = [zones[word] for word in text["zone"].tolist()]

    def times(self) -> Times:
        n = self.number
        wrong = self.wrong | (n["hour"] > 23) | (n["minute"] > 59) | (n["second"] > 59) | (abs(self.offset) >= 1440)
        numbers = n["one"] > 0
        day = np.where(numbers, np.minimum(n["one"], n["two"]), n["month"])
        wrong |= (day < 1) | (day > 12) | (np.where(numbers, np.maximum(n["one"], n["two"]), n["day"]) > 31)
        seconds = (n["hour"] * 60 + n["minute"] - self.offset) * 60 + n["second"]
        return Times(
            self.matched & ~wrong,
            n["year"],
            n["month"],
            n["day"],
            n["one"],
            n["two"],
            self.points,
            seconds * 1_000_000_000 + self.nanoseconds,
            self.zoned,
            self.timed,
            self.short,
        )


def _minutes(zone: str) -> int:
    if zone[:1] not in ("+", "-"):
        return 0  # none, or UTC
    digits = zone[1:].replace(":", "")
    return int(zone[0] + "1") * (60 * int(digits[:2]) + int(digits[2:]))


def _integers(text: np.ndarray) -> np.ndarray:
    return np.array([int(word) if word else 0 for word in text.tolist()], np.int64)


__all__ = ["MONTHS", "Times"]
