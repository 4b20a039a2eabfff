"""The kind of a column of texts: from what the caller declares, from its cells, and from the other columns.

A column that is declared to be text is left alone. One that must hold numbers or times is read as such, or refused with
the cell that is none. Any other becomes what all of its cells are. Where these leave open what they are (is `2.500` a
thousand times `2.5`? is `03/04/2024` in March?), the other columns of the file are asked; if they do not tell either, a
declared column is refused and any other stays text, with the option that decides it in the message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
import pyarrow.compute as pc

from holdfast.data.readers.tables.asnumbers import as_numbers
from holdfast.data.readers.tables.asnumpy import mask
from holdfast.data.readers.tables.astimes import as_times
from holdfast.data.readers.tables.cells import Cells, Unfit
from holdfast.data.readers.tables.evidence import Evidence
from holdfast.data.readers.tables.numerals import Numerals
from holdfast.data.readers.tables.options import Decimal
from holdfast.data.readers.tables.table import Column, text_column
from holdfast.data.readers.tables.times import Times
from holdfast.errors import InputError

Wanted = Literal["text", "number", "time"]


class Undecided(Protocol):
    """A column that is being read, whatever its cells are."""

    @property
    def is_open(self) -> bool:
        """Whether other columns must be asked."""

    def evidence(self) -> tuple[set[Decimal], set[bool]]:
        """Decimal signs, and orders of day (True) and month, that the column cannot do without."""

    def decide(self, evidence: Evidence) -> tuple[Column, list[str]]:
        """The column, and what is to be said of it."""


class Reading:
    """A column that is being read.

    Args:
        cells: of the column.
        wanted: what the caller declares it to be; None = whatever it is. "time" takes numbers, too (steps).
        path: of the file, for messages.
    """

    def __init__(self, cells: Cells, wanted: Wanted | None, path: str) -> None:
        self.cells, self.wanted = cells, wanted
        self.where = f"{path}, column {cells.name!r}"

    @cached_property
    def numerals(self) -> Numerals:
        """The cells as numbers."""
        return Numerals.of(self.cells.texts, self.cells.known)

    @cached_property
    def times(self) -> Times:
        """The cells as dates."""
        return Times.of(self.cells.texts)

    @cached_property
    def mostly_numbers(self) -> bool:
        """Whether more than half of the first values are numbers: others are not looked at further."""
        return bool(self.cells.known.any()) and bool(Numerals.of(self.cells.sample()).are_numbers.mean() > 0.5)

    @cached_property
    def mostly_times(self) -> bool:
        """Likewise for dates."""
        return bool(self.cells.known.any()) and bool(Times.of(self.cells.sample()).are_times.mean() > 0.5)

    @cached_property
    def all_numbers(self) -> bool:
        """Whether every value is a number under one decimal sign or the other."""
        possible = self.wanted != "text" and self.mostly_numbers
        return possible and bool(self.numerals.are_numbers[self.cells.known].all())

    @cached_property
    def all_times(self) -> bool:
        """Whether every value is a date, with the day or the month first."""
        possible = self.wanted not in ("text", "number") and self.mostly_times
        return possible and bool(self.times.are_times[self.cells.known].all())

    @property
    def is_open(self) -> bool:
        """Whether other columns must be asked."""
        known, options = self.cells.known, self.cells.options
        if self.all_numbers and options.decimal is None:
            return not self.numerals.evidence(known) and len(self.numerals.open(known)) > 0
        if self.all_times and options.day_first is None:
            return not self.times.orders(known) and len(self.times.open(known)) > 0
        return False

    def evidence(self) -> tuple[set[Decimal], set[bool]]:
        """Decimal signs, and orders of day (True) and month, that the column cannot do without."""
        if self.all_numbers:
            return set(self.numerals.evidence(self.cells.known)), set()
        return set(), set(self.times.orders(self.cells.known)) if self.all_times else set()

    def decide(self, evidence: Evidence) -> tuple[Column, list[str]]:
        """The column, and what is to be said of it.

        Raises:
            InputError: declared to be numbers or times, and it is not, or leaves open what its cells are.
        """
        try:
            column, said = self._column(evidence)
        except Unfit as unfit:
            if self.wanted is not None:
                raise InputError(self.where, unfit.rule, unfit.received) from None
            column, said = self._text(), [f"{unfit.note}, so it is read as text"]
        return column, [f"{column.name}: {'; '.join(said)}"] if said else []

    def _column(self, evidence: Evidence) -> tuple[Column, list[str]]:
        cells, wanted = self.cells, self.wanted
        if wanted == "text":
            return self._text(), self._kept_words()
        if not cells.known.any():
            return self._nothing()
        if wanted != "time" and cells.are_in(("true", "false")):
            truths = Column(cells.name, "boolean", mask(pc.equal(cells.lower, "true")), ~cells.known)
            return truths, cells.said_of_words("true or false")
        if wanted == "number" or self.all_numbers:
            return as_numbers(cells, self.numerals, evidence, declared=wanted is not None)
        if wanted == "time" or self.all_times:
            return as_times(cells, self.times, evidence)
        return self._text(), self._nearly()

    def _text(self) -> Column:
        cells = self.cells
        # The usual words are kept in texts: "NA" may be Namibia. Words that the user names are meant for them, too.
        missing = cells.empty | cells.words if cells.options.null and self.wanted is None else cells.empty
        return text_column(cells.name, cells.objects(), missing)

    def _kept_words(self) -> list[str]:
        """Where a text may have been meant to be no value: "NA" is Namibia, or a label that is not known."""
        places = np.flatnonzero(self.cells.words)
        return [f"{self.cells.such(places)} kept as text"] if places.size else []

    def _nothing(self) -> tuple[Column, list[str]]:
        """A column without a value."""
        cells, missing = self.cells, np.ones(len(self.cells.known), bool)
        if self.wanted is None and cells.words.any():
            return self._text(), []
        if self.wanted == "time":
            values = np.full(len(missing), np.datetime64("NaT", "D"))
            return Column(cells.name, "time", values, missing), cells.said_of_words("dates")
        return Column(cells.name, "real", np.full(len(missing), np.nan), missing), cells.said_of_words("numbers")

    def _nearly(self) -> list[str]:
        """Where most values are numbers or dates: those that are none and make the column text."""
        if self.mostly_numbers:
            wrong, what = np.flatnonzero(self.cells.known & ~self.numerals.are_numbers), "numbers"
        elif self.mostly_times:
            wrong, what = np.flatnonzero(self.cells.known & ~self.times.are_times), "dates"
        else:
            return []
        few = 2 * len(wrong) < self.cells.known.sum()
        return [f"{self.cells.are_not(wrong, what)}, so it is read as text"] if few else []


def read_columns(
    readings: Sequence[Undecided],
    others: Callable[[], Iterable[Undecided]],
    *,
    decimals: Iterable[Decimal] = (),
    commas: bool = False,
) -> tuple[list[Column], list[str]]:
    """Columns out of readings; the rest of the file is asked where one of them leaves open what it is.

    Args:
        readings: of the columns that are wanted.
        others: gives those of the rest of the file.
        decimals: signs in columns that are read already.
        commas: whether commas separate the cells.

    Raises:
        InputError: see `Reading.decide`.
    """
    evidence = Evidence(commas=commas)
    if any(reading.is_open for reading in readings):
        signs = set(decimals)
        orders: set[bool] = set()
        for reading in [*readings, *others()]:
            more, firsts = reading.evidence()
            signs |= more
            orders |= firsts
        evidence = Evidence(frozenset(signs), frozenset(orders), commas)
    columns, notes = [], []
    for reading in readings:
        column, said = reading.decide(evidence)
        columns.append(column)
        notes += said
    return columns, notes


__all__ = ["Reading", "Undecided", "Wanted", "read_columns"]
