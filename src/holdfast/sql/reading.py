"""Programs are read in a process of their own, under a clock and a memory limit like the queries they become.

Parsers of SQL go back and try again where a text can be read in several ways, and some texts have them do it for ever.
Nothing stops that from inside of a process. One process, started with the first program and kept, reads for all
engines; it has nothing to reach, and what it says is a number or why a program is refused.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import threading

from holdfast.errors import InputError, MissingExtra
from holdfast.sandbox.child import Child
from holdfast.sandbox.wire import Failure
from holdfast.sql.errors import EngineEnded, EngineError, EngineMemory, EngineTimeout
from holdfast.sql.guard import UnsafeProgram
from holdfast.sql.tokens import ParseError

EXAMINER = f"{__package__}.examiner"
PATIENCE_S, MEMORY_MB = 60.0, 1024
REMEMBERED = 2000  # characters of a program that is not read again


def check(sql: str, dialect: str, seconds: float = PATIENCE_S, megabytes: int = MEMORY_MB) -> int:
    """Refuse whatever is not one SELECT over `w` made of known parts; see `holdfast.sql.guard`.

    Args:
        sql: a program or argument in which calls have been replaced by names or values.
        dialect: "sqlite" or "duckdb".
        seconds: that reading may take.
        megabytes: of memory that reading may take.

    Returns:
        How many of the columns that it selects are written `*`.

    Raises:
        UnsafeProgram: it has more than one statement, another statement than SELECT, an unknown function, another
            table than `w` or its own, a recursive query, ...
        ParseError: it is no SQL.
        InputError: it means something else on DuckDB.
        EngineTimeout, EngineMemory: reading takes more than it may; the process was ended, the next call starts one.
        MissingExtra: the parser is not installed.

    Example:
        >>> from holdfast.sql.reading import check
        >>> check("SELECT a, * FROM w", "sqlite")
        1
        >>> check("SELECT readfile('/etc/passwd')", "sqlite")
        Traceback (most recent call last):
        holdfast.sql.guard.UnsafeProgram: program: must not use functions other than the known ones; ...
    """
    if len(sql) > REMEMBERED:
        return _read(sql, dialect, seconds, megabytes)
    key = _Program(sql, dialect)
    key.limits = seconds, megabytes
    return _remembered(key)


class _Program(tuple[str, str]):
    """A text and its dialect; the limits of reading it make no other program of it."""

    limits: tuple[float, int]

    def __new__(cls, *parts: str) -> _Program:
        return super().__new__(cls, parts)


@functools.lru_cache(maxsize=256)  # a program is checked in parts, before its calls are answered and after
def _remembered(program: _Program) -> int:
    return _read(program[0], program[1], *program.limits)


class _Reader:
    """The process, one for each process that asks."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.child: Child | None = None
        self.owner = 0

    def ask(self, sql: str, dialect: str, seconds: float, megabytes: int) -> int:
        """How many columns are stars; raises `Failure`."""
        with self.lock:
            if self.child is None or not self.child.alive or self.owner != os.getpid():
                self.child, self.owner = Child(EXAMINER, "programs"), os.getpid()
            return int(self.child.ask(seconds, sql=sql, dialect=dialect, megabytes=megabytes)["stars"])


_reader = _Reader()


def _read(sql: str, dialect: str, seconds: float, megabytes: int) -> int:
    if importlib.util.find_spec("sqlglot") is None:
        raise MissingExtra("sqlglot", "sql")
    try:
        return _reader.ask(sql, dialect, seconds, megabytes)
    except Failure as failure:
        raise _error(failure, sql, dialect) from None


def _error(failure: Failure, sql: str, dialect: str) -> Exception:
    if failure.kind == "syntax":
        return ParseError(failure.reason, sql, int(failure.detail))
    if failure.kind == "unsafe":
        return UnsafeProgram(failure.reason, failure.detail)
    if failure.kind == "input":
        return InputError("program", failure.reason, failure.detail)
    types = {"timeout": EngineTimeout, "memory": EngineMemory, "ended": EngineEnded}
    return types.get(failure.kind, EngineError)(dialect, f"reading the program: {failure.reason}", sql)


__all__ = ["check"]
