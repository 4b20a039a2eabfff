"""A table out of a file of any of the formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from holdfast.data.readers.tables.bounds import Bounds
from holdfast.data.readers.tables.columns import Wanted
from holdfast.data.readers.tables.options import TableOptions
from holdfast.data.readers.tables.table import Table, no_column
from holdfast.errors import InputError

TEXT_FILES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
SUFFIXES = (*TEXT_FILES, ".parquet", ".pq", ".xlsx", ".xlsm", ".jsonl", ".json")


class TableFile(Protocol):
    """A file that is known to be a table, with its columns' names."""

    names: list[str]

    def read(self, kinds: Mapping[str, Wanted], columns: Sequence[str]) -> Table:
        """Columns, in the order that is wanted, as what they are declared to be or else are."""


def is_table(path: str | Path) -> bool:
    """Whether a file's name ends as those of tables do."""
    return _ending(Path(path)) in SUFFIXES


def open_table(path: str | Path, *, options: TableOptions | None = None, bounds: Bounds | None = None) -> TableFile:
    """A file whose columns' names are known; `read` then gives the cells, once.

    This is for callers to whom the names say which columns they want, and as what.

    Raises:
        InputError: see `read_table`.
        MissingExtra: a workbook, and openpyxl is not installed.
    """
    return _opener(Path(path))(Path(path), options or TableOptions(), bounds or Bounds())


def read_table(
    path: str | Path,
    *,
    kinds: Mapping[str, Wanted] | None = None,
    columns: Sequence[str] | None = None,
    options: TableOptions | None = None,
    bounds: Bounds | None = None,
) -> Table:
    """A table of a file; its ending says of what kind (`SUFFIXES`).

    What kind a column is follows from all of its cells, and is said in `Table.notes` where it is not plain. A column
    that leaves open what its numbers or dates are, like the file around it, stays text, unless it is declared.

    Args:
        path: of the file.
        kinds: what columns must be, by name: "text" (ids, names, labels) is left exactly as written; "number" and
            "time" are read as such or refused ("time" takes numbers, too: steps).
        columns: those to read, in this order; None = all.
        options: what the user said; None = all from evidence.
        bounds: the most the file may hold; None = `Bounds()`.

    Raises:
        InputError: another ending, no regular file, damaged, larger than the bounds, no names, rows with more cells
            than names, no such column; a declared column that holds something else, or leaves open what it holds.
        MissingExtra: a workbook, and openpyxl is not installed.

    Example:
        >>> import tempfile; from pathlib import Path
        >>> file = Path(tempfile.mkdtemp()) / "shop.csv"
        >>> _ = file.write_text("item;price;sold\\nsofa;1.200,50 €;2.500\\nlamp;80;1\\n", encoding="utf-8")
        >>> table = read_table(file)
        >>> [(c.name, c.kind, c.values.tolist()) for c in table.columns]
        [('item', 'text', ['sofa', 'lamp']), ('price', 'real', [1200.5, 80.0]), ('sold', 'integer', [2500, 1])]
        >>> print(*table.notes, sep="\\n")
        cells are separated by semicolons
        price: money in EUR, decimal comma, point between thousands
        sold: point between thousands, as other columns tell
    """
    file = open_table(path, options=options, bounds=bounds)
    wanted = list(file.names if columns is None else columns)
    for name in [*wanted, *(kinds or {})]:
        if name not in file.names:
            raise no_column(str(path), name, file.names)
    return file.read(kinds or {}, list(dict.fromkeys(wanted)))


def _opener(path: Path) -> Callable[[Path, TableOptions, Bounds], Any]:
    """The reader of a kind of file; each has libraries of its own, imported when it is needed."""
    suffix = _ending(path)
    if suffix in TEXT_FILES:
        from holdfast.data.readers.tables.textfiles import TextFile

        return TextFile
    if suffix in (".parquet", ".pq"):
        from holdfast.data.readers.tables.parquet import ParquetFile

        return ParquetFile
    if suffix in (".xlsx", ".xlsm"):
        from holdfast.data.readers.tables.workbooks import Workbook

        return Workbook
    if suffix in (".jsonl", ".json"):
        from holdfast.data.readers.tables.jsonfiles import JsonFile

        return JsonFile
    raise InputError(str(path), f"must end in one of {' '.join(SUFFIXES)}", suffix or "no ending")


def _ending(path: Path) -> str:
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() + suffix if suffix == ".gz" else suffix


__all__ = ["SUFFIXES", "TEXT_FILES", "TableFile", "is_table", "open_table", "read_table"]
