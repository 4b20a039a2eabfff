"""Runs programs: calls first, inner before outer, then the SQL that is left (section 2.2, algorithm of the appendix).

Differences from the reference code: every row gets its answer or the run fails (there, rows without one are lost);
calls are replaced by position, never by searching for their text; nothing is evaluated as Python; rows that call-free
conditions remove are not asked about; a row whose cells are all NULL is not asked about, its answer is NULL; a literal
among the arguments of a call stands beside every row; programs run in a process without files, network or environment.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from holdfast.language.budget import Budget, Limits, Usage, current_budget
from holdfast.language.cache import AnswerCache
from holdfast.systems.binder.method.program import BinderProgram
from holdfast.systems.binder.tool.callrunner import CallRunner, Progress
from holdfast.systems.binder.tool.calls import Answerer, Mapper
from holdfast.systems.binder.tool.result import Result, Step, Value
from holdfast.validation import check_choice, check_integer

if TYPE_CHECKING:
    import pandas as pd

    from holdfast.sql.table import SQLTable

ENGINES = ("sqlite", "duckdb")


@dataclass(frozen=True)
class Outcome:
    """What a language makes of a program: see `Result` for the fields."""

    answer: list[Value]
    columns: pd.DataFrame
    trace: list[Step]
    sql: str


class Language(Protocol):
    """A language of programs. The calls in it are answered by the `CallRunner` it is given; how the rest runs, and what
    it may touch, is its own affair. SQL is `holdfast.systems.binder.tool.sqlprograms.SQLPrograms`."""

    def run(self, program: str | BinderProgram, table: SQLTable, calls: CallRunner, budget: Budget) -> Outcome:
        """Run a program on a table within a budget."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class Executor:
    """Runs programs on tables.

    Args:
        engine: "sqlite", "duckdb", or another `Language` than SQL.
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
        engine: str | Language = "sqlite",
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
        self.language = _sql(engine) if isinstance(engine, str) else engine

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
        calls = CallRunner(self.mapper, self.answerer, self.cache, budget, self.chunk_rows, self.progress)
        outcome = self.language.run(program, table, calls, budget)
        cost = replace(_less(budget.spent, before), seconds=time.monotonic() - start)
        text = program if isinstance(program, str) else program.text
        return Result(outcome.answer, outcome.columns, outcome.trace, cost, text, outcome.sql, table)

    def close(self) -> None:
        """End the engine's process."""
        self.language.close()

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _sql(engine: str) -> Language:
    from holdfast.systems.binder.tool.sqlprograms import SQLPrograms

    return SQLPrograms(check_choice(engine, ENGINES, "engine"))


def _less(all_of_it: Usage, before: Usage) -> Usage:
    fields: dict[str, Any] = {name: getattr(all_of_it, name) - getattr(before, name) for name in vars(all_of_it)}
    return Usage(**fields)


__all__ = ["Executor", "Language", "Outcome"]
