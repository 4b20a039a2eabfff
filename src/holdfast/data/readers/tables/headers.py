"""Which row of a table has the columns' names, and what the columns are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from holdfast.data.readers.tables.numerals import looks_like_number
from holdfast.errors import InputError

RECORDS = 200  # that are looked at


@dataclass(frozen=True)
class Header:
    """Where the names are among records, if the cells are divided in one way.

    Attributes:
        row: of the names, -1 = none.
        width: number of columns.
    """

    row: int
    width: int

    @classmethod
    def of(cls, records: Sequence[Sequence[str]], given: int | None) -> Header:
        """The row that the user gave, from 1 (0: none), or the first one that is no title.

        A title is a row that has at most half as many cells as the table has columns, and is followed by a row with a
        different text in every column.

        Raises:
            InputError: the row that the user gave is not there, or empty.
        """
        filled = [i for i, record in enumerate(records) if any(map(str.strip, record))]
        width = _usual_width([records[i] for i in filled])
        if given == 0:
            return cls(-1, width)
        if given is not None:
            if given - 1 not in filled:
                found = f"{len(records)} rows" if given > len(records) else f"an empty row {given}"
                raise InputError("--header", "must be the number of the row with the columns' names", found)
            return cls(given - 1, len(records[given - 1]))
        row = next((i for i in filled if not _is_title(records[i], width)), filled[0])
        return cls(row, width) if _is_named(records, filled, row, width) else cls(filled[0], len(records[filled[0]]))

    def rows(self, records: Sequence[Sequence[str]]) -> list[Sequence[str]]:
        """The records below the names, without the empty ones."""
        return [record for record in records[self.row + 1 :] if any(cell.strip() for cell in record)]

    def alike(self, records: Sequence[Sequence[str]]) -> float:
        """The share of rows that have a cell for each name."""
        rows = self.rows(records)
        return sum(len(row) == self.width for row in rows) / len(rows) if rows else 1.0

    def numbers(self, records: Sequence[Sequence[str]]) -> float:
        """The share of cells that are numbers, in the first rows."""
        cells = [cell for row in self.rows(records)[:20] for cell in row if cell.strip()]
        return sum(map(looks_like_number, cells)) / len(cells) if cells else 0.0


def _usual_width(records: Sequence[Sequence[str]]) -> int:
    """The number of cells that most records have; the larger of two that are equally frequent."""
    counts = Counter(len(record) for record in records)
    return max(counts, key=lambda width: (counts[width], width))


def _is_title(record: Sequence[str], width: int) -> bool:
    filled = sum(1 for cell in record if cell.strip())
    return (
        bool(record)
        and bool(record[0].strip())
        and 2 * filled <= width
        and not any(cell.strip() for cell in record[filled:])
    )


def _is_named(records: Sequence[Sequence[str]], filled: Sequence[int], row: int, width: int) -> bool:
    """Whether a row is the row of names below titles: a different text in every column, and something below it."""
    above, below = [i for i in filled if i < row], [i for i in filled if i > row]
    names = [cell.strip() for cell in records[row]]
    if not above:
        return len(names) == width
    if not below or len(names) != width or len(set(names)) < width or any(map(looks_like_number, names)) or "" in names:
        return False
    # Two cells, the second one empty, may as well be a name and a column without one: numbers below tell.
    doubtful = width == 2 and any(len(records[i]) == 2 for i in above)
    return not doubtful or any(map(looks_like_number, records[below[0]]))


def check_names(record: Sequence[str], name: str) -> list[str]:
    """Refuse a first row of numbers, as it may be a row of the table; what is to be said where they may well be names.

    Raises:
        InputError: numbers other than 0, 1, 2, ..., and years.
    """
    cells = [cell.strip() for cell in record if cell.strip()]
    if not all(map(looks_like_number, cells)):
        return []
    shown = ", ".join(cells[:6]) + (", ..." if len(cells) > 6 else "")
    whole = [int(cell) for cell in cells if cell.isascii() and cell.isdigit() and len(cell) < 10]
    steps = len(whole) == len(cells) > 1 and all(b - a == 1 for a, b in pairwise(whole))
    if steps and (whole[0] in (0, 1) or 1800 <= whole[0] <= 2200):
        return [f"the first row ({shown}) is taken for names (--header decides)"]
    rule = "must begin with the columns' names; say --header 0 if it has none, --header 1 if the numbers are names"
    raise InputError(name, rule, shown)


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


__all__ = ["RECORDS", "Header", "check_names", "said_of_above", "said_of_names", "unique_names"]
