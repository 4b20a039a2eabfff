"""What an engine may say instead of an answer."""

from __future__ import annotations

from typing import Any

from holdfast.errors import HoldfastError


class EngineError(HoldfastError):
    """The engine refused a query or failed; the query after substitution is part of the message.

    Attributes:
        engine: "sqlite" or "duckdb".
        reason: in the engine's words, or ours.
        sql: the query as the engine got it.
    """

    def __init__(self, engine: str, reason: str, sql: str = "") -> None:
        self.engine, self.reason, self.sql = engine, " ".join(reason.split()), sql
        shown = " ".join(sql.split())
        shown = shown if len(shown) <= 300 else shown[:297] + "..."
        super().__init__(f"{engine}: {self.reason}" + (f"; in the query {shown}" if sql else ""))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.engine, self.reason, self.sql)


class EngineTimeout(EngineError):
    """A query took longer than it may; it was interrupted, or its process killed."""


class EngineMemory(EngineError):
    """A query needed more memory than it may, or gave more rows; its process may have been killed."""


class EngineEnded(EngineError):
    """The engine's process has ended, or did not start."""


class UnknownColumn(EngineError):
    """A query names a column that the table does not have.

    Attributes:
        column: the name.
    """

    def __init__(self, engine: str, reason: str, sql: str = "", column: str = "") -> None:
        super().__init__(engine, reason, sql)
        self.column = column

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.engine, self.reason, self.sql, self.column)


__all__ = ["EngineEnded", "EngineError", "EngineMemory", "EngineTimeout", "UnknownColumn"]
