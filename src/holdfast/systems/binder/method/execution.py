"""Programs are executed from the inside out (section 2.2 of the paper, and the algorithm of its appendix).

A program is SQL over the table w with calls of a language model inside:

- f_col(question, columns), written `QA("map@question"; columns)`, is a column: one value for every row of w;
- f_val(question, sub-table), written `QA("ans@question"; sub-table)`, is a value, or several.

    for each call, inner ones before those that they are in:
        its arguments <- as written, every call in them replaced by what stands for it
        map@: w gets a new column, filled by the language model; the name of the column stands for the call
        ans@: the language model answers; a literal stands for the call, or a list where SQL wants one (after IN)
    the SQL that is left is run by an engine; if the program is nothing but a call, its result is the answer

Differences from the reference code: calls are replaced by position, never by searching for their text; `x IN` a call
is a comparison with a list of however many answers there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from holdfast.sql.columntypes import parse_int, parse_real
from holdfast.sql.dialect import text_literal
from holdfast.systems.binder.method.program import BinderProgram, Call, Place

Value = str | int | float | None
Bound = Mapping[str, str | tuple[str, ...]]  # text of a call -> the name of its column, or its answers
NO_ROWS = "SELECT NULL WHERE 1 = 0"


class AskedTable(Protocol):
    """The table w in an SQL engine, with a language model that is asked about it."""

    def f_col(self, call: Call, arguments: Sequence[str], bound: Bound) -> str:
        """Add a column to w: the answer to the call's question for every row; what the column is called in SQL.

        Args:
            call: as it stands in the program.
            arguments: its arguments as SQL, without calls.
            bound: what stands for the calls before it; conditions that are known by now may save questions.
        """
        ...

    def f_val(self, call: Call, arguments: Sequence[str]) -> tuple[str, ...]:
        """The answers to the call's question about a part of w."""
        ...

    def column(self, name: str) -> list[Value]:
        """The cells of an added column, by its name in SQL, in the order of the rows."""
        ...

    def select(self, sql: str) -> list[Value]:
        """The cells of a query's result, row by row."""
        ...


@dataclass(frozen=True)
class Executed:
    """What a program came to.

    Attributes:
        answer: cells of the result, row by row; or the answers of the call that is the whole program.
        sql: the SQL that was left ("" if the program is a call).
    """

    answer: list[Value]
    sql: str


def execute(program: BinderProgram, table: AskedTable) -> Executed:
    """Run a program on a table: calls from the inside out, then the SQL that is left."""
    bound: dict[str, str | tuple[str, ...]] = {}
    for call in program.calls:
        arguments = [replaced(program, bound, *span) for span in call.arg_spans]
        if call.kind == "map":
            bound[call.text] = table.f_col(call, arguments, bound)
        else:
            bound[call.text] = table.f_val(call, arguments)
    if program.is_call:
        result = bound[program.text.strip()]
        return Executed(table.column(result) if isinstance(result, str) else list(result), "")
    sql = replaced(program, bound)
    return Executed(table.select(sql), sql)


def replaced(program: BinderProgram, bound: Bound, start: int = 0, end: int | None = None) -> str:
    """A part of a program as SQL: every call in it that is answered gives way to what stands for it."""

    def stands_for(call: Call) -> str | None:
        result = bound.get(call.text)
        return result if result is None or isinstance(result, str) else literal(result, call.place)

    return program.replace(stands_for, start, end)


def literal(answers: Sequence[str], place: Place = "value") -> str:
    """The answers of an ans@ call as SQL: numbers bare, texts in quotes.

    Args:
        answers: of the language model.
        place: where the call stands. "value": one answer is a literal, several are a row of values, none is NULL;
            "list" (right after IN): a list in brackets, also of one or none; "alone" and "element": what stands inside
            of such brackets that the program has itself, with nothing or something beside it.

    Example:
        >>> [literal(a) for a in (["3"], ["o'neil'; DROP TABLE w"], ["a", "2"], [])]
        ['3', "'o''neil''; DROP TABLE w'", "('a', 2)", 'NULL']
        >>> literal(["New York"], "list"), literal(["a", "b"], "alone"), literal([], "list")
        ("('New York')", "'a', 'b'", '(SELECT NULL WHERE 1 = 0)')
    """
    values = ", ".join(_literal(answer) for answer in answers)
    if place == "value":
        return "NULL" if not answers else values if len(answers) == 1 else f"({values})"
    if not values:
        return {"list": f"({NO_ROWS})", "alone": NO_ROWS}.get(place, "NULL")
    return f"({values})" if place == "list" else values


def _literal(answer: str) -> str:
    text = answer.strip()
    if (whole := parse_int(text)) is not None:
        return str(whole)
    if (real := parse_real(text)) is not None:
        return repr(real)
    return text_literal(answer)


__all__ = ["AskedTable", "Bound", "Executed", "Value", "execute", "literal", "replaced"]
