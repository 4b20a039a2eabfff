"""Printing text of any origin on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.report import wording

if TYPE_CHECKING:
    from rich.console import Console

COLOURS = {"holds": "green", "does not hold": "red", "undecided": "yellow", "not testable here": "dim"}


def say(console: Console, text: str, style: str = "", indent: int = 0) -> None:
    """Text from anywhere, wrapped and printed as it is: no markup, no terminal escapes, no trailing spaces."""
    from rich.text import Text

    for line in Text(wording.clean(text), style=style).wrap(console, max(20, console.width - indent)):
        line.rstrip()
        console.print(Text(" " * indent).append_text(line), highlight=False)


def whole(console: Console, text: str, style: str = "") -> None:
    """A path or command on one line however long, so that it can be copied."""
    from rich.text import Text

    console.print(Text(wording.clean(text), style=style), highlight=False, soft_wrap=True)
