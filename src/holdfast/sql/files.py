"""Tables out of files: whatever the shared reader of tables opens, and tables of SQLite and DuckDB files.

Nothing that is in a file is run: columns that a database file computes when they are read are refused, views are not
offered.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.data.readers.tables import SUFFIXES, Bounds, TableOptions, is_table, read_table
from holdfast.errors import InputError, MissingExtra
from holdfast.sql.columntypes import column_type
from holdfast.sql.dialect import identifier
from holdfast.sql.table import SQLTable

if TYPE_CHECKING:
    from holdfast.data.readers.tables import Column

LONGEST_CELL = 100_000_000  # bytes
ROWS_AT_ONCE = 1000


def read(
    path: Path, title: str | None = None, part: str | None = None, options: TableOptions | None = None
) -> SQLTable:
    """A table of a file of any of the kinds, told by its ending.

    Args:
        path: of the file.
        title: of the table; None = the name of its table in a database, else of the file.
        part: table of a database or sheet of a workbook; a table need not be named if it is the only one.
        options: how the file is to be read; None = from the evidence in it. `SQLTable.notes` says what was found.

    Raises:
        InputError: no such file, unknown ending, nothing readable in it; `part` for a kind that has none.
        MissingExtra: a workbook or a DuckDB file, and its library is not installed.
    """
    ending = path.suffix.lower()
    if ending in DATABASES:
        if not path.is_file():
            raise InputError(str(path), "must be a file", "no such file" if not path.exists() else "no regular file")
        return DATABASES[ending](path, title, part)
    if not is_table(path):
        raise InputError(str(path), f"must end in one of {' '.join([*SUFFIXES, *DATABASES])}", ending or "no ending")
    if part is not None and ending not in (".xlsx", ".xlsm"):
        raise InputError("part", f"can be named in workbooks and databases only, not in {path}", part)
    options = options or TableOptions()
    found = read_table(path, options=options if part is None else replace(options, sheet=part))
    named = [(column.name, *column_type(_series(column))) for column in found.columns]
    return SQLTable.of_columns(named, path.stem if title is None else title, found.notes)


def _series(column: Column) -> Any:
    """A column as pandas holds it; texts, truths and lists as objects with None for no value."""
    import pandas as pd

    if column.kind in ("text", "boolean", "other"):
        return pd.Series(column.tolist(), dtype=object)
    return column.series()


def read_sqlite(path: Path, title: str | None, part: str | None) -> SQLTable:
    """A table of a SQLite file. Opened read-only; functions in its schema are not trusted."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_CELL)
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        found = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
            "AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name"
        )
        name = _chosen(path, part, [row[0] for row in found])
        columns = connection.execute(f"PRAGMA table_xinfo({identifier(name)})").fetchall()
        computed = [str(column[1]) for column in columns if column[6] in (2, 3)]
        if computed:  # a few bytes of a schema may compute more than there is memory
            raise InputError(str(path), f"must have no computed columns in its table {name!r}", computed[0])
        cursor = connection.execute(f"SELECT * FROM {identifier(name)}")
        header = [column[0] for column in cursor.description]
        return SQLTable.from_rows(header, _bounded(cursor, path), name if title is None else title)
    except sqlite3.Error as error:
        raise InputError(str(path), "must be a SQLite file", f"{error}") from None
    finally:
        connection.close()


def _bounded(cursor: sqlite3.Cursor, path: Path) -> list[Any]:
    """All rows, within the bounds that tables of other files have."""
    rows: list[Any] = []
    bounds, size = Bounds(), 0
    while part := cursor.fetchmany(ROWS_AT_ONCE):
        rows += part
        size += sum(len(cell) if isinstance(cell, str | bytes) else 8 for row in part for cell in row)
        bounds.check_size(size, str(path), "bytes or more")
    return rows


def read_duckdb(path: Path, title: str | None, part: str | None) -> SQLTable:
    """A table of a DuckDB file. Opened read-only; views are not offered, as they could read other files."""
    try:
        import duckdb
    except ModuleNotFoundError:
        raise MissingExtra("duckdb", "sql") from None
    try:
        connection = duckdb.connect(str(path), read_only=True, config={"enable_external_access": "false"})
    except duckdb.Error as error:
        raise InputError(str(path), "must be a DuckDB file", f"{error}") from None
    try:
        found = connection.execute("SELECT table_name, sql FROM duckdb_tables() WHERE NOT internal ORDER BY 1")
        tables = dict(found.fetchall())
        name = _chosen(path, part, list(tables))
        if "GENERATED ALWAYS AS" in str(tables[name]):
            raise InputError(str(path), f"must have no computed columns in its table {name!r}", "GENERATED ALWAYS AS")
        frame = connection.execute(f"SELECT * FROM {identifier(name)}").df()
        return SQLTable.from_pandas(frame, name if title is None else title)
    except duckdb.Error as error:
        raise InputError(str(path), "must be a DuckDB file", f"{error}") from None
    finally:
        connection.close()


def _chosen(path: Path, wanted: str | None, found: list[str]) -> str:
    """The table that is meant."""
    if wanted is not None:
        if wanted not in found:
            raise InputError("part", f"must be one of {', '.join(found) or '(none)'} in {path}", wanted)
        return wanted
    if not found:
        raise InputError(str(path), "must have a table", "none")
    if len(found) > 1:
        raise InputError("part", f"must name one of the tables of {path}: {', '.join(found)}", "nothing")
    return found[0]


DATABASES: dict[str, Callable[[Path, str | None, str | None], SQLTable]] = {
    ".sqlite": read_sqlite,
    ".sqlite3": read_sqlite,
    ".db": read_sqlite,
    ".duckdb": read_duckdb,
}

__all__ = ["DATABASES", "read"]
