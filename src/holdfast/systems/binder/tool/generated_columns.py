"""Columns that map@ calls add to w: different rows are found by the engine, answered, and joined on again.

Only different rows leave the engine, some at a time; a table of a million rows with ten thousand different cells costs
ten thousand rows of traffic.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from holdfast.errors import HoldfastError, InputError
from holdfast.sql.columntypes import MISSING, Cell, typed
from holdfast.sql.dialect import identifier, text_literal, to_engine
from holdfast.sql.reading import check
from holdfast.sql.table import ROW_ID, SQLTable
from holdfast.systems.binder.method.execution import Value
from holdfast.systems.binder.method.program import Call
from holdfast.systems.binder.tool.arguments import (
    Argument,
    ColumnArgument,
    LiteralArgument,
    QueryArgument,
    read_argument,
    with_row_id,
)
from holdfast.systems.binder.tool.calls import Row, cell_text
from holdfast.systems.binder.tool.result import Step

if TYPE_CHECKING:
    import pandas as pd

    from holdfast.language.budget import Budget
    from holdfast.sql.session import Session
    from holdfast.systems.binder.tool.callrunner import CallRunner

PAGE = 2_000  # different rows fetched at a time
ROWS_AT_ONCE = 200_000
TYPES = {
    "sqlite": {"int": "INTEGER", "real": "REAL", "date": "TEXT", "text": "TEXT"},
    "duckdb": {"int": "BIGINT", "real": "DOUBLE", "date": "VARCHAR", "text": "VARCHAR"},
}
SAME = {"sqlite": "IS", "duckdb": "IS NOT DISTINCT FROM"}


@dataclass(frozen=True)
class Filled:
    """A new column: what stands for the call in its query, and what was done."""

    reference: str
    step: Step


@dataclass(frozen=True)
class _Source:
    """Where rows of a call come from: a SELECT of different rows with columns c0, c1, ..., and how w joins to them."""

    distinct: str
    join: str
    header: Row
    qualifier: str
    rows: int


class GeneratedColumns:
    """The columns that one run adds."""

    def __init__(self, session: Session, table: SQLTable, calls: CallRunner, budget: Budget) -> None:
        self.session, self.table, self.calls, self.budget = session, table, calls, budget
        self.names: list[str] = []
        self._tables: list[str] = []

    # --------------------------------------------------------------------------------------------------------- fill
    def fill(self, call: Call, arguments: Sequence[str], predicates: list[tuple[str, str]] | None) -> Filled:
        """Answer a call for all rows it is needed for and add the column.

        Args:
            call: as it stands in the program.
            arguments: their texts, inner calls replaced.
            predicates: names of w and conditions that select the rows; None for all.
        """
        number = len(self.names) + 1
        name = self._free_name(number)
        parsed = [read_argument(text, self.table, self.names) for text in arguments]
        queries = any(isinstance(argument, QueryArgument) for argument in parsed)
        source = self._of_queries(parsed, number) if queries else self._of_columns(parsed, predicates)
        asked = self._keep(f"binder_ask_{number}", source.distinct, ours=queries)
        answers, cached, sent = self._answered(call.question, asked, source.header)
        self._join(name, asked, source, answers)
        first = tuple(list(dict.fromkeys(answers.values()))[:10])
        step = Step(
            "map", call.text, source.distinct, call.question, name, source.rows, len(answers), cached, sent, first
        )
        prefix = f"{source.qualifier}." if source.qualifier else ""
        return Filled(prefix + identifier(name), step)

    def _of_columns(self, arguments: Sequence[Argument], predicates: list[tuple[str, str]] | None) -> _Source:
        """Arguments that are columns of w, perhaps with literals beside them."""
        qualifiers = {a.qualifier for a in arguments if isinstance(a, ColumnArgument)}
        if len(qualifiers) > 1:
            raise InputError("program", "must name one table in the arguments of one call", sorted(qualifiers))
        cells = [self._cell(argument) for argument in arguments]
        listed = ", ".join(f"{cell} AS c{i}" for i, cell in enumerate(cells))
        where = ""
        if predicates is not None and len(predicates) == 1:
            alias, condition = predicates[0]
            where = f"{f' AS {identifier(alias)}' if alias else ''} WHERE {condition}"
        elif predicates is not None:
            where = " WHERE " + " OR ".join(
                f"{ROW_ID} IN (SELECT {ROW_ID} FROM w{f' AS {identifier(alias)}' if alias else ''} WHERE {condition})"
                for alias, condition in predicates
            )
        rows = len(self.table)
        if where:
            count = f"SELECT COUNT(*) FROM w{where}"
            self._check(count)
            rows = self.session.query(count, self.budget.query_s, 1)[1][0][0]
        same = SAME[self.session.engine]
        join = "FROM {ask} AS a WHERE " + " AND ".join(
            f"a.c{i} {same} {cell if isinstance(argument, LiteralArgument) else f'w.{cell}'}"
            for i, (cell, argument) in enumerate(zip(cells, arguments, strict=True))
        )
        header = tuple(a.name if isinstance(a, ColumnArgument) else "value" for a in arguments)
        distinct = f"SELECT DISTINCT {listed} FROM w{where}"
        return _Source(distinct, join, header, qualifiers.pop() if qualifiers else "", rows)

    def _cell(self, argument: Argument) -> str:
        if isinstance(argument, ColumnArgument):
            return identifier(argument.name)
        value = argument.value if isinstance(argument, LiteralArgument) else None
        return text_literal(value) if isinstance(value, str) else repr(value)

    def _of_queries(self, arguments: Sequence[Argument], number: int) -> _Source:
        """Arguments of which one at least is a SELECT: rows are known by their row_id."""
        parts: list[str] = []
        header: list[str] = []
        selects: list[str] = []
        for i, argument in enumerate(arguments):
            if isinstance(argument, LiteralArgument):
                selects.append(f"{self._cell(argument)} AS c{len(header)}")
                header.append("value")
                continue
            if isinstance(argument, ColumnArgument):
                sql = f"SELECT {ROW_ID}, {identifier(argument.name)} FROM w"
            else:
                sql = with_row_id(argument.sql)
            sql = to_engine(sql, [*self.table.columns, *self.names], self.session.engine)
            self._check(sql)
            names = self.session.check(sql, self.budget.query_s)
            if not names or names[0].casefold() != ROW_ID or len(names) < 2:
                raise InputError("program", "must give row_id and a column in the SELECT of a map@ call", sql)
            part = self._keep(f"binder_part_{number}_{i}", sql)
            positions = [n for n, _ in enumerate(names) if names[n].casefold() != ROW_ID]
            stored = self._columns_of(part)
            parts.append(part)
            selects += [f"p{len(parts)}.{identifier(stored[p])} AS c{len(header) + k}" for k, p in enumerate(positions)]
            header += [names[p] for p in positions]
        rows = self._merged(parts, selects, number)
        listed = ", ".join(f"c{i}" for i in range(len(header)))
        same = SAME[self.session.engine]
        merged = identifier(f"binder_rows_{number}")
        join = f"FROM {merged} AS s, {{ask}} AS a WHERE s.{ROW_ID} = w.{ROW_ID} AND " + " AND ".join(
            f"a.c{i} {same} s.c{i}" for i in range(len(header))
        )
        return _Source(f"SELECT DISTINCT {listed} FROM {merged}", join, tuple(header), "", rows)

    def _merged(self, parts: list[str], selects: list[str], number: int) -> int:
        """Parts side by side by row_id, as a table."""
        counts = [self._run(f"SELECT COUNT(*), COUNT(DISTINCT {ROW_ID}) FROM {identifier(p)}")[0] for p in parts]
        if len({total for total, _ in counts}) > 1:
            raise InputError(
                "program", "must give arguments of one call with equal numbers of rows", [c[0] for c in counts]
            )
        if any(total != different for total, different in counts):
            raise InputError("program", "must give every row once in the SELECT of a map@ call", f"{counts[0][0]} rows")
        joins = " ".join(
            f"JOIN {identifier(part)} AS p{i} ON p{i}.{ROW_ID} = p1.{ROW_ID}" for i, part in enumerate(parts[1:], 2)
        )
        merged = f"binder_rows_{number}"
        listed = f"SELECT p1.{ROW_ID} AS {ROW_ID}, {', '.join(selects)} FROM {identifier(parts[0])} AS p1 {joins}"
        self._keep(merged, listed, ours=True)
        self._run(f"CREATE INDEX {identifier(merged + '_by_row')} ON {identifier(merged)} ({ROW_ID})")
        return int(counts[0][0])

    # ------------------------------------------------------------------------------------------------------ answers
    def _answered(self, question: str, asked: str, header: Row) -> tuple[dict[int, str], int, int]:
        """Answers by the rowid of the different rows; how many of them the cache knew and how many were sent."""
        answers: dict[int, str] = {}
        total = int(self._run(f"SELECT COUNT(*) FROM {identifier(asked)}")[0][0])
        cached = sent = 0
        last, left = -1, total
        while left > 0:
            query = f"SELECT rowid, * FROM {identifier(asked)} WHERE rowid > {last} ORDER BY rowid LIMIT {PAGE}"
            page = self._run(query)
            last, left = page[-1][0], left - len(page)
            rows = {row[0]: tuple(map(cell_text, row[1:])) for row in page if any(cell is not None for cell in row[1:])}
            total -= len(page) - len(rows)
            if rows:
                mapped = self.calls.map(question, list(rows.values()), header, before=len(answers), total=total)
                answers.update(zip(rows, map(sys.intern, mapped.answers), strict=True))
                cached, sent = cached + mapped.cached, sent + mapped.asked
        return answers, cached, sent

    def _join(self, name: str, asked: str, source: _Source, answers: dict[int, str]) -> None:
        """Put the answers beside the different rows, and these beside the rows of w."""
        kind, values = typed(answers.values(), MISSING)
        sql_type = TYPES[self.session.engine][kind]
        filled: dict[int, Cell] = {row: values[answer] for row, answer in answers.items()}
        self._run(f"ALTER TABLE {identifier(asked)} ADD COLUMN answer {sql_type}")
        self.session.fill(asked, "answer", kind, list(filled), list(filled.values()), self.budget.remaining_s)
        keys = ", ".join(f"c{i}" for i in range(len(source.header)))
        # A subquery, not UPDATE ... FROM: SQLite would build the whole join first.
        join = source.join.format(ask=identifier(asked))
        found = f"a.answer {join}" if self.session.engine == "duckdb" else f"(SELECT a.answer {join})"
        self._run(
            f"CREATE INDEX {identifier(asked + '_by_cell')} ON {identifier(asked)} ({keys})",
            f"ALTER TABLE w ADD COLUMN {identifier(name)} {sql_type}",
            f"UPDATE w SET {identifier(name)} = {found}",
        )
        self.names.append(name)

    # ------------------------------------------------------------------------------------------------------ results
    def values(self, name: str) -> list[Value]:
        """A generated column, in the order of row_id."""
        return list(self.frame()[name])

    def frame(self) -> pd.DataFrame:
        """The generated columns, indexed by row_id; equal texts are kept once."""
        import numpy as np
        import pandas as pd

        index = pd.RangeIndex(len(self.table), name=ROW_ID)
        columns = {}
        for name in self.names:
            cells = np.empty(len(self.table), object)
            for low in range(0, len(self.table), ROWS_AT_ONCE):
                bounds = f"{ROW_ID} >= {low} AND {ROW_ID} < {low + ROWS_AT_ONCE}"
                sql = f"SELECT {identifier(name)} FROM w WHERE {bounds} ORDER BY {ROW_ID}"
                values, codes = self.session.column(sql, self.budget.remaining_s)
                shared = np.empty(len(values), object)
                shared[:] = values
                cells[low : low + len(codes)] = shared[codes]
            columns[name] = pd.Series(cells, index, dtype=object)
        return pd.DataFrame(columns, index=index, columns=pd.Index(self.names, dtype=object))

    def drop(self) -> None:
        """Take the columns and tables away again; where that fails the table is loaded anew next time."""
        tables = [f"DROP TABLE {identifier(table)}" for table in self._tables]
        columns = [f"ALTER TABLE w DROP COLUMN {identifier(name)}" for name in self.names]
        if not tables and not columns:
            return
        try:
            self.session.run([*tables, *columns], None)
        except HoldfastError:
            self.session.forget()

    # -------------------------------------------------------------------------------------------------------- pieces
    def _free_name(self, number: int) -> str:
        taken = {name.casefold() for name in (*self.table.columns, *self.names)}
        name = f"col_{number}"
        while name in taken:
            name += "_"
        return name

    def _keep(self, name: str, sql: str, ours: bool = False) -> str:
        """Keep what a SELECT gives as a table. One that has parts of a program in it runs guarded."""
        if ours:
            self._run(f"CREATE TABLE {identifier(name)} AS {sql}")
        else:
            self._check(sql)
            self.session.stage(name, sql, self.budget.query_s)
        self._tables.append(name)
        return name

    def _check(self, sql: str) -> None:
        check(sql, self.session.engine, self.budget.query_s, self.budget.limits.memory_mb)

    def _columns_of(self, name: str) -> list[str]:
        """Names as stored, where equal ones were told apart by the engine."""
        query = f"SELECT name FROM pragma_table_info({text_literal(name)}) ORDER BY cid"
        return [str(row[0]) for row in self._run(query)]

    def _run(self, *statements: str) -> list[list[Any]]:
        return self.session.run(statements, self.budget.remaining_s)


__all__ = ["Filled", "GeneratedColumns"]
