"""A text divided into cells: by arrow where its lines are regular, by the exact reader where they are not.

Both give the same cells. A row without anything in it is left out (of a single column: is a cell without a value), a
short one is filled up and said, a long one is refused: its cells stand in the wrong columns.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from holdfast.data.readers.tables.asnumpy import mask
from holdfast.data.readers.tables.dialects import Dialect, long_cells, records_of
from holdfast.errors import InputError

BLOCK = 1 << 22  # bytes that arrow divides at a time
PIECE = 1 << 17
ALONE = "\x1f"  # what arrow is told to divide cells by where nothing does
RECORDS = 50_000  # that the exact reader gathers at a time
NEWLINE, RETURN, QUOTE = 10, 13, 34
TEXT = pa.large_string()


@dataclass(frozen=True, eq=False)
class Split:
    """Cells of a text.

    Attributes:
        columns: one chunked arrow array per name of the dialect.
        rows: (N,) numbers of the rows in the file, from 1.
        notes: what was found, in words.
    """

    columns: tuple[Any, ...]
    rows: np.ndarray
    notes: tuple[str, ...] = ()


def split(data: bytes, dialect: Dialect, name: str) -> Split:
    """The cells of a text, as they are written.

    Args:
        data: UTF-8.
        dialect: its layout.
        name: what messages start with.

    Raises:
        InputError: quotes that do not close, rows longer than the row of names.
    """
    body = regular_body(data, dialect)
    if body is not None:
        found = split_by_arrow(body, dialect, [TEXT] * len(dialect.names))
        if found is not None:
            return without_empty_rows(found)
    return split_exactly(data, dialect, name)


# --------------------------------------------------------------------------------------------------------------- arrow
@dataclass(frozen=True, eq=False)
class Body:
    """The rows below the names of a text that arrow divides as the exact reader does.

    Attributes:
        characters: uint8, up to the last character that ends no line.
        quoted: whether there are quotes among them.
    """

    characters: np.ndarray
    quoted: bool


def regular_body(data: bytes, dialect: Dialect) -> Body | None:
    """What follows the names, if arrow divides it as the exact reader does; else None.

    Arrow passes over empty lines, so that rows could not be numbered, and takes a quote that is opened inside a cell,
    or never closed, for part of the text.
    """
    start, end = _offset(data, dialect), len(data)
    while end > start and data[end - 1] in (NEWLINE, RETURN):
        end -= 1
    if start >= end or (dialect.delimiter is None and ALONE.encode() in data):
        return None
    characters = np.frombuffer(data, np.uint8)[start:end]
    returns = data.find(b"\r", start, end) >= 0
    if returns and data.count(b"\r", start) != data.count(b"\r\n", start):
        return None  # returns alone end lines, as on old computers
    if characters[0] in (NEWLINE, RETURN) or _stand_together(characters, NEWLINE, NEWLINE):
        return None
    if returns and _stand_together(characters, NEWLINE, RETURN):
        return None
    quoted = data.find(b'"', start, end) >= 0
    return Body(characters, quoted) if not quoted or _quotes_alternate(characters, dialect.delimiter or ALONE) else None


def _stand_together(characters: np.ndarray, one: int, two: int) -> bool:
    """Whether one character follows another anywhere; in pieces that fit into a processor's cache."""
    pieces = (characters[at : at + PIECE + 1] for at in range(0, len(characters), PIECE))
    return any(bool(((piece[:-1] == one) & (piece[1:] == two)).any()) for piece in pieces)


def _quotes_alternate(characters: np.ndarray, delimiter: str) -> bool:
    """Whether quotes open where a cell begins and close where it ends, or stand doubled within one."""
    places = np.flatnonzero(characters == QUOTE)
    if len(places) % 2:
        return False
    edges = np.zeros(256, bool)
    edges[[NEWLINE, RETURN, QUOTE, ord(delimiter)]] = True
    opening, closing = places[0::2], places[1::2]
    if opening[0] == 0:
        opening = opening[1:]
    if closing[-1] == len(characters) - 1:
        closing = closing[:-1]
    return bool(edges[characters[opening - 1]].all() and edges[characters[closing + 1]].all())


def split_by_arrow(body: Body, dialect: Dialect, types: Sequence[Any], decimal: str = ".") -> Split | None:
    """The cells of a regular text as columns of the given types; None where a row or a cell does not fit."""
    names = [str(place) for place in range(len(dialect.names))]
    try:
        table = arrow_csv.read_csv(
            pa.py_buffer(body.characters),
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=BLOCK),
            parse_options=arrow_csv.ParseOptions(
                delimiter=dialect.delimiter or ALONE, newlines_in_values=body.quoted, ignore_empty_lines=True
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict(zip(names, types, strict=True)),
                null_values=[""],
                strings_can_be_null=False,
                quoted_strings_can_be_null=True,
                decimal_point=decimal,
                check_utf8=False,  # it is known to be UTF-8
            ),
        )
    except pa.ArrowInvalid:
        return None
    rows = np.arange(table.num_rows) + dialect.header + 2
    return Split(tuple(table.columns), rows)


@long_cells()
def _offset(data: bytes, dialect: Dialect) -> int:
    """Where the first row after the names begins."""
    if dialect.header < 0:
        return 0
    reader = records_of(io.TextIOWrapper(io.BytesIO(data), "utf-8", newline=""), dialect.delimiter, strict=False)
    for _ in range(dialect.header + 1):
        next(reader)
    offset = 0
    for _ in range(reader.line_num):
        found = data.find(b"\n", offset)
        if found < 0:
            return len(data)
        offset = found + 1
    return offset


def without_empty_rows(found: Split) -> Split:
    """Without the rows that have no value in any column."""
    empty = np.ones(len(found.rows), bool)
    for column in found.columns:
        text = pa.types.is_large_string(column.type)
        empty &= mask(pc.equal(pc.utf8_trim_whitespace(column), "")) if text else mask(column.is_null())
        if not empty.any():
            return found
    if len(found.columns) == 1:
        return found  # a column alone: its empty cells are values that are missing
    keep = pa.array(~empty)
    notes = [_said_of_empty(found.rows[empty])]
    return Split(tuple(c.filter(keep) for c in found.columns), found.rows[~empty], (*found.notes, *notes))


def _said_of_empty(rows: Sequence[int] | np.ndarray) -> str:
    return f"row {rows[0]} is empty and left out" + (f" ({len(rows):,} such rows)" if len(rows) > 1 else "")


# --------------------------------------------------------------------------------------------------------------- exact
@long_cells()
def split_exactly(data: bytes, dialect: Dialect, name: str) -> Split:
    """The cells of any text, one record after the other."""
    reader = records_of(io.TextIOWrapper(io.BytesIO(data), "utf-8", newline=""), dialect.delimiter)
    rows = _Rows(dialect, name)
    number = 0
    try:
        for number, record in enumerate(reader, 1):
            if number > dialect.header + 1:
                rows.add(number, record)
    except csv.Error as error:
        rule = "must have quotes only around whole cells, doubled within them"
        raise InputError(
            name, rule, f"row {number + 1}, which begins or ends in line {reader.line_num} ({error})"
        ) from None
    return rows.split()


class _Rows:
    """Records gathered into columns, some thousands at a time."""

    def __init__(self, dialect: Dialect, name: str) -> None:
        self._width, self._name = len(dialect.names), name
        self._records: list[list[str]] = []
        self._parts: list[list[Any]] = []
        self._numbers: list[int] = []
        self._short: list[tuple[int, int]] = []
        self._long: list[tuple[int, int]] = []
        self._empty: list[int] = []
        self._lines: list[int] = []

    def add(self, number: int, record: list[str]) -> None:
        width = self._width
        if width == 1 and not record:
            self._lines.append(number)
            return
        for line in self._lines:  # empty lines of a single column, which are not the last ones
            self._append(line, [""])
        self._lines = []
        if width > 1 and not any(map(str.strip, record)):
            self._empty.append(number)
            return
        if len(record) < width:
            self._short.append((number, len(record)))
            record = record + [""] * (width - len(record))
        elif len(record) > width:
            if any(map(str.strip, record[width:])):
                self._long.append((number, len(record)))
                return
            record = record[:width]
        self._append(number, record)

    def _append(self, number: int, record: list[str]) -> None:
        self._numbers.append(number)
        self._records.append(record)
        if len(self._records) >= RECORDS:
            self._flush()

    def _flush(self) -> None:
        self._parts.append([pa.array(cells, TEXT) for cells in zip(*self._records, strict=True)])
        self._records = []

    def split(self) -> Split:
        width = self._width
        if self._long:
            number, cells = self._long[0]
            more = f" ({len(self._long):,} such rows)" if len(self._long) > 1 else ""
            rule = (
                f"must have at most {width} cells in a row, as many as names; quotes go around a cell with a separator"
            )
            raise InputError(self._name, rule, f"{cells} in row {number}{more}")
        if self._records:
            self._flush()
        columns = [pa.chunked_array([part[i] for part in self._parts], TEXT) for i in range(width)]
        notes = []
        if self._short:
            number, cells = self._short[0]
            more = f" ({len(self._short):,} such rows)" if len(self._short) > 1 else ""
            notes.append(f"row {number} has {cells} of {width} cells, the others are no value{more}")
        rows = np.array(self._numbers, np.int64)
        # Trailing empty rows say nothing of the table.
        inner = [row for row in self._empty if len(rows) and row < rows[-1]]
        notes += [_said_of_empty(inner)] if inner else []
        return Split(tuple(columns), rows, tuple(notes))


__all__ = [
    "PIECE",
    "TEXT",
    "Body",
    "Split",
    "regular_body",
    "split",
    "split_by_arrow",
    "split_exactly",
    "without_empty_rows",
]
