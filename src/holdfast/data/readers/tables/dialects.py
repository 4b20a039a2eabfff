"""How a text file is laid out: what separates its cells, which row has the columns' names, and what is above it."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from holdfast.data.readers.tables.numerals import looks_like_number
from holdfast.data.readers.tables.options import DELIMITERS, TableOptions
from holdfast.errors import InputError

SAMPLE = 1 << 18  # bytes
RECORDS = 200
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
    of them in the row of names has one column.

    Rows above the names are passed over and said: rows with at most half as many cells as the table has columns, before
    a row with a text in every column.

    Args:
        data: UTF-8.
        options: what the user said.
        name: what messages start with.
        usual: what the file's ending promises.

    Raises:
        InputError: nothing in it; no row of names, as far as one can see; no row of the number that the user gave.
    """
    best: tuple[tuple[float, ...], str | None, list[list[str]], Header] | None = None
    candidates: Sequence[str | None] = (*DELIMITERS, None) if options.delimiter is None else (options.delimiter,)
    for delimiter in candidates:
        records = sample(data, delimiter)
        if not any(any(cell.strip() for cell in record) for record in records):
            raise InputError(name, "must have a row with the columns' names", "only empty rows")
        header = Header.of(records, options)
        if header.width < 2 and delimiter is not None and options.delimiter is None:
            continue  # it does not divide the names
        if best is not None and delimiter is None:
            continue  # only where nothing divides them
        score = (header.alike(records), header.numbers(records), header.width, delimiter == usual)
        if best is None or score > best[0]:
            best = score, delimiter, records, header
    assert best is not None  # a text is divided by one of them, or has one column
    _, delimiter, records, header = best
    if options.header is None:
        check_names(records[header.row], name)
    given = records[header.row] if header.row >= 0 else [""] * header.width
    names = unique_names(given)
    below = header.rows(records)
    blank = [
        place
        for place, title in enumerate(given)
        if header.row >= 0 and below and not title.strip() and not any(row[place : place + 1] > [""] for row in below)
    ]
    notes = said_of_names(given, names, blank)
    if delimiter not in (usual, None) and options.delimiter is None:
        notes.insert(0, f"cells are separated by {NAMES[str(delimiter)]}")
    if header.row < 0:
        notes = [f"no names: columns are called {names[0]} ... {names[-1]}"]
    notes += said_of_above([any(map(str.strip, record)) for record in records], header.row)
    return Dialect(delimiter, header.row, tuple(names), tuple(names[place] for place in blank), tuple(notes))


def sample(data: bytes, delimiter: str | None) -> list[list[str]]:
    """The first records of a text; empty lines are records without cells."""
    size = SAMPLE
    while True:
        part = data[:size]
        text = part.decode("utf-8", errors="ignore")
        records = []
        for record in records_of(io.StringIO(text, newline=""), delimiter, strict=False):
            records.append(record)
            if len(records) > RECORDS:
                break
        if size >= len(data) or len(records) > 2:
            # The last record may end where the sample does, in the middle of a cell.
            return records[:RECORDS] if size >= len(data) else records[:-1]
        size *= 16


def records_of(stream: io.TextIOBase, delimiter: str | None, *, strict: bool = True) -> Any:
    """Records of a text: quotes as RFC 4180 has them."""
    if csv.field_size_limit() < LONGEST_CELL:
        csv.field_size_limit(LONGEST_CELL)
    if delimiter is None:  # a delimiter that no text has
        return csv.reader(stream, delimiter="\x00", strict=strict)
    return csv.reader(stream, delimiter=delimiter, strict=strict)


@dataclass(frozen=True)
class Header:
    """Where the names are, if the cells are divided in one way.

    Attributes:
        row: of the names, -1 = none.
        width: number of columns.
    """

    row: int
    width: int

    @classmethod
    def of(cls, records: list[list[str]], options: TableOptions) -> Header:
        filled = [i for i, record in enumerate(records) if any(cell.strip() for cell in record)]
        if options.header == 0:
            return cls(-1, _usual_width([records[i] for i in filled]))
        if options.header is not None:
            row = options.header - 1
            if row not in filled:
                found = f"{len(records)} rows" if row >= len(records) else "an empty row"
                raise InputError("--header", "must be the number of the row with the columns' names", found)
            return cls(row, len(records[row]))
        return cls._found(records, filled)

    @classmethod
    def _found(cls, records: list[list[str]], filled: list[int]) -> Header:
        width = _usual_width([records[i] for i in filled])
        first = filled[0]
        for place, row in enumerate(filled):
            record = records[row]
            if _is_title(record, width):
                continue
            later = [records[i] for i in filled[place + 1 :]]
            titled = place > 0 and len(record) == width and _could_be_names(record) and bool(later)
            # Two cells, the second one empty, may as well be a name and a column without one: numbers below tell.
            if titled and width == 2 and any(len(records[i]) == 2 for i in filled[:place]):
                titled = any(looks_like_number(cell) for cell in later[0])
            return cls(row if titled else first, len(records[row if titled else first]))
        return cls(first, len(records[first]))

    def rows(self, records: list[list[str]]) -> list[list[str]]:
        return [record for record in records[self.row + 1 :] if any(cell.strip() for cell in record)]

    def alike(self, records: list[list[str]]) -> float:
        """The share of rows that have a cell for each name."""
        rows = self.rows(records)
        return sum(len(row) == self.width for row in rows) / len(rows) if rows else 1.0

    def numbers(self, records: list[list[str]]) -> float:
        """The share of cells that are numbers, in the first rows."""
        cells = [cell for row in self.rows(records)[:20] for cell in row if cell.strip()]
        return sum(map(looks_like_number, cells)) / len(cells) if cells else 0.0


def _usual_width(records: list[list[str]]) -> int:
    """The number of cells that most records have; the larger of two that are equally frequent."""
    counts = Counter(len(record) for record in records)
    return max(counts, key=lambda width: (counts[width], width))


def _is_title(record: list[str], width: int) -> bool:
    filled = sum(1 for cell in record if cell.strip())
    return (
        bool(record)
        and bool(record[0].strip())
        and 2 * filled <= width
        and not any(cell.strip() for cell in record[filled:])
    )


def _could_be_names(record: list[str]) -> bool:
    return all(cell.strip() and not looks_like_number(cell) for cell in record) and len(set(record)) == len(record)


def check_names(record: list[str], name: str) -> None:
    """Refuse a first row of numbers: it may be a row of the table. 0, 1, 2, ... and years may well be names."""
    cells = [cell.strip() for cell in record if cell.strip()]
    if not all(map(looks_like_number, cells)):
        return
    whole = [int(cell) for cell in cells if cell.isascii() and cell.isdigit() and len(cell) < 10]
    steps = len(whole) == len(cells) > 1 and all(b - a == 1 for a, b in pairwise(whole))
    if steps and (whole[0] in (0, 1) or 1800 <= whole[0] <= 2200):
        return
    rule = "must begin with the columns' names; say --header 0 if it has none, --header 1 if the numbers are names"
    raise InputError(name, rule, ", ".join(cells[:6]) + (", ..." if len(cells) > 6 else ""))


def unique_names(given: Sequence[str]) -> list[str]:
    """Names without blanks around, none empty and none twice. Of those that are the same, none keeps the name, so that
    nobody who asks for it gets one of them unawares.

    Example:
        >>> unique_names(["a", " b ", "a", ""])
        ['a_1', 'b', 'a_2', 'column_4']
    """
    stripped = [name.strip() for name in given]
    counts = Counter(stripped)
    taken, names = set(stripped), []
    numbers: Counter[str] = Counter()
    for place, base in enumerate(stripped, 1):
        name = base
        if not base:
            name = f"column_{place}"
            while name in taken:
                name += "_"
        elif counts[base] > 1:
            while name in taken:
                numbers[base] += 1
                name = f"{base}_{numbers[base]}"
        taken.add(name)
        names.append(name)
    return names


def said_of_above(filled: Sequence[bool], header: int) -> list[str]:
    """Which rows are passed over, in words.

    Args:
        filled: whether there is anything in a row, of all up to the header.
        header: index of the row with the names.
    """
    above = [number for number, row in enumerate(filled[: max(header, 0)], 1) if row]
    if not above:
        return []
    rows = f"rows {above[0]} to {above[-1]} are" if len(above) > 1 else f"row {above[0]} is"
    return [f"{rows} above the names, which are in row {header + 1} (--header decides)"]


def said_of_names(given: Sequence[str], names: Sequence[str], blank: Sequence[int] = ()) -> list[str]:
    """What was changed about names, in words.

    Args:
        given: as in the file.
        names: from `unique_names`.
        blank: indices of columns without name and cells.
    """
    called: dict[str, list[str]] = {}
    for place, (base, name) in enumerate(zip(given, names, strict=True)):
        if place not in blank:
            called.setdefault(base.strip(), []).append(name)
    empty = called.pop("", [])
    notes = [
        f"{base!r} is the name of {len(found)} columns, called {', '.join(found[:5])}"
        for base, found in called.items()
        if len(found) > 1
    ]
    if empty:
        notes.append(
            f"{len(empty)} columns have no names and are called {empty[0]} ... {empty[-1]}"
            if len(empty) > 1
            else f"a column without a name is called {empty[0]}"
        )
    return notes


__all__ = [
    "NAMES",
    "Dialect",
    "find_dialect",
    "records_of",
    "said_of_above",
    "said_of_names",
    "sample",
    "unique_names",
]
