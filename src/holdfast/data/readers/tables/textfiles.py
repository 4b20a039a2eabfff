"""csv, tsv and txt files, packed with gzip or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.data.readers.tables.bounds import Bounds
from holdfast.data.readers.tables.cells import Cells
from holdfast.data.readers.tables.columns import Reading, Wanted, read_columns
from holdfast.data.readers.tables.contents import read_bytes
from holdfast.data.readers.tables.dialects import find_dialect, sample
from holdfast.data.readers.tables.encodings import to_utf8
from holdfast.data.readers.tables.options import Decimal, TableOptions
from holdfast.data.readers.tables.plain import plain_column, plan, split_plain
from holdfast.data.readers.tables.splitting import TEXT, Split, regular_body, split
from holdfast.data.readers.tables.table import Column, Table
from holdfast.errors import InputError


class TextFile:
    """A text file whose layout is known and whose cells are not read yet.

    Args:
        path: of the file.
        options: what the user said.
        bounds: the most that it may hold.

    Attributes:
        names: of the columns.

    Raises:
        InputError: no file, no text, no names; see `find_dialect`.
    """

    def __init__(self, path: Path, options: TableOptions, bounds: Bounds) -> None:
        self._path, self._options = str(path), options
        self._data, notes = to_utf8(read_bytes(path, bounds), options.encoding, self._path)
        usual = "\t" if ".tsv" in [suffix.lower() for suffix in path.suffixes[-2:]] else ","
        self._dialect = find_dialect(self._data, options, self._path, usual)
        self._notes = [*notes, *self._dialect.notes]
        width = len(self._dialect.names)
        # There are no more cells than characters.
        bounds.check_cells(1 if len(self._data) <= bounds.cells else self._data.count(b"\n"), width, self._path)
        self.names = [name for name in self._dialect.names if name not in self._dialect.blank]

    def read(self, kinds: Mapping[str, Wanted], columns: Sequence[str]) -> Table:
        """Columns as what they are declared to be, or else are.

        Args:
            kinds: what columns are declared to be, by name.
            columns: those to read, in the order that is wanted.

        Raises:
            InputError: see `split` and `Reading.decide`.
        """
        if not self._data:
            raise RuntimeError(f"{self._path} is read already; open it again")
        found, decimal = self._split(kinds)
        self._data = b""  # the cells are there: its text need not be
        made: dict[str, Column] = {}
        texts: dict[str, Reading] = {}
        said: dict[str, str] = {}
        for name, cells in zip(self._dialect.names, found.columns, strict=True):
            if name in self._dialect.blank:
                self._check_blank(name, cells, found.rows)
            elif cells.type != TEXT:
                made[name] = plain_column(name, cells)
                if made[name].kind == "real" and decimal == "," and self._options.decimal is None:
                    said[name] = f"{name}: decimal comma"
            else:
                texts[name] = Reading(Cells(name, cells, found.rows, self._options), kinds.get(name), self._path)

        def others() -> Iterator[Reading]:
            return (reading for name, reading in texts.items() if name not in columns)

        signs = [decimal] if any(column.kind == "real" for column in made.values()) else []
        wanted = [texts[name] for name in columns if name in texts]
        read, notes = read_columns(wanted, others, decimals=signs, commas=self._dialect.delimiter == ",")
        made |= {column.name: column for column in read}
        notes = [*(said[name] for name in columns if name in said), *notes]
        chosen = tuple(made[name] for name in columns)
        return Table(self._path, chosen, found.rows, (*self._notes, *found.notes, *notes))

    def _check_blank(self, name: str, texts: Any, rows: np.ndarray) -> None:
        """The first rows had nothing in a column without a name, so that it was left out; nor must the others."""
        cells = Cells(name, texts, rows, self._options)
        if not cells.empty.all():
            raise InputError(f"{self._path}, {name}", "must have a name", cells.such(np.flatnonzero(~cells.empty)))

    def _split(self, kinds: Mapping[str, Wanted]) -> tuple[Split, Decimal]:
        """The cells, and the decimal sign of those that are numbers already."""
        records = sample(self._data, self._dialect.delimiter)[self._dialect.header + 1 :]
        planned = plan(records, self._dialect, kinds, self._options)
        if planned is not None and (body := regular_body(self._data, self._dialect)) is not None:
            plain = split_plain(body, self._dialect, planned)
            if plain is not None:
                return plain, planned.decimal
        return split(self._data, self._dialect, self._path), "."


__all__ = ["TextFile"]
