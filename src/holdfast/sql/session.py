"""The parent's side of an engine: starts the child, loads a table, sends queries, keeps clock and memory."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from holdfast.errors import MissingExtra
from holdfast.sandbox.child import Child
from holdfast.sandbox.wire import Failure
from holdfast.sql.columntypes import Cell, ColumnType
from holdfast.sql.errors import EngineEnded, EngineError, EngineMemory, EngineTimeout, UnknownColumn
from holdfast.sql.guard import UnsafeProgram
from holdfast.sql.table import SQLTable

WORKER = f"{__package__}.worker"
LOAD_S = 3600.0
ROWS_AT_ONCE = 20_000
SMALL_MB = 16  # tables up to this size take each other's place in one DuckDB
BASE_MB = 512  # what an interpreter and a library may need before any query


class Session:
    """An engine in a process of its own, with one table at a time.

    Not for several threads at once. `close` ends the process; so does forgetting the session.
    """

    def __init__(self, engine: str = "sqlite", threads: int = 1) -> None:
        self.engine, self.threads = engine, threads
        self.megabytes, self._fits_mb, self._most = 1024, 0, 0
        self._child: Child | None = None
        self._table: SQLTable | None = None

    # ---------------------------------------------------------------------------------------------------- the table
    def load(self, table: SQLTable, megabytes: int) -> None:
        """Have the table in the engine as w, with nothing else. Loading it again costs nothing while it is there."""
        if self._table is table and self._child is not None and self.megabytes == megabytes:
            return
        size = int(table.frame.memory_usage(index=False, deep=True).sum()) // 2**20
        if self.engine == "duckdb" and (size > self._fits_mb or megabytes != self.megabytes):
            self.close()  # its memory limit is locked
        if self._start():
            self._fits_mb = max(size, SMALL_MB)
        self.megabytes, self._table = megabytes, None
        columns = list(zip(table.columns, table.types, strict=True))
        opening: dict[str, Any] = {"columns": columns, "megabytes": megabytes, "threads": self.threads}
        for low in range(0, max(len(table), 1), ROWS_AT_ONCE):
            part = _arrow(table, low) if self.engine == "duckdb" else _tuples(table, low)
            last = low + ROWS_AT_ONCE >= len(table)
            self._ask(LOAD_S, do="load", **opening, rows=part, last=last)
            opening = {}
        own = 3 * int(table.frame.memory_usage(index=False).sum())
        self._table, self._most = table, own + (megabytes + BASE_MB) * 2**20

    def forget(self) -> None:
        """Load the table anew next time."""
        self._table = None

    # --------------------------------------------------------------------------------------------------- statements
    def query(self, sql: str, seconds: float | None, count: int) -> tuple[list[str], list[list[Any]]]:
        """Columns and rows of a program's query: checked by the guard before, refused by the engine if it does more."""
        reply = self._ask(seconds, sql, do="query", sql=sql, count=count, megabytes=self.megabytes)
        return reply["columns"], reply["rows"]

    def check(self, sql: str, seconds: float | None) -> list[str]:
        """Names of the columns of a program's query, which is not run."""
        names: list[str] = self._ask(seconds, sql, do="check", sql=sql, megabytes=self.megabytes)["columns"]
        return names

    def stage(self, name: str, sql: str, seconds: float | None) -> None:
        """Keep the rows of a program's query as a table that programs cannot read."""
        self._ask(seconds, sql, do="stage", name=name, sql=sql, megabytes=self.megabytes)

    def run(self, statements: Sequence[str], seconds: float | None) -> list[list[Any]]:
        """Statements of our own, in one message; the rows of the last."""
        found: list[list[Any]] = self._ask(seconds, "; ".join(statements), do="run", statements=statements)["rows"]
        return found

    def column(self, sql: str, seconds: float | None) -> tuple[list[Any], np.ndarray]:
        """The one column of a query of our own: its different values, and for each row which of them it is."""
        reply = self._ask(seconds, sql, do="column", sql=sql)
        return reply["values"], np.frombuffer(base64.b64decode(reply["codes"]), np.uint32)

    def fill(
        self,
        table: str,
        column: str,
        kind: ColumnType,
        rows: Sequence[int],
        values: Sequence[Cell],
        seconds: float | None,
    ) -> None:
        """Values of one column of one of our tables, by rowid."""
        for low in range(0, len(rows), ROWS_AT_ONCE):
            ids, cells = rows[low : low + ROWS_AT_ONCE], values[low : low + ROWS_AT_ONCE]
            batch = _arrow_values(ids, cells, kind) if self.engine == "duckdb" else list(zip(cells, ids, strict=True))
            self._ask(seconds, do="fill", table=table, column=column, batch=batch)

    # ------------------------------------------------------------------------------------------------------ process
    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return self._child.pid if self._child is not None else None

    def close(self) -> None:
        """End the process."""
        if self._child is not None:
            self._child.close()
        self._child, self._table = None, None

    def _start(self) -> bool:
        """Have a process; whether it is a new one."""
        if self._child is not None and self._child.alive:
            return False
        if self.engine == "duckdb":
            try:
                import duckdb  # noqa: F401 a clear message here instead of a dead child
            except ModuleNotFoundError:
                raise MissingExtra("duckdb", "sql") from None
        self.close()
        try:
            self._child = Child(WORKER, self.engine)
        except Failure as failure:
            raise EngineEnded(self.engine, failure.reason) from None
        return True

    def _ask(self, seconds: float | None, about: str = "", **request: Any) -> dict[str, Any]:
        if self._child is None:
            raise EngineEnded(self.engine, "no table is loaded")
        most = self._most if self._table is not None else None  # while a table is loaded, it may take what it needs
        try:
            return self._child.ask(LOAD_S if seconds is None else seconds, most, **request)
        except Failure as failure:
            raise self._error(failure, about) from None
        finally:
            if not self._child.alive:
                self.close()

    def _error(self, failure: Failure, sql: str) -> Exception:
        if failure.kind == "refused":
            return UnsafeProgram(failure.reason, sql)
        if failure.kind == "column":
            return UnknownColumn(self.engine, failure.reason, sql, failure.detail)
        types = {"timeout": EngineTimeout, "memory": EngineMemory, "ended": EngineEnded}
        return types.get(failure.kind, EngineError)(self.engine, failure.reason, sql)


def _tuples(table: SQLTable, low: int) -> list[tuple[Any, ...]]:
    rows = table.rows(low, low + ROWS_AT_ONCE)
    return [(low + i, *row) for i, row in enumerate(rows)]


def _arrow(table: SQLTable, low: int) -> bytes:
    import pyarrow as pa

    part = table.frame.iloc[low : low + ROWS_AT_ONCE]
    kinds = {"int": pa.int64(), "real": pa.float64()}
    arrays = [pa.array(range(low, low + len(part)), pa.int64())]
    for i, kind in enumerate(table.types):
        arrays.append(pa.array(part.iloc[:, i], kinds.get(kind, pa.string()), from_pandas=True))
    return _stream(pa.Table.from_arrays(arrays, names=["row_id", *table.columns]))


def _arrow_values(ids: Sequence[int], values: Sequence[Cell], kind: ColumnType) -> bytes:
    import pyarrow as pa

    types = {"int": pa.int64(), "real": pa.float64()}
    return _stream(pa.table({"id": pa.array(ids, pa.int64()), "value": pa.array(values, types.get(kind, pa.string()))}))


def _stream(rows: Any) -> bytes:
    """Arrow's own format: the child can read it without importing anything more."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    found: bytes = sink.getvalue().to_pybytes()
    return found


__all__ = ["Session"]
