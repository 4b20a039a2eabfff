"""How a text file is laid out: what separates its cells, which row has the columns' names, and what is above it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from holdfast.data.readers.tables.headers import (
    RECORDS,
    Header,
    check_names,
    said_of_above,
    said_of_names,
    unique_names,
)
from holdfast.data.readers.tables.options import DELIMITERS, TableOptions
from holdfast.errors import InputError

SAMPLE = 1 << 18  # bytes
NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
LONGEST_CELL = 1 << 30


@dataclass(frozen=True)
class Dialect:
    """The layout of a file.

    Attributes:
        delimiter: between cells; None = every line is one cell.
        header: index of the record with the names, from 0; -1 = there is none.
        names: of the columns, unique.
        blank: those of columns that have neither a name nor cells, as separators at the ends of lines make them.
        notes: what was decided, in words.
    """

    delimiter: str | None
    header: int
    names: tuple[str, ...]
    blank: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


def find_dialect(data: bytes, options: TableOptions, name: str, usual: str = ",") -> Dialect:
    """The layout of a text.

    Of `, ; tab |`, the one that divides most of the first 200 records into equally many cells, the row of names among
    them, in this order: more rows alike, then more numbers, then more columns, then the usual one. A text without any
    of them in the row of names has one column. A first line `sep=;`, which Excel writes and reads, decides.

    Args:
        data: UTF-8.
        options: what the user said.
        name: what messages start with.
        usual: what the file's ending promises.

    Raises:
        InputError: nothing in it; no row of names, as far as one can see; no row of the number that the user gave.
    """
    given, skipped = options.delimiter, 0
    if (match := re.match(rb"sep=([,;\t|])\r?\n", data[:8])) and options.delimiter is None:
        given, skipped = match[1].decode(), 1
    count = RECORDS + (options.header or 0)
    layouts = [_Layout.of(data, delimiter, count, skipped, options, name) for delimiter in _candidates(given)]
    dividing = [layout for layout in layouts if layout.header.width > 1 or given is not None]
    best = max(dividing, key=lambda layout: layout.score(usual), default=layouts[-1])
    if best.delimiter is None:
        _check_single(best, layouts, name)
    header, records = best.header, best.records
    titles = records[header.row] if header.row >= 0 else [""] * header.width
    names, below = unique_names(titles), header.rows(records)
    filled = [any(map(str.strip, record)) for record in records]
    blank = [
        place
        for place, title in enumerate(titles)
        if below
        and header.row >= 0
        and not title.strip()
        and not any(cell.strip() for row in below for cell in row[place : place + 1])
    ]
    notes = [f"cells are separated by {NAMES[best.delimiter]}"] if best.delimiter not in (usual, None, given) else []
    if header.row < 0:
        notes.append(f"no names: columns are called {names[0]} ... {names[-1]}")
    else:
        notes += said_of_names(titles, names, blank)
        notes += check_names(titles, name) if options.header is None else []
        notes += said_of_above(filled, header.row)
    return Dialect(best.delimiter, header.row, tuple(names), tuple(names[place] for place in blank), tuple(notes))


@dataclass(frozen=True)
class _Layout:
    """The first records, if one sign divides them.

    Attributes:
        delimiter: the sign; None = none does.
        records: what comes out.
        header: where the names are then.
    """

    delimiter: str | None
    records: list[list[str]]
    header: Header

    @classmethod
    def of(
        cls, data: bytes, delimiter: str | None, count: int, skipped: int, options: TableOptions, name: str
    ) -> _Layout:
        records = sample(data, delimiter, count)
        records[:skipped] = [[]] * skipped
        if not any(any(map(str.strip, record)) for record in records):
            raise InputError(name, "must have a row with the columns' names", "empty rows only, as far as looked at")
        return cls(delimiter, records, Header.of(records, options.header))

    def score(self, usual: str) -> tuple[float, ...]:
        header = self.header
        return header.alike(self.records), header.numbers(self.records), header.width, self.delimiter == usual


def _candidates(given: str | None) -> Sequence[str | None]:
    return (given,) if given is not None else (*DELIMITERS, None)


def _check_single(best: _Layout, layouts: Sequence[_Layout], name: str) -> None:
    """Refuse a first row without separators above rows that are numbers only if something separates them."""
    for other in layouts:
        below = other.header.rows(other.records)
        divided = other.delimiter is not None and below and min(map(len, below)) > 1
        if divided and other.header.numbers(other.records) > 0.5 > best.header.numbers(best.records):
            rule = "must have a row with the columns' names; say --header 0 if it has none"
            first = best.records[best.header.row][0][:40]
            raise InputError(name, rule, f"{first!r} above rows of {len(below[0])} cells")


@contextmanager
def long_cells() -> Iterator[None]:
    """Take cells as long as `LONGEST_CELL`: the csv module has one limit for the whole process, given back here."""
    before = csv.field_size_limit(max(csv.field_size_limit(), LONGEST_CELL))
    try:
        yield
    finally:
        csv.field_size_limit(before)


@long_cells()
def sample(data: bytes, delimiter: str | None, count: int = RECORDS) -> list[list[str]]:
    """The first records of a text; empty lines are records without cells."""
    size = SAMPLE
    while True:
        part = data[:size]
        text = part.decode("utf-8", errors="ignore")
        records = []
        for record in records_of(io.StringIO(text, newline=""), delimiter, strict=False):
            records.append(record)
            if len(records) > count:
                break
        if size >= len(data) or len(records) > 2:
            # The last record may end where the sample does, in the middle of a cell.
            return records[:count] if size >= len(data) else records[:-1]
        size *= 16


def records_of(stream: io.TextIOBase, delimiter: str | None, *, strict: bool = True) -> Any:
    """Records of a text: quotes as RFC 4180 has them. To be iterated over within `long_cells`."""
    if delimiter is None:  # a delimiter that no text has
        return csv.reader(stream, delimiter="\x00", strict=strict)
    return csv.reader(stream, delimiter=delimiter, strict=strict)


__all__ = ["NAMES", "Dialect", "find_dialect", "long_cells", "records_of", "sample"]
