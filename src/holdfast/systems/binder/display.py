"""An answer on the terminal: the program, the first rows with the columns it made, the answer, what it cost."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from holdfast.printable import clean

if TYPE_CHECKING:
    from holdfast.language.budget import Usage
    from holdfast.systems.binder.result import Result

WIDEST = 40  # characters of a cell


def print_result(result: Result, answer: list[Any], cost: Usage, rows: int, notes: tuple[str, ...] = ()) -> None:
    """Print everything; generated columns are marked with a star and named by their question."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    console.print(Text("Program  ", style="bold"), Text(clean(result.program)), sep="")
    if len(result.columns.columns) and rows:
        console.print(_table(result, rows))
        if len(result.table) > rows:
            console.print(f"{len(result.table) - rows:,} more rows", style="dim")
    shown = ", ".join("no value" if value is None else _line(value) for value in answer) or "nothing found"
    console.print(Text("Answer   ", style="bold"), Text(shown, style="bold green"), sep="")
    console.print(Text("Cost     ", style="bold"), Text(str(cost)), sep="")
    for note in notes:
        console.print(Text("Note     ", style="bold yellow"), Text(clean(note)), sep="")


def _table(result: Result, rows: int) -> Any:
    from rich.table import Table as RichTable
    from rich.text import Text

    asked = {step.column: step.question for step in result.trace if step.kind == "map"}
    shown = RichTable(box=None, pad_edge=False, header_style="bold")
    frame = result.to_frame(rows)
    shown.add_column("row", justify="right", style="dim")
    for name in frame.columns:
        generated = str(name) in asked
        title = f"* {asked[str(name)]}" if generated else str(name)
        shown.add_column(Text(_cell(title)), style="yellow" if generated else "", overflow="fold")
    for row in frame.itertuples():
        shown.add_row(*(Text(_cell(value)) for value in row))
    return shown


def _cell(value: Any) -> str:
    text = "" if value is None or value != value else _line(value)
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def _line(value: Any) -> str:
    return " ".join(clean(value).split())


__all__ = ["print_result"]
