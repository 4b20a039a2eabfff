"""Runs programs on tables: within limits, in an engine that can reach nothing, with backends that answer their calls.

The order of the work is `method.execution`'s. Differences from the reference code: every row gets its answer or the run
fails (there, rows without one are lost); nothing is evaluated as Python; rows that call-free conditions remove are not
asked about; a row whose cells are all NULL is not asked about, its answer is NULL; a literal among the arguments of a
call stands beside every row; programs run in a process without files, network or environment.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.errors import HoldfastError
from holdfast.language.budget import Budget, BudgetExceeded, Limits, Usage, current_budget
from holdfast.language.cache import AnswerCache
from holdfast.sql.columntypes import whole
from holdfast.sql.dialect import to_engine
from holdfast.sql.errors import EngineError, EngineTimeout, UnknownColumn
from holdfast.sql.reading import check
from holdfast.sql.session import Session
from holdfast.systems.binder.method.execution import execute
from holdfast.systems.binder.method.program import BinderProgram
from holdfast.systems.binder.tool.arguments import unknown_column
from holdfast.systems.binder.tool.callrunner import CallRunner, Progress
from holdfast.systems.binder.tool.calls import Answerer, Mapper
from holdfast.systems.binder.tool.engine_table import EngineTable
from holdfast.systems.binder.tool.result import Result
from holdfast.validation import check_choice, check_integer

if TYPE_CHECKING:
    from holdfast.sql.table import SQLTable

ENGINES = ("sqlite", "duckdb")
NOT_SQLITE = "; programs are written for SQLite, perhaps engine='sqlite' can run it"


class Executor:
    """Runs programs on tables.

    Args:
        engine: "sqlite", for which programs are written, or "duckdb", which is faster on large tables.
        mapper: answers map@ calls.
        answerer: answers ans@ calls.
        chunk_rows: rows in one request to the mapper.
        cache: where answers are kept: a path, an `AnswerCache`, or None for memory (as long as the executor lives).
        progress: is told after each request of a map@ call how many different rows are answered, of how many.
        limits: for each run. Inside of `with Budget(...)`, that budget counts instead, and may span several runs.

    The engine's process starts with the first run and ends with `close`, `with`, or the executor itself. One executor
    is not for several threads at once.

    Example:
        >>> from holdfast.systems.binder import Executor, FunctionMapper, Table
        >>> table = Table.from_dict({"stadium": ["Superdome", "Lambeau Field"], "points": [31, 14]})
        >>> mapper = FunctionMapper(lambda question, cell: "yes" if cell == "Superdome" else "no", name="home")
        >>> with Executor(mapper=mapper) as executor:
        ...     result = executor.run('SELECT SUM(points) FROM w WHERE QA("map@at home?"; stadium) = \\'yes\\'', table)
        >>> result.answer, result.cost.calls, list(result.columns["col_1"])
        ([31], 1, ['yes', 'no'])
    """

    def __init__(
        self,
        engine: str = "sqlite",
        mapper: Mapper | None = None,
        answerer: Answerer | None = None,
        chunk_rows: int = 50,
        cache: AnswerCache | str | Path | None = None,
        limits: Limits | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.mapper, self.answerer = mapper, answerer
        self.chunk_rows = check_integer(chunk_rows, "chunk_rows", low=1)
        self.cache = cache if isinstance(cache, AnswerCache) else AnswerCache(cache)
        self.limits, self.progress = limits or Limits(), progress
        self.engine = check_choice(engine, ENGINES, "engine")
        self.session = Session(self.engine)

    def run(self, program: str | BinderProgram, table: SQLTable) -> Result:
        """The answer of a program.

        Raises:
            ParseError: quotes, parentheses or calls are malformed; with position.
            UnsafeProgram: it is more than one SELECT over w of known parts.
            InputError: a column is not there; the nearest one is suggested.
            MapperLengthError, NoBackend, CallFailed: calls were not answered; finished answers are in the cache.
            BudgetExceeded: a limit was reached; what was done and what is left.
            EngineError: the engine refused or failed, took too long or needed too much memory; with the SQL.
        """
        start, outer = time.monotonic(), current_budget()
        if outer is None:
            with Budget(self.limits) as budget:
                return self._run(program, table, budget, start)
        return self._run(program, table, outer, start)

    def _run(self, program: str | BinderProgram, table: SQLTable, budget: Budget, start: float) -> Result:
        before = budget.spent
        parsed = BinderProgram.parse(whole(program)) if isinstance(program, str) else program
        self._refuse_early(parsed, table, budget)
        self.session.load(table, budget.limits.memory_mb)
        calls = CallRunner(self.mapper, self.answerer, self.cache, budget, self.chunk_rows, self.progress)
        asked = EngineTable(self.session, parsed, table, calls, budget)
        try:
            done = execute(parsed, asked)
            columns = asked.generated.frame()
            asked.generated.drop()
        except BaseException as error:
            self.session.forget()  # half-made columns may be in it
            if isinstance(error, EngineError):
                raise self._explained(error, table, budget) from error
            raise
        cost = replace(_less(budget.spent, before), seconds=time.monotonic() - start)
        sql = asked.trace[-1].sql if done.sql else ""
        return Result(done.answer, columns, asked.trace, cost, parsed.text, sql, table)

    def _refuse_early(self, program: BinderProgram, table: SQLTable, budget: Budget) -> None:
        """An unsafe or broken program is refused before any call costs money."""
        names = [*table.columns, *(f"call_{i}" for i in range(1, len(program.calls) + 1))]
        if not program.is_call:
            sql = to_engine(program.skeleton, names, self.engine)
            check(sql, self.engine, budget.query_s, budget.limits.memory_mb)

    def _explained(self, error: EngineError, table: SQLTable, budget: Budget) -> HoldfastError:
        """The error in terms of the table and the limits."""
        if isinstance(error, UnknownColumn):
            return unknown_column(error.column or error.reason, table)
        if isinstance(error, EngineTimeout) and budget.remaining_s == 0.0:
            return BudgetExceeded("timeout_s", budget.limits.timeout_s or 0.0, budget.spent, str(error))
        if self.engine == "duckdb" and type(error) is EngineError:
            return EngineError(error.engine, error.reason + NOT_SQLITE, error.sql)
        return error

    def close(self) -> None:
        """End the engine's process."""
        self.session.close()

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _less(all_of_it: Usage, before: Usage) -> Usage:
    fields: dict[str, Any] = {name: getattr(all_of_it, name) - getattr(before, name) for name in vars(all_of_it)}
    return Usage(**fields)


__all__ = ["ENGINES", "Executor"]
