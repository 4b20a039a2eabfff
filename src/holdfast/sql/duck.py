"""DuckDB inside of the child process: in memory, without access to anything outside, its configuration locked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from holdfast.sandbox.wire import Failure, Refused
from holdfast.sql.sqlite import bounded, quoted

TYPES = {"int": "BIGINT", "real": "DOUBLE", "date": "VARCHAR", "text": "VARCHAR"}
CONFIG = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
}
SETTINGS = {
    "python_enable_replacements": "false",
    "python_scan_all_frames": "false",
    "temp_directory": "''",
    "max_expression_depth": "250",
    # As in SQLite, for which programs are written: 7 / 2 is 3, 7 / 0 and 7.0 / 0 are NULL, NULL is the smallest.
    "integer_division": "true",
    "error_on_division_by_zero": "false",
    "ieee_floating_point_ops": "false",
    "default_null_order": "'nulls_first_on_asc_last_on_desc'",
    "enable_progress_bar": "false",
    "enable_external_access": "false",
}
SPARE_MB = 64  # for later tables, see `session`


class DuckDB:
    """A database in memory with the table of one user."""

    name = "duckdb"

    def __init__(self) -> None:
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._locked = False

    def open(self, columns: list[tuple[str, str]], megabytes: int, threads: int) -> None:
        """A new database with an empty table w."""
        definitions = ", ".join(f"{quoted(name)} {TYPES[kind]}" for name, kind in columns)
        if self._connection is not None:  # a second database would open files, which the process cannot any more
            for (name,) in self._connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                self._connection.execute(f"DROP TABLE {quoted(name)}")
            self._connection.execute(f"CREATE TABLE w (row_id BIGINT, {definitions})")
            return
        connection = duckdb.connect(":memory:", config={**CONFIG, "threads": str(threads)})
        for name, value in SETTINGS.items():
            connection.execute(f"SET {name} = {value}")
        connection.execute(f"CREATE TABLE w (row_id BIGINT, {definitions})")
        self._connection, self._megabytes = connection, megabytes

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            raise Failure("error", "no table was opened")
        return self._connection

    def insert(self, batch: bytes) -> None:
        """Rows with their row_id first, as a stream of Arrow."""
        rows = pa.ipc.open_stream(batch).read_all()
        self.connection.register("incoming", rows)
        self.connection.execute("INSERT INTO w SELECT * FROM incoming")
        self.connection.unregister("incoming")

    def loaded(self) -> None:
        """All rows are in: from now on memory counts, and nothing can be configured any more."""
        if self._locked:
            return
        self._locked = True
        used = self.connection.execute("SELECT sum(memory_usage_bytes) FROM duckdb_memory()").fetchall()[0][0] or 0
        self.connection.execute(f"SET memory_limit = '{int(used) // 10**6 + self._megabytes + SPARE_MB}MB'")
        self.connection.execute("SET lock_configuration = true")

    def query(self, sql: str, count: int, size: int) -> tuple[list[str], list[list[Any]]]:
        """Columns and rows of a program's query."""
        self._one_select(sql)
        cursor = self.connection.execute(sql)
        return [column[0] for column in cursor.description or ()], bounded(cursor.fetchmany, count, size)

    def check(self, sql: str) -> list[str]:
        """Names of a query's columns; it is compiled, not run."""
        self._one_select(sql)
        return [str(row[0]) for row in self.connection.execute(f"DESCRIBE {sql}").fetchall()]

    def stage(self, name: str, sql: str) -> None:
        """Keep the rows of a program's query as a table."""
        self._one_select(sql)
        self.connection.execute(f"CREATE TABLE {quoted(name)} AS {sql}")

    def run(self, sql: str) -> list[list[Any]]:
        """A statement of ours."""
        return [list(row) for row in self.connection.execute(sql).fetchall()]

    def fill(self, table: str, column: str, batch: bytes) -> None:
        """Values of one column of one of our tables, each with its rowid, as a stream of Arrow."""
        self.connection.register("incoming", pa.ipc.open_stream(batch).read_all())
        self.connection.execute(
            f"UPDATE {quoted(table)} SET {quoted(column)} = incoming.value FROM incoming "
            f"WHERE {quoted(table)}.rowid = incoming.id"
        )
        self.connection.unregister("incoming")

    @contextmanager
    def until(self, seconds: float) -> Iterator[None]:
        """Interrupt what takes longer; say what went wrong in the terms of the protocol."""
        timer = threading.Timer(seconds, self.connection.interrupt if self._connection else lambda: None)
        timer.start()
        try:
            yield
        except (MemoryError, duckdb.OutOfMemoryException):
            raise Failure("memory", "the query needs more memory than it may") from None
        except duckdb.InterruptException:
            raise Failure("timeout", "the query took too long") from None
        except duckdb.Error as error:
            raise _failure(error) from None
        finally:
            timer.cancel()

    def _one_select(self, sql: str) -> None:
        statements = self.connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise Refused("may only be one SELECT")


def _failure(error: duckdb.Error) -> Failure:
    text = str(error).split("\n\nLINE")[0].split("\nCandidate")[0]
    if "Referenced column " in text or "does not have a column named" in text:
        return Failure("column", text.splitlines()[0], text.split('"')[1] if '"' in text else "")
    if isinstance(error, duckdb.PermissionException):
        return Failure("refused", text.splitlines()[0])
    return Failure("error", text)


__all__ = ["DuckDB"]
