"""Tables out of files: CSV, parquet, Excel, SQLite, DuckDB. Nothing that is in a file is run."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.errors import InputError, MissingExtra
from holdfast.sql.table import SQLTable

if TYPE_CHECKING:
    import pandas as pd

LONGEST_CELL = 100_000_000  # bytes
LONGEST_LINE = 1_000_000  # characters looked at for the separator


def read(path: Path, title: str | None = None, table: str | None = None) -> SQLTable:
    """A table of a file of any of the kinds, told by its ending.

    Raises:
        InputError: no such file, unknown ending, nothing readable in it; `table` given for a kind that has no names.
    """
    named: dict[str, Callable[[Path, str | None, str | None], SQLTable]] = {
        ".xlsx": read_excel, ".xlsm": read_excel, ".sqlite": read_sqlite, ".sqlite3": read_sqlite,
        ".db": read_sqlite, ".duckdb": read_duckdb,
    }  # fmt: skip
    single = {".csv": read_csv, ".tsv": read_csv, ".txt": read_csv, ".parquet": read_parquet, ".pq": read_parquet}
    ending = path.suffix.lower()
    if ending in named:
        return named[ending](path, title, table)
    if ending not in single:
        raise InputError(str(path), f"must end in one of {', '.join([*single, *named])}", ending or "no ending")
    if table is not None:
        raise InputError("table", f"can be named for {', '.join(named)} only", f"{table} of {path}")
    return single[ending](path, title)


def read_csv(path: Path, title: str | None = None, sep: str | None = None) -> SQLTable:
    """A CSV file in UTF-8 whose first line has the names; `sep` is told by that line unless it is given."""
    import pandas as pd

    _check(path)
    try:
        separator = sep or ("\t" if path.suffix.lower() == ".tsv" else _separator(path))
        frame = pd.read_csv(
            path, sep=separator, header=None, dtype=object, keep_default_na=False, na_filter=False,
            encoding="utf-8-sig", skip_blank_lines=True,
        )  # fmt: skip
    except pd.errors.EmptyDataError:
        raise InputError(str(path), "must have a line with the columns' names", "an empty file") from None
    except UnicodeDecodeError as error:
        raise InputError(str(path), "must be in UTF-8; a spreadsheet can save it as such", f"{error}") from None
    except (pd.errors.ParserError, csv.Error, ValueError) as error:
        raise InputError(str(path), "must be a CSV file with as many cells in a line as names", f"{error}") from None
    header = [str(name) for name in frame.iloc[0]]
    return SQLTable.from_text(frame.iloc[1:].reset_index(drop=True), header, _title(path, title))


def _separator(path: Path) -> str:
    """What splits the first line into most names: a comma, unless a semicolon, tab or bar makes more."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        line = file.readline(LONGEST_LINE)
    return max(",;\t|", key=lambda sign: len(next(csv.reader([line], delimiter=sign), [])))


def read_parquet(path: Path, title: str | None = None) -> SQLTable:
    """A parquet file."""
    import pandas as pd
    import pyarrow as pa

    _check(path)
    try:
        frame = pd.read_parquet(path)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise InputError(str(path), "must be a parquet file", f"{error}") from None
    return SQLTable.from_pandas(frame, _title(path, title))


def read_excel(path: Path, title: str | None = None, sheet: str | None = None) -> SQLTable:
    """A sheet of an Excel workbook, by default the first; values, not formulas."""
    try:
        import openpyxl
    except ModuleNotFoundError:
        raise MissingExtra("openpyxl", "sql") from None
    _check(path)
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # noqa: BLE001 the library lets errors of zipfile, XML and its own through
        raise InputError(str(path), "must be an Excel workbook (.xlsx)", f"{error}") from None
    try:
        name = _chosen(path, sheet, book.sheetnames, "sheet")
        page = book[name]
        page.reset_dimensions()  # what a file says of its size may be anything: a billion empty cells
        rows = [list(row) for row in page.iter_rows(values_only=True)]
    finally:
        book.close()
    while rows and all(cell is None for cell in rows[-1]):
        rows.pop()
    if not rows:
        raise InputError(str(path), "must have a row with the columns' names", f"the empty sheet {name}")
    width = max(len(row) for row in rows)
    padded = [row + [None] * (width - len(row)) for row in rows]
    header = ["" if cell is None else str(cell) for cell in padded[0]]
    return SQLTable.from_rows(header, padded[1:], _title(path, title))


def read_sqlite(path: Path, title: str | None = None, table: str | None = None) -> SQLTable:
    """A table of a SQLite file. Opened read-only; functions in its schema are not trusted."""
    _check(path)
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_CELL)  # a column may be computed by the file's schema
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        found = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
            "AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name"
        )
        name = _chosen(path, table, [row[0] for row in found], "table")
        cursor = connection.execute(f"SELECT * FROM {quoted(name)}")
        header = [column[0] for column in cursor.description]
        return SQLTable.from_rows(header, cursor.fetchall(), _title(path, title, name))
    except sqlite3.Error as error:
        raise InputError(str(path), "must be a SQLite file", f"{error}") from None
    finally:
        connection.close()


def read_duckdb(path: Path, title: str | None = None, table: str | None = None) -> SQLTable:
    """A table of a DuckDB file. Opened read-only; views are not offered, as they could read other files."""
    try:
        import duckdb
    except ModuleNotFoundError:
        raise MissingExtra("duckdb", "sql") from None
    _check(path)
    try:
        connection = duckdb.connect(str(path), read_only=True, config={"enable_external_access": "false"})
    except duckdb.Error as error:
        raise InputError(str(path), "must be a DuckDB file", f"{error}") from None
    try:
        found = connection.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal ORDER BY table_name")
        name = _chosen(path, table, [row[0] for row in found.fetchall()], "table")
        frame: pd.DataFrame = connection.execute(f"SELECT * FROM {quoted(name)}").df()
        return SQLTable.from_pandas(frame, _title(path, title, name))
    except duckdb.Error as error:
        raise InputError(str(path), "must be a DuckDB file", f"{error}") from None
    finally:
        connection.close()


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _check(path: Path) -> None:
    if not path.is_file():
        raise InputError(str(path), "must be a file", "a folder" if path.is_dir() else "no such file")


def _title(path: Path, title: str | None, name: str = "") -> str:
    return title if title is not None else name or path.stem


def _chosen(path: Path, wanted: str | None, found: list[Any], what: str) -> str:
    if wanted is not None:
        if wanted not in found:
            raise InputError(what, f"must be one of {', '.join(map(str, found)) or '(none)'} in {path}", wanted)
        return wanted
    if not found:
        raise InputError(str(path), f"must have a {what}", "none")
    if len(found) > 1 and what == "table":
        raise InputError(str(path), f"has several tables; name one of {', '.join(map(str, found))}", f"{len(found)}")
    return str(found[0])


__all__ = ["quoted", "read", "read_csv", "read_duckdb", "read_excel", "read_parquet", "read_sqlite"]
