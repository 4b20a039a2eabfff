"""The table w in an engine, with backends that are asked about it: what `method.execution` runs programs on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from holdfast.errors import InputError
from holdfast.sql.dialect import identifier, to_engine
from holdfast.sql.errors import EngineError, EngineTimeout
from holdfast.sql.reading import check
from holdfast.sql.table import ROW_ID
from holdfast.sql.tokens import tokenize, unwrap
from holdfast.systems.binder.method.execution import Bound, Value, replaced
from holdfast.systems.binder.method.program import BinderProgram, Call
from holdfast.systems.binder.tool.generated_columns import GeneratedColumns
from holdfast.systems.binder.tool.pushdown import scope_of
from holdfast.systems.binder.tool.result import Step
from holdfast.systems.binder.tool.subtables import read_subtable

if TYPE_CHECKING:
    from holdfast.language.budget import Budget
    from holdfast.sql.session import Session
    from holdfast.sql.table import SQLTable
    from holdfast.systems.binder.tool.callrunner import CallRunner


class EngineTable:
    """One run of one program on one table; see `holdfast.systems.binder.method.execution.AskedTable`.

    Args:
        session: an engine with the table in it.
        program: that is run.
        table: as it was loaded.
        calls: answers the calls.
        budget: what may be spent.

    Attributes:
        generated: the columns added so far.
        trace: what was done.
    """

    def __init__(
        self, session: Session, program: BinderProgram, table: SQLTable, calls: CallRunner, budget: Budget
    ) -> None:
        self.session, self.program, self.table, self.calls, self.budget = session, program, table, calls, budget
        self.generated = GeneratedColumns(session, table, calls, budget)
        self.trace: list[Step] = []

    # -------------------------------------------------------------------------------------------------------- calls
    def f_col(self, call: Call, arguments: Sequence[str], bound: Bound) -> str:
        """A new column, with answers for the rows that conditions leave."""
        start = time.monotonic()
        same = [other for other in self.program.occurrences if other.text == call.text]
        filled = self.generated.fill(call, arguments, self._predicates(same, bound))
        self.trace.append(replace(filled.step, seconds=time.monotonic() - start))
        return filled.reference

    def f_val(self, call: Call, arguments: Sequence[str]) -> tuple[str, ...]:
        """The answers about a part of the table."""
        start = time.monotonic()
        part = read_subtable(arguments, self.table, self.generated.names, self._query)
        answers, cached = self.calls.answer(call.question, part.rows, part.header)
        known = len(part.rows) if cached else 0
        step = Step("ans", call.text, part.sql, call.question, "", len(part.rows), len(part.rows), known)
        step = replace(step, asked=len(part.rows) - known, output=tuple(answers), seconds=time.monotonic() - start)
        self.trace.append(step)
        return tuple(answers)

    def column(self, name: str) -> list[Value]:
        """The cells of the column that was added last, which is the one of a program that is a call."""
        return self.generated.values(self.generated.names[-1])

    # ------------------------------------------------------------------------------------- rows that have to be asked
    def _predicates(self, occurrences: Sequence[Call], bound: Bound) -> list[tuple[str, str]] | None:
        """For each place of a call, the name of w there and what selects the rows it is needed for; None for all."""
        found = []
        for call in occurrences:
            scope = scope_of(self.program.text, self._statement(call), call.span)
            conditions = [] if scope is None else [self._condition(s, scope.alias, bound) for s in scope.conditions]
            known = [condition for condition in conditions if condition]
            if scope is None or not known:
                return None
            found.append((scope.alias, " AND ".join(f"({condition})" for condition in known)))
        return list(dict.fromkeys(found))

    def _condition(self, span: tuple[int, int], alias: str, bound: Bound) -> str | None:
        """A condition as the engine reads it, if it has no open call and stands on its own."""
        inside = [c for c in self.program.occurrences if span[0] <= c.span[0] and c.span[1] <= span[1]]
        outermost = [c for c in inside if not any(o is not c and _within(c, o) for o in inside)]
        if any(call.text not in bound for call in outermost):
            return None
        sql = self._engine_sql(replaced(self.program, bound, *span))
        probe = f"SELECT {ROW_ID} FROM w{f' AS {identifier(alias)}' if alias else ''} WHERE ({sql})"
        try:
            self._check(probe)
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
    def select(self, sql: str) -> list[Value]:
        """The cells that belong to the answer of the last query."""
        start = time.monotonic()
        ran, columns, rows = self._query(sql)
        kept = self._kept(columns, self._check(ran))
        answer: list[Value] = [row[i] for row in rows for i in kept]
        step = Step("sql", self.program.text, ran, rows=len(rows), output=tuple(answer[:20]))
        self.trace.append(replace(step, seconds=time.monotonic() - start))
        return answer

    def _query(self, sql: str) -> tuple[str, list[str], list[list[Any]]]:
        sql = self._engine_sql(sql)
        self._check(sql)
        columns, rows = self.session.query(sql, self.budget.query_s, self.budget.limits.result_rows)
        return sql, columns, rows

    def _check(self, sql: str) -> int:
        return check(sql, self.session.engine, self.budget.query_s, self.budget.limits.memory_mb)

    def _engine_sql(self, sql: str) -> str:
        tokens = unwrap(sql, tokenize(sql))
        text = sql[tokens[0].start : tokens[-1].end] if tokens else sql
        return to_engine(text, [*self.table.columns, *self.generated.names], self.session.engine)

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


__all__ = ["EngineTable"]
