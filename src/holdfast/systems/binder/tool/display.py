"""Answers on the terminal and in files: the program, the rows with the columns it made, the answer, what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from holdfast import verbs
from holdfast.printable import clean_line
from holdfast.sql.columntypes import plain

if TYPE_CHECKING:
    from holdfast.language import Usage
    from holdfast.systems.binder.tool.asking import Answer
    from holdfast.systems.binder.tool.options import Output
    from holdfast.systems.binder.tool.result import Result

WIDEST = 40  # characters of a cell
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Binder</title>
<meta name="viewport" content="width=device-width"><style>:root{color-scheme:light dark}
body{font:15px sans-serif;margin:2em}td,th{padding:2px 10px;text-align:left}pre{white-space:pre-wrap}</style>
"""


class Page(Protocol):
    """What a notebook can show."""

    def _repr_html_(self) -> str: ...


def show_answer(answer: Answer, output: Output) -> None:
    """Print the answer to a question, with how its programs voted."""
    if output.as_json:
        verbs.show_json(answer.to_json())
        return
    if answer.understood:
        verbs.show(f"Understood {clean_line(answer.understood)}")
    votes = []
    if len(answer.samples) > 1:
        best = [f"{', '.join(map(str, values))}: {score:g}" for values, score in list(answer.scores.items())[:3]]
        votes = [f"votes of {len(answer.samples)} programs: " + "; ".join(best)]
    _show(answer.result, answer.answer, answer.cost, output.rows, [*answer.notes, *votes])


def show_result(result: Result, output: Output) -> None:
    """Print the answer of a program."""
    if output.as_json:
        verbs.show_json(result.to_json())
        return
    _show(result, result.answer, result.cost, output.rows, [])


def _show(result: Result, answer: Sequence[Any], cost: Usage, rows: int, notes: Sequence[str]) -> None:
    """Generated columns are marked with a star and named by their question."""
    verbs.show(f"Program  {result.program}")
    if len(result.columns.columns) and rows:
        asked = {step.column: step.question for step in result.trace if step.kind == "map"}
        frame = result.to_frame(rows)
        names = [str(name) for name in frame.columns]
        heads = ["row", *(_cell(f"* {asked[name]}" if name in asked else name) for name in names)]
        verbs.show_table(heads, [[row[0], *map(_cell, row[1:])] for row in frame.itertuples()])
        if len(result.table) > rows:
            verbs.show(f"{len(result.table) - rows:,} more rows")
    shown = ", ".join("no value" if value is None else clean_line(value) for value in answer)
    verbs.show(f"Answer   {shown or 'nothing found'}")
    verbs.show(f"Cost     {cost}")
    for note in notes:
        verbs.show(f"Note     {clean_line(note)}")


def _cell(value: Any) -> str:
    """A cell as text: numbers of the user's with all of their digits."""
    cell = plain(value)
    text = "" if cell is None else clean_line(cell)
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def write_outputs(shown: Page, result: Result, output: Output) -> None:
    """Write the page and the table that the user asked for.

    Args:
        shown: what the page is of.
        result: what the table is of.
        output: where they go.
    """
    from holdfast.files import write_text

    if output.html is not None:
        write_text(output.html, f"{PAGE}{shown._repr_html_()}\n")
        verbs.say(f"{output.html}: the answer as a page")
    if output.out is not None:
        frame = result.to_frame().reset_index()
        verbs.write_table(output.out, frame)
        columns = verbs.counted(len(result.columns.columns), "generated column")
        verbs.say(f"{output.out}: {len(frame):,} rows with {columns}")


__all__ = ["show_answer", "show_result", "write_outputs"]
