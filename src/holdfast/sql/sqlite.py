"""SQLite inside of the child process: in memory, read-only for programs, with its own limits and clock."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from holdfast.sandbox.wire import Failure, Refused
from holdfast.sql.allowed import FUNCTIONS

TYPES = {"int": "INTEGER", "real": "REAL", "date": "TEXT", "text": "TEXT"}
OPERATORS = frozenset({"like", "glob", "current_date", "current_time", "current_timestamp"})
STEPS_BETWEEN_LOOKS = 5_000
# Below the library's own limits: no program of a person or a model comes near.
LIMITS = {
    "SQLITE_LIMIT_LENGTH": 16_000_000,
    "SQLITE_LIMIT_SQL_LENGTH": 1_000_000,
    "SQLITE_LIMIT_EXPR_DEPTH": 500,
    "SQLITE_LIMIT_COMPOUND_SELECT": 50,
    "SQLITE_LIMIT_ATTACHED": 0,
    "SQLITE_LIMIT_LIKE_PATTERN_LENGTH": 200,
    "SQLITE_LIMIT_TRIGGER_DEPTH": 1,
    "SQLITE_LIMIT_WORKER_THREADS": 0,
}


class SQLite:
    """A database in memory with the table of one user."""

    name = "sqlite"

    def __init__(self) -> None:
        self._deadline = float("inf")
        self._connection: sqlite3.Connection | None = None

    def open(self, columns: list[tuple[str, str]], megabytes: int, threads: int) -> None:
        """A new database with an empty table w."""
        if sqlite3.sqlite_version_info < (3, 35):
            raise Failure("error", f"SQLite 3.35 or newer is needed; Python was built with {sqlite3.sqlite_version}")
        if self._connection is not None:
            self._connection.close()
        connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=0)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA journal_mode = OFF")  # after an error the table is loaded anew, never rolled back
        for name, value in LIMITS.items():
            connection.setlimit(getattr(sqlite3, name), value)
        connection.set_progress_handler(self._is_late, STEPS_BETWEEN_LOOKS)
        definitions = ", ".join(f"{quoted(name)} {TYPES[kind]}" for name, kind in columns)
        connection.execute(f"CREATE TABLE w (row_id INTEGER PRIMARY KEY, {definitions})")
        self._connection, self._width = connection, len(columns) + 1

    @property
    def connection(self) -> sqlite3.Connection:
        if self._connection is None:
            raise Failure("error", "no table was opened")
        return self._connection

    def insert(self, rows: list[tuple[Any, ...]]) -> None:
        """Rows with their row_id first."""
        marks = ", ".join("?" * self._width)
        self.connection.execute("BEGIN")
        self.connection.executemany(f"INSERT INTO w VALUES ({marks})", rows)
        self.connection.execute("COMMIT")

    def loaded(self) -> None:
        """All rows are in."""

    def query(self, sql: str, count: int, size: int) -> tuple[list[str], list[list[Any]]]:
        """Columns and rows of a program's query, refusing to read anything but w."""
        with self._guarded():
            cursor = self.connection.execute(sql)
            return [column[0] for column in cursor.description or ()], bounded(cursor.fetchmany, count, size)

    def check(self, sql: str) -> list[str]:
        """Names of a query's columns; it is compiled, not run."""
        with self._guarded():
            self.connection.execute(f"EXPLAIN {sql}").close()
            cursor = self.connection.execute(f"SELECT * FROM ({sql}\n) LIMIT 0")
            return [column[0] for column in cursor.description or ()]

    def stage(self, name: str, sql: str) -> None:
        """Keep the rows of a program's query as a table; it is compiled under the guard first."""
        self.check(sql)
        self.connection.execute(f"CREATE TABLE {quoted(name)} AS {sql}")

    def run(self, sql: str) -> list[list[Any]]:
        """A statement of ours."""
        return [list(row) for row in self.connection.execute(sql).fetchall()]

    def fill(self, table: str, column: str, batch: list[tuple[Any, int]]) -> None:
        """Values of one column of one of our tables, each with its rowid."""
        self.connection.execute("BEGIN")
        self.connection.executemany(f"UPDATE {quoted(table)} SET {quoted(column)} = ? WHERE rowid = ?", batch)
        self.connection.execute("COMMIT")

    @contextmanager
    def until(self, seconds: float) -> Iterator[None]:
        """Interrupt what takes longer; say what went wrong in the terms of the protocol."""
        self._deadline = time.monotonic() + seconds
        try:
            yield
        except MemoryError:
            raise Failure("memory", "the query needs more memory than it may") from None
        except sqlite3.Error as error:
            raise _failure(error) from None
        finally:
            self._deadline = float("inf")

    def _is_late(self) -> int:
        return int(time.monotonic() > self._deadline)

    def _tables(self) -> frozenset[str]:
        """All that a query could name, in lower case: tables, and what the library itself offers as tables."""
        found = self.connection.execute("SELECT name FROM sqlite_master UNION SELECT name FROM pragma_module_list")
        return frozenset(str(name).lower() for (name,) in found)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        refused: list[str] = []
        real = self._tables()

        def authorize(action: int, first: str | None, second: str | None, file: str | None, _: str | None) -> int:
            if action == sqlite3.SQLITE_SELECT:
                return sqlite3.SQLITE_OK
            if action == sqlite3.SQLITE_READ and first in ("w", ""):
                return sqlite3.SQLITE_OK
            if action == sqlite3.SQLITE_READ and not second and file is None and not _is_table(first or "", real):
                return sqlite3.SQLITE_OK  # of a query that WITH names, only the number of rows
            if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in FUNCTIONS | OPERATORS:
                return sqlite3.SQLITE_OK
            refused.append(f"{second or first or 'what it does'}")
            return sqlite3.SQLITE_DENY

        self.connection.set_authorizer(authorize)
        try:
            yield
        except sqlite3.DatabaseError:
            if refused:
                raise Refused(f"may only read w and use known functions, not {refused[0]}") from None
            raise
        finally:
            self.connection.set_authorizer(None)


def _is_table(name: str, real: frozenset[str]) -> bool:
    return name.lower() in real or name.lower().startswith(("sqlite_", "pragma_", "json_"))


def _failure(error: sqlite3.Error) -> Failure:
    text = str(error)
    if text == "interrupted":
        return Failure("timeout", "the query took too long")
    if "out of memory" in text or "too big" in text:
        return Failure("memory", f"the query needs more memory than it may ({text})")
    if text.startswith("no such column: "):
        return Failure("column", text, text.removeprefix("no such column: "))
    return Failure("error", text)


def bounded(fetch: Any, count: int, size: int) -> list[list[Any]]:
    """At most so many rows and bytes of a result; more is an error, never a shorter answer."""
    rows: list[list[Any]] = []
    used = 0
    while part := fetch(200):
        for row in part:
            used += sum(len(cell) if isinstance(cell, str | bytes) else 8 for cell in row)
            rows.append([cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell for cell in row])
        if len(rows) > count or used > size:
            raise Failure("memory", f"the query gives more than {count:,} rows or {size // 2**20} MB")
    return rows


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


__all__ = ["SQLite", "bounded", "quoted"]
