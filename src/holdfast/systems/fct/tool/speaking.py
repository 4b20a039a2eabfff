"""What the commands print and write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from holdfast.errors import InputError
from holdfast.files import replacing
from holdfast.printable import clean


def say(text: str) -> None:
    """A line for the user, beside what goes into pipes."""
    typer.echo(clean(text), err=True)


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    """A table on the terminal, below its title."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*map(escape, heads))
    for row in rows:
        table.add_row(*map(escape, row))
    console = Console()
    console.print(escape(title), highlight=False)
    console.print(table)


def write_table(frame: Any, path: Path) -> None:
    """A data frame to .csv or .parquet.

    Raises:
        InputError: another suffix.
    """
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise InputError("--out", "must end in .csv or .parquet", str(path))
    with replacing(path) as temporary:
        if path.suffix.lower() == ".csv":
            frame.to_csv(temporary, index=False, float_format="%.6g")
        else:
            frame.to_parquet(temporary, index=False)


def write_figure(figure: Any, stem: Path) -> None:
    """A figure as .svg and .png."""
    for suffix in (".svg", ".png"):
        with replacing(stem.with_suffix(suffix)) as temporary:
            figure.savefig(temporary, format=suffix[1:], dpi=150)


__all__ = ["print_table", "say", "write_figure", "write_table"]
