"""Excel workbooks (.xlsx): the values of a sheet. No formula and no macro is run."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.data.readers.tables.bounds import Bounds
from holdfast.data.readers.tables.columns import Wanted, read_columns
from holdfast.data.readers.tables.headers import (
    RECORDS,
    Header,
    check_names,
    said_of_above,
    said_of_names,
    unique_names,
)
from holdfast.data.readers.tables.objects import ObjectReading
from holdfast.data.readers.tables.options import TableOptions
from holdfast.data.readers.tables.table import Table
from holdfast.errors import InputError, MissingExtra
from holdfast.files import check_regular
from holdfast.unpacking import DAMAGED, check_memory

MOST_ROWS = 1 << 20  # that a sheet can have
COPIES = 3  # of a workbook in memory while it is read


class Workbook:
    """A sheet of a workbook, read whole: by default the first.

    Args:
        path: of the file.
        options: what the user said.
        bounds: the most that it may hold.

    Attributes:
        names: of the columns.

    Raises:
        InputError: no workbook, no such sheet, nothing in it, more than the bounds allow.
        MissingExtra: openpyxl is not installed.
    """

    def __init__(self, path: Path, options: TableOptions, bounds: Bounds) -> None:
        self._path, self._options = str(path), options
        check_regular(path)
        formulas = self._check_archive(path, bounds)
        self._notes: list[str] = []
        cells = self._sheet(path, bounds, values=True)
        if formulas:
            self._check_formulas(cells, self._sheet(path, bounds, values=False))
        filled = [any(_shown(cell).strip() for cell in row) for row in cells]
        if not any(filled):
            raise InputError(self._path, "must have a row with the columns' names", "an empty sheet")
        width = max(len(row) for row in cells)
        count = RECORDS + max(filled.index(True), options.header or 0)
        head = [[_shown(cell) for cell in (*row, *[None] * (width - len(row)))] for row in cells[:count]]
        header = Header.of(head, options.header)
        given = head[header.row] if header.row >= 0 else [""] * width
        names = unique_names(given)
        below = [(number, row) for number, row in enumerate(cells, 1) if number > header.row + 1 and filled[number - 1]]
        self._rows = np.array([number for number, _ in below], np.int64)
        self._cells = {
            name: [row[place] if place < len(row) else None for _, row in below] for place, name in enumerate(names)
        }
        blank = [
            place
            for place, (title, name) in enumerate(zip(given, names, strict=True))
            if header.row >= 0 and below and not title.strip() and all(_shown(c) == "" for c in self._cells[name])
        ]
        self.names = [name for place, name in enumerate(names) if place not in blank]
        self._notes += said_of_names(given, names, blank) if header.row >= 0 else []
        self._notes += check_names(given, self._path) if options.header is None else []
        self._notes += said_of_above(filled, header.row)

    def read(self, kinds: Mapping[str, Wanted], columns: Sequence[str]) -> Table:
        """Columns as what they are declared to be, or else are; see `TextFile.read`."""
        others = (self._reading(name, None) for name in self.names if name not in columns)
        read, notes = read_columns([self._reading(name, kinds.get(name)) for name in columns], lambda: others)
        return Table(self._path, tuple(read), self._rows, (*self._notes, *notes))

    def _reading(self, name: str, wanted: Wanted | None) -> ObjectReading:
        return ObjectReading(name, self._cells[name], self._rows, wanted, self._options, self._path, typed=False)

    def _check_archive(self, path: Path, bounds: Bounds) -> bool:
        """Refuse a workbook that unpacks to too much; whether there are formulas in it."""
        packed = path.stat().st_size
        try:
            with zipfile.ZipFile(path) as archive:
                unpacked = sum(member.file_size for member in archive.infolist())
                bounds.check_ratio(unpacked, packed, self._path)
                bounds.check_size(unpacked, self._path, "bytes unpacked")
                check_memory(COPIES * unpacked, self._path)
                sheets = [m for m in archive.infolist() if m.filename.startswith("xl/worksheets/")]
                return any(_holds_formula(archive, member) for member in sheets)
        except InputError:
            raise
        except DAMAGED as error:
            raise InputError(self._path, "must be an Excel workbook (.xlsx)", str(error)) from None

    def _sheet(self, path: Path, bounds: Bounds, *, values: bool) -> list[tuple[Any, ...]]:
        try:
            import openpyxl
        except ModuleNotFoundError:
            raise MissingExtra("openpyxl", "sql") from None
        try:
            book = openpyxl.load_workbook(path, read_only=True, data_only=values)
        except Exception as error:  # noqa: BLE001 the library lets errors of zipfile, XML and its own through
            raise InputError(self._path, "must be an Excel workbook (.xlsx)", str(error)) from None
        try:
            page = self._chosen({sheet.title: sheet for sheet in book.worksheets}, told=not values)
            page.reset_dimensions()  # what a file says of its size may be anything: a billion empty cells
            return self._rows_of(page, bounds)
        except InputError:
            raise
        except Exception as error:  # noqa: BLE001 as above
            raise InputError(self._path, "must be an Excel workbook (.xlsx)", str(error)) from None
        finally:
            book.close()

    def _chosen(self, sheets: Mapping[str, Any], *, told: bool) -> Any:
        name = self._options.sheet
        if name is None:
            if not sheets:
                raise InputError(self._path, "must have a sheet with cells", "none")
            name = next(iter(sheets))
            if len(sheets) > 1 and not told:
                self._notes.append(f"sheet {name!r} of {', '.join(map(repr, sheets))}")
        if name not in sheets:
            raise InputError("sheet", f"must be one of {', '.join(sheets)} in {self._path}", name)
        return sheets[name]

    def _rows_of(self, page: Any, bounds: Bounds) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        count = 0
        for number, row in enumerate(page.iter_rows(values_only=True), 1):
            count += len(row)
            if number > MOST_ROWS or count > bounds.cells:
                bounds.check_cells(count, 1, self._path)
                raise InputError(self._path, f"must have at most {MOST_ROWS:,} rows", f"{number:,} or more")
            width = len(row)
            while width and row[width - 1] is None:
                width -= 1
            bounds.check_cells(1, width, self._path)
            rows.append(tuple(row[:width]))
        while rows and not rows[-1]:
            rows.pop()
        return rows

    def _check_formulas(self, values: list[tuple[Any, ...]], formulas: list[tuple[Any, ...]]) -> None:
        """Say where a formula has no result: a program wrote it, and no spreadsheet has computed it since."""
        found = [
            number
            for number, row in enumerate(formulas, 1)
            for place, cell in enumerate(row)
            if isinstance(cell, str)
            and cell.startswith("=")
            and (number > len(values) or place >= len(values[number - 1]) or values[number - 1][place] is None)
        ]
        if found:
            count = f"{len(found):,} formulas have" if len(found) > 1 else "1 formula has"
            where = f"the first in row {found[0]}" if len(found) > 1 else f"in row {found[0]}"
            self._notes.append(
                f"{count} no stored result, {where}, and no value here; open the file in a spreadsheet and save it"
            )


def _holds_formula(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    """Whether a sheet has formulas; read in pieces."""
    last = b""
    with archive.open(member) as file:
        while piece := file.read(1 << 20):
            if b"<f>" in last + piece or b"<f " in last + piece:
                return True
            last = piece[-2:]
    return False


def _shown(cell: Any) -> str:
    return "" if cell is None else str(cell)


__all__ = ["Workbook"]
