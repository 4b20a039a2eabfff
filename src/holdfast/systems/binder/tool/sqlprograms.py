"""Programs in SQL: finds the rows each call is about, has them answered, puts the answers in the calls' place."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from holdfast.errors import HoldfastError, InputError
from holdfast.language.budget import Budget, BudgetExceeded
from holdfast.sql.dialect import answer_literal, identifier, to_engine
from holdfast.sql.errors import EngineError, EngineTimeout, UnknownColumn
from holdfast.sql.guard import check
from holdfast.sql.session import Session
from holdfast.sql.table import ROW_ID
from holdfast.sql.tokens import tokenize, unwrap
from holdfast.systems.binder.method.program import BinderProgram, Call
from holdfast.systems.binder.tool.arguments import unknown_column
from holdfast.systems.binder.tool.executor import Outcome
from holdfast.systems.binder.tool.generated_columns import GeneratedColumns
from holdfast.systems.binder.tool.result import Step, Value
from holdfast.systems.binder.tool.subtables import read_subtable

if TYPE_CHECKING:
    from holdfast.sql.table import SQLTable
    from holdfast.systems.binder.tool.callrunner import CallRunner

NOT_SQLITE = "; programs are written for SQLite, perhaps engine='sqlite' can run it"


class SQLPrograms:
    """The language of the paper: SQL over one table w, with calls.

    Args:
        engine: "sqlite" or "duckdb".
        threads: threads of the engine (DuckDB).
    """

    def __init__(self, engine: str = "sqlite", threads: int = 1) -> None:
        self.engine = engine
        self.session = Session(engine, threads)

    def run(self, program: str | BinderProgram, table: SQLTable, calls: CallRunner, budget: Budget) -> Outcome:
        """Run a program on a table within a budget."""
        parsed = BinderProgram.parse(program) if isinstance(program, str) else program
        self._refuse_early(parsed, table)
        self.session.load(table, budget.limits.memory_mb)
        run = _Run(self.session, parsed, table, calls, budget)
        try:
            outcome = run.outcome()
            run.generated.drop()
            return outcome
        except BaseException as error:
            self.session.forget()  # half-made columns may be in it
            if isinstance(error, EngineError):
                raise self._explained(error, table, budget) from error
            raise

    def _explained(self, error: EngineError, table: SQLTable, budget: Budget) -> HoldfastError:
        """The error in terms of the table and the limits."""
        if isinstance(error, UnknownColumn):
            return unknown_column(error.column or error.reason, table)
        if isinstance(error, EngineTimeout) and budget.remaining_s == 0.0:
            return BudgetExceeded("timeout_s", budget.limits.timeout_s or 0.0, budget.spent, str(error))
        if self.engine == "duckdb" and type(error) is EngineError:
            return EngineError(error.engine, error.reason + NOT_SQLITE, error.sql)
        return error

    def _refuse_early(self, program: BinderProgram, table: SQLTable) -> None:
        """An unsafe or broken program is refused before any call costs money."""
        names = [*table.columns, *(f"call_{i}" for i in range(1, len(program.calls) + 1))]
        if not program.is_call:
            check(to_engine(program.skeleton, names, self.engine), self.engine)

    def close(self) -> None:
        """End the engine's process."""
        self.session.close()


class _Run:
    """One run of one program: the replacements found so far."""

    def __init__(
        self, session: Session, program: BinderProgram, table: SQLTable, calls: CallRunner, budget: Budget
    ) -> None:
        self.session, self.program, self.table, self.calls, self.budget = session, program, table, calls, budget
        self.generated = GeneratedColumns(session, table, calls, budget)
        self.replacements: dict[str, str] = {}
        self.trace: list[Step] = []

    def outcome(self) -> Outcome:
        answer: list[Value] = []
        for call in self.program.calls:
            whole = call.text == self.program.text.strip()
            answer = self._map(call) if call.kind == "map" else self._ans(call)
            if whole:
                return Outcome(answer, self.generated.frame(), self.trace, "")
        sql = self._engine_sql(self.program.substitute(self.replacements))
        answer = self._final(sql)
        return Outcome(answer, self.generated.frame(), self.trace, sql)

    # -------------------------------------------------------------------------------------------------------- calls
    def _map(self, call: Call) -> list[Value]:
        start = time.monotonic()
        arguments = self._arguments(call)
        same = [other for other in self.program.occurrences if other.text == call.text]
        filled = self.generated.fill(call, arguments, self._predicates(same))
        self.replacements[call.text] = filled.reference
        self.trace.append(replace(filled.step, seconds=time.monotonic() - start))
        return self.generated.values(filled.step.column) if self.program.is_call else []

    def _ans(self, call: Call) -> list[Value]:
        start = time.monotonic()
        part = read_subtable(self._arguments(call), self.table, self.generated.names, self._query)
        answers, cached = self.calls.answer(call.question, part.rows, part.header)
        self.replacements[call.text] = answer_literal(answers)
        known = len(part.rows) if cached else 0
        step = Step("ans", call.text, part.sql, call.question, "", len(part.rows), len(part.rows), known)
        step = replace(step, asked=len(part.rows) - known, output=tuple(answers), seconds=time.monotonic() - start)
        self.trace.append(step)
        return list(answers)

    def _arguments(self, call: Call) -> list[str]:
        return [self.program.substitute(self.replacements, *span) for span in call.arg_spans]

    def _predicates(self, occurrences: Sequence[Call]) -> list[tuple[str, str]] | None:
        """For each place of a call, the name of w there and what selects the rows it is needed for; None for all."""
        from holdfast.systems.binder.tool.pushdown import scope_of

        found = []
        for call in occurrences:
            scope = scope_of(self.program.text, self._statement(call), call.span)
            conditions = [] if scope is None else [self._condition(span, scope.alias) for span in scope.conditions]
            known = [condition for condition in conditions if condition]
            if scope is None or not known:
                return None
            found.append((scope.alias, " AND ".join(f"({condition})" for condition in known)))
        return list(dict.fromkeys(found))

    def _condition(self, span: tuple[int, int], alias: str) -> str | None:
        """A condition as the engine reads it, if it has no open call and stands on its own."""
        inside = [c for c in self.program.occurrences if span[0] <= c.span[0] and c.span[1] <= span[1]]
        outermost = [c for c in inside if not any(o is not c and _within(c, o) for o in inside)]
        if any(call.text not in self.replacements for call in outermost):
            return None
        sql = self._engine_sql(self.program.substitute(self.replacements, *span))
        probe = f"SELECT {ROW_ID} FROM w{f' AS {identifier(alias)}' if alias else ''} WHERE ({sql})"
        try:
            check(probe, self.session.engine)
            self.session.check(probe, self.budget.query_s)
        except EngineTimeout:
            raise
        except (EngineError, InputError):
            return None  # it refers to the query around: then all rows are asked about
        return sql

    def _statement(self, call: Call) -> tuple[int, int]:
        """Offsets of the statement that a call is part of: an argument of the call around it, or the program."""
        around = [o for o in self.program.occurrences if _within(call, o)]
        if not around:
            return 0, len(self.program.text)
        inner = min(around, key=lambda o: o.span[1] - o.span[0])
        return next(s for s in inner.arg_spans if s[0] <= call.span[0] and call.span[1] <= s[1])

    # -------------------------------------------------------------------------------------------------------- query
    def _engine_sql(self, sql: str) -> str:
        tokens = unwrap(sql, tokenize(sql))
        text = sql[tokens[0].start : tokens[-1].end] if tokens else sql
        return to_engine(text, [*self.table.columns, *self.generated.names], self.session.engine)

    def _query(self, sql: str) -> tuple[str, list[str], list[list[Any]]]:
        sql = self._engine_sql(sql)
        check(sql, self.session.engine)
        limits = self.budget.limits
        columns, rows = self.session.query(sql, self.budget.query_s, limits.result_rows)
        return sql, columns, rows

    def _final(self, sql: str) -> list[Value]:
        start = time.monotonic()
        tree = check(sql, self.session.engine)
        columns, rows = self.session.query(sql, self.budget.query_s, self.budget.limits.result_rows)
        kept = self._kept(columns, sum(1 for part in tree.expressions if part.is_star))
        answer: list[Value] = [row[i] for row in rows for i in kept]
        step = Step("sql", self.program.text, sql, rows=len(rows), output=tuple(answer[:20]))
        self.trace.append(replace(step, seconds=time.monotonic() - start))
        return answer

    def _kept(self, columns: list[str], stars: int) -> list[int]:
        """Columns that belong to the answer: not row_id beside others, nor generated ones that only * brought in."""
        left = dict.fromkeys(self.generated.names, stars)
        kept = []
        for i, name in enumerate(columns):
            if left.get(name, 0):
                left[name] -= 1
            elif name.casefold() != ROW_ID or len(columns) == 1:
                kept.append(i)
        return kept


def _within(inner: Call, outer: Call) -> bool:
    return inner is not outer and outer.span[0] <= inner.span[0] and inner.span[1] <= outer.span[1]


__all__ = ["SQLPrograms"]
