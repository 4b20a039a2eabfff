"""The short way: columns that are plain numbers, read as such by arrow at once, without texts in between.

What the first rows promise is checked for all others: a cell that is no number, a name such as 007 among the numbers, a
word for infinity or one beyond the largest double send the file the long way, which gives the same for plain numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from holdfast.data.readers.tables.asnumpy import array, mask
from holdfast.data.readers.tables.columns import Wanted
from holdfast.data.readers.tables.dialects import Dialect
from holdfast.data.readers.tables.numerals import VALID
from holdfast.data.readers.tables.options import Decimal, TableOptions
from holdfast.data.readers.tables.splitting import ALONE, PIECE, TEXT, Body, Split, split_by_arrow, without_empty_rows
from holdfast.data.readers.tables.table import Column

WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
REAL: dict[Decimal, re.Pattern[str]] = {
    sign: re.compile(rf"-?(?:0|[1-9][0-9]*)(?:{re.escape(sign)}[0-9]+)?(?:[eE][-+]?[0-9]{{1,3}})?") for sign in VALID
}


@dataclass(frozen=True)
class Plan:
    """How a file is read the short way.

    Attributes:
        types: arrow's type of each column: int64, float64 or text.
        decimal: sign in all columns of float64.
    """

    types: tuple[Any, ...]
    decimal: Decimal


def plan(
    records: Sequence[Sequence[str]], dialect: Dialect, kinds: Mapping[str, Wanted], options: TableOptions
) -> Plan | None:
    """What the first cells of each column promise; None if no column is one of plain numbers.

    Every column of reals must have a cell that tells its decimal sign, and all of them the same.
    """
    if options.null is not None:
        return None  # a number may be such a word
    columns = [[r[i].strip() for r in records if i < len(r) and r[i].strip()] for i in range(len(dialect.names))]
    plans = []
    for decimal in VALID if options.decimal is None else (options.decimal,):
        kinds_of = zip(dialect.names, columns, strict=True)
        plans.append(Plan(tuple(_type(cells, kinds.get(name), decimal) for name, cells in kinds_of), decimal))
    for wanted in (pa.float64(), pa.int64()):
        for found in plans:
            if wanted in found.types and found.decimal != dialect.delimiter:
                return found
    return None


def _type(cells: Sequence[str], wanted: Wanted | None, decimal: Decimal) -> Any:
    if wanted == "text" or not cells:
        return TEXT
    if all(map(WHOLE.fullmatch, cells)):
        return pa.int64()
    if wanted != "time" and all(map(REAL[decimal].fullmatch, cells)):
        other = VALID["," if decimal == "." else "."]
        return pa.float64() if any(decimal in cell and not re.match(other, cell) for cell in cells) else TEXT
    return TEXT


def split_plain(body: Body, dialect: Dialect, planned: Plan) -> Split | None:
    """The cells as columns of the types that are planned, if all are plain numbers; else None."""
    if _zeros_lead(body.characters, dialect.delimiter or ALONE):
        return None
    found = split_by_arrow(body, dialect, planned.types, planned.decimal)
    if found is None:
        return None
    for column, kind in zip(found.columns, planned.types, strict=True):
        if kind == pa.float64() and not _finite(column):
            return None
    return without_empty_rows(found)


def _finite(column: Any) -> bool:
    """Whether there is neither a word for infinity or no number nor a number beyond the largest double."""
    return all(np.isfinite(array(chunk.drop_null())).all() for chunk in column.chunks)


def _zeros_lead(characters: np.ndarray, delimiter: str) -> bool:
    """Whether a cell may begin with 0 and another digit, or be hexadecimal, which arrow takes for numbers."""
    for start in range(0, len(characters) - 1, PIECE):
        piece = characters[max(start - 1, 0) : start + PIECE + 1]
        if start == 0:
            piece = np.concatenate([np.array([10], np.uint8), piece])  # the text begins as a line does
        # Cells begin after line ends, blanks, quotes, signs and commas, all of which are below the point.
        found = (piece[:-2] < 46) | (piece[:-2] == ord(delimiter)) if ord(delimiter) > 46 else piece[:-2] < 46
        found &= piece[1:-1] == 48
        found &= piece[2:] >= 48  # most zeros are followed by a point or an end: this leaves few to look at
        if found.any():
            for place in np.flatnonzero(found) + start:
                if _is_number_with_zero(characters, int(place), delimiter):
                    return True
    return False


def _is_number_with_zero(characters: np.ndarray, place: int, delimiter: str) -> bool:
    """Whether the 0 at a place may begin a cell that is a number."""
    before = bytes(characters[max(place - 8, 0) : place])
    cell = before.rstrip(b" +-")
    if cell and cell[-1:] not in (b"\n", b"\r", b'"', delimiter.encode()):
        return False  # 1e-05, 2024-05-01 or 2024-05-01 07:00
    # 05:00 and 01/02/2024 are no numbers in any case.
    after = bytes(characters[place + 1 : place + 3])
    return after[:1] in b"0123456789xX" and after[1:] not in (b":", b"/")


def plain_column(name: str, cells: Any) -> Column:
    """A column that arrow has read as numbers."""
    missing = mask(cells.is_null())
    whole = pa.types.is_int64(cells.type)
    values = array(cells.fill_null(0) if whole and missing.any() else cells)
    return Column(name, "integer" if whole else "real", values, missing)


__all__ = ["Plan", "plain_column", "plan", "split_plain"]
