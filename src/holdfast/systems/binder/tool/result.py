"""What comes out of a program: the answer, and everything that led to it."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from holdfast.language.budget import Usage
from holdfast.sql.columntypes import plain
from holdfast.systems.binder.method.execution import Value

if TYPE_CHECKING:
    import pandas as pd

    from holdfast.sql.table import SQLTable

SHOWN_ROWS = 20


@dataclass(frozen=True)
class Step:
    """One thing the executor did.

    Attributes:
        kind: "map" (a new column), "ans" (a value) or "sql" (the program after substitution).
        source: the call or program as written.
        sql: the query that ran to get the rows of a call, or the final query.
        question: of a call, without "map@" or "ans@".
        column: name of the generated column ("" for other kinds).
        rows: rows the call was about.
        distinct: different rows among them.
        cached: of these, how many the cache knew.
        asked: of these, how many were sent to the backend.
        output: the values of an "ans" call or of the query; of "map" the first few different answers.
        seconds: wall-clock time.
    """

    kind: Literal["map", "ans", "sql"]
    source: str
    sql: str = ""
    question: str = ""
    column: str = ""
    rows: int = 0
    distinct: int = 0
    cached: int = 0
    asked: int = 0
    output: tuple[Value, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Result:
    """The answer of a program and how it came about.

    Attributes:
        answer: cells of the final query, row by row, without row_id; or the answers of the call that is the program.
        columns: generated columns, one row per row of the table, indexed by row_id.
        trace: what was done, in order.
        cost: requests, rows, tokens, money and seconds.
        program: the program as given.
        sql: the final query after substitution ("" if the program is a single call).
        table: the table it ran on.
    """

    answer: list[Value]
    columns: pd.DataFrame
    trace: list[Step] = field(repr=False)
    cost: Usage
    program: str
    sql: str
    table: SQLTable = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain values; the table is left out, generated columns are in it."""
        columns = {str(name): self.columns[name].tolist() for name in self.columns.columns}
        shown = {"answer": self.answer, "program": self.program, "sql": self.sql, "columns": columns}
        return {**shown, "cost": vars(self.cost)}

    def to_frame(self, rows: int | None = None) -> pd.DataFrame:
        """The table with its row_id and the generated columns on the right; all rows or the first few."""
        import pandas as pd

        count = len(self.table) if rows is None else min(rows, len(self.table))
        left = self.table.frame.iloc[:count].reset_index(drop=True)
        right = self.columns.iloc[:count].reset_index(drop=True)
        return pd.concat([left, right], axis=1).rename_axis("row_id")

    def _repr_html_(self) -> str:
        """For notebooks: the answer, the program and the first rows; generated columns are marked and named."""
        asked = {step.column: f"{step.question}" for step in self.trace if step.kind == "map"}
        frame = self.to_frame(SHOWN_ROWS)
        head = "".join(_header(str(name), asked) for name in ["row_id", *frame.columns])
        body = "".join(
            "<tr>" + "".join(_cell(v, n, asked) for n, v in zip(["row_id", *frame.columns], row, strict=True)) + "</tr>"
            for row in frame.itertuples()
        )
        more = f"<p>{len(self.table) - SHOWN_ROWS} more rows</p>" if len(self.table) > SHOWN_ROWS else ""
        answer = ", ".join(html.escape(str(value)) for value in self.answer[:SHOWN_ROWS]) or "<i>nothing</i>"
        if len(self.answer) > SHOWN_ROWS:
            answer += f", … ({len(self.answer)} values)"
        return (
            f"<p><b>Answer:</b> {answer}</p><pre>{html.escape(self.program)}</pre>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"
            f"<p>{self.cost}</p>"
        )


_MARK = ' style="background:#fff3c4;color:#111"'


def _header(name: str, asked: dict[str, str]) -> str:
    if name not in asked:
        return f"<th>{html.escape(name)}</th>"
    question = html.escape(asked[name])
    return f'<th{_MARK} title="{question}">{html.escape(name)}<br><small>{question}</small></th>'


def _cell(value: Any, name: str, asked: dict[str, str]) -> str:
    cell = plain(value)
    text = "" if cell is None else html.escape(str(cell))
    return f"<td{_MARK if name in asked else ''}>{text}</td>"


__all__ = ["Result", "Step"]
