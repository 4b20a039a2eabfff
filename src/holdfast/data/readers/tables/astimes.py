"""A column of texts as dates and times: days and months in one order, zones throughout or nowhere."""

from __future__ import annotations

import numpy as np

from holdfast.data.readers.tables.cells import Cells, Unfit
from holdfast.data.readers.tables.evidence import Evidence
from holdfast.data.readers.tables.regularity import ENOUGH, clearly_first, regularity
from holdfast.data.readers.tables.table import Column
from holdfast.data.readers.tables.times import Times

NAMES = {True: "day first", False: "month first"}
OPTIONS = {True: "--day-first", False: "--month-first"}


def as_times(cells: Cells, times: Times, evidence: Evidence) -> tuple[Column, list[str]]:
    """The column as datetime64, and what is to be said of it.

    Args:
        cells: of the column.
        times: what they are as dates and times.
        evidence: of the file, for a column that does not tell which number is the day.

    Raises:
        Unfit: cells that are no dates, or leave open which ones they are.
    """
    known = cells.known
    wrong = np.flatnonzero(known & ~times.are_times)
    if wrong.size:
        raise Unfit("must hold dates (years of four digits), with or without the time of day", cells.such(wrong))
    zoned, count = int((times.zoned & known).sum()), int(known.sum())
    if 0 < zoned < count:
        counts = f"{zoned:,} cells with and {count - zoned:,} without a time zone"
        raise Unfit("must have a time zone throughout, or nowhere", counts)
    day_first, why = day_order(cells, times, evidence)
    values, good = times.values(day_first, known)
    if (impossible := np.flatnonzero(known & ~good)).size:
        raise Unfit("must hold dates that there are", cells.such(impossible), f"no date: {cells.such(impossible)}")
    said = [*why, *_short_years(cells, times, values)]
    if (times.points & known).any():
        said.append("dates with points, day first")
    if zoned:
        said.append("times with an offset, brought to UTC")
    return Column(cells.name, "time", values, ~known, "UTC" if zoned else ""), [*said, *cells.said_of_words("dates")]


def day_order(cells: Cells, times: Times, evidence: Evidence) -> tuple[bool, list[str]]:
    """Whether the day comes first, and why.

    Raises:
        Unfit: both orders in one column, or nothing that tells.
    """
    given, found = cells.options.day_first, times.orders(cells.known)
    if given is not None:
        if (not given) in found:
            rule = f"must hold dates with the {NAMES[given]}, as {OPTIONS[given]} says"
            raise Unfit(rule, cells.one(found[not given]))
        return given, []
    if len(found) == 2:
        both = f"{cells.one(found[True])} and {cells.one(found[False])}"
        raise Unfit("must have days and months in one order", both, f"days and months in both orders ({both})")
    if found:
        order, place = next(iter(found.items()))
        return order, [f"{NAMES[order]}, as {cells.one(place)} tells"]
    left = times.open(cells.known)
    if not len(left):
        return True, []
    if len(evidence.orders) == 1:
        order = next(iter(evidence.orders))
        return order, [f"{NAMES[order]}, as other columns tell"]
    regular = {order: regularity(_there(*times.values(order, cells.known))) for order in (True, False)}
    for order in (True, False):
        if clearly_first(regular[order], regular[not order]):
            return order, [
                f"{NAMES[order]}, as only then dates are evenly spaced ({OPTIONS[not order]} says otherwise)"
            ]
    raise Unfit(
        "must tell whether the day or the month comes first; say --day-first or --month-first",
        f"{cells.such(left)}, and nothing in the file that tells",
        f"nothing tells whether day or month comes first in {cells.one(left[0])} (--day-first or --month-first)",
    )


def _there(values: np.ndarray, good: np.ndarray) -> np.ndarray:
    return values[good]


def _short_years(cells: Cells, times: Times, values: np.ndarray) -> list[str]:
    """What is said of years of two digits.

    Raises:
        Unfit: they may as well be days: as years, they do not give months one after the other.
    """
    short = np.flatnonzero(times.short & cells.known)
    if not short.size:
        return []
    if regularity(values[cells.known]) < ENOUGH:
        rule = "must hold years of four digits: months with years of two do not follow one another here"
        raise Unfit(rule, cells.such(short), f"{cells.such(short)} may be a day or a year")
    return [f"{cells.one(short[0])} is {values[short[0]].astype('datetime64[M]')}: two digits are the year"]


__all__ = ["as_times", "day_order"]
