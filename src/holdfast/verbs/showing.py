"""Results on stdout: tables that are framed on a terminal and plain and whole in a pipe, and strict JSON."""

from __future__ import annotations

import json
import math
import numbers
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from holdfast.printable import clean, clean_line

if TYPE_CHECKING:
    from rich.table import Table

Rows = Iterable[Sequence[Any]]


def show(text: str) -> None:
    """A text as a result, without what would control the terminal."""
    typer.echo(clean(text))


def show_json(value: Any) -> None:
    """A result as one line of strict JSON: NaN and infinities are null, arrays lists, and what JSON has not is text."""
    typer.echo(json.dumps(_plain(value), ensure_ascii=False, allow_nan=False))


def show_table(heads: Sequence[str], rows: Rows, title: str = "") -> None:
    """A table: framed on a terminal; in a pipe columns with two spaces between them, and nothing cut.

    Args:
        heads: of the columns.
        rows: of cells: texts (shown in one line, no markup), numbers (four significant digits, whole ones in full),
            None and NaN ("-").
        title: stands above.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console

        Console().print(_framed(heads, cells, title))
        return
    lines = [[clean_line(head) for head in heads], *([text for text, _ in row] for row in cells)]
    if title:
        show(clean_line(title))
    for line in _aligned(lines, _right(cells)):
        show(line)


def fits(heads: Sequence[str], rows: Rows) -> bool:
    """Whether `show_table` has room for a table without breaking its cells; in a pipe there always is."""
    if not sys.stdout.isatty():
        return True
    from rich.console import Console

    console = Console()
    wide = console.options.update(width=100_000)  # a table is measured up to the width that it is given
    framed = _framed(heads, [[_cell(value) for value in row] for row in rows], "")
    return console.measure(framed, options=wide).maximum <= console.width


def _framed(heads: Sequence[str], cells: Sequence[Sequence[tuple[str, bool]]], title: str) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(clean_line(title)) if title else None, title_justify="left")
    right = _right(cells)
    for i, head in enumerate(heads):
        table.add_column(escape(clean_line(head)), justify="right" if i in right else "left")
    for row in cells:
        table.add_row(*(escape(text) for text, _ in row))
    return table


def _right(cells: Sequence[Sequence[tuple[str, bool]]]) -> set[int]:
    """Columns that hold numbers alone, and some."""
    columns = enumerate(zip(*cells, strict=True))
    return {i for i, column in columns if any(number for _, number in column) and all(n or t == "-" for t, n in column)}


def _aligned(lines: Sequence[Sequence[str]], right: set[int]) -> Iterable[str]:
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = []
        for i, (text, width) in enumerate(zip(line, widths, strict=True)):
            blank = " " * (width - cell_len(text))
            padded.append(blank + text if i in right else text + blank)
        yield "  ".join(padded).rstrip()


def _cell(value: Any) -> tuple[str, bool]:
    """A cell as text, and whether it is a number."""
    if value is None or (isinstance(value, numbers.Real) and math.isnan(value)):
        return "-", False
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return clean_line(value), False
    return (str(value) if isinstance(value, numbers.Integral) else f"{float(value):.4g}"), True


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, str | bool):
        return value
    if hasattr(value, "tolist"):  # numpy's, also single numbers
        return _plain(value.tolist())
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)


__all__ = ["Rows", "fits", "show", "show_json", "show_table"]
