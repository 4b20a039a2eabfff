"""What verbs say beside their results: lines for the user on stderr, so that stdout can go into a pipe."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import typer

from holdfast.errors import InputError
from holdfast.printable import clean_line


def say(text: str) -> None:
    """One clean line for the user, beside the results."""
    with suppress(OSError):  # of a terminal that was closed
        typer.echo(clean_line(text), err=True)


def counted(number: int, noun: str) -> str:
    """A number and what it counts.

    Example:
        >>> counted(1, "image"), counted(2000, "image")
        ('1 image', '2,000 images')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def confirmed(question: str, option: str) -> bool:
    """Whether the user answers "y" or "yes" to a question.

    Args:
        question: asked on stderr where somebody sits at a terminal; a pipe may hold the answer as well.
        option: says yes beforehand.

    Raises:
        InputError: stdin ends, or is closed: nobody is there to answer.
    """
    try:
        if sys.stdin is not None and sys.stdin.isatty():
            say(f"{question} [y/N]")
        answer = "" if sys.stdin is None else sys.stdin.readline()
    except ValueError:  # closed, or bytes that are no text
        answer = ""
    if not answer:
        raise InputError(option, "must be given where nobody answers the question", "no answer on stdin")
    return answer.strip().lower() in ("y", "yes")


@contextmanager
def warnings_said() -> Iterator[None]:
    """Warnings of the block as one line each, without the place in the code that they come from."""

    def line(message: Warning | str, *where: Any, **more: Any) -> None:
        say(f"warning: {message}")

    before, warnings.showwarning = warnings.showwarning, line
    try:
        yield
    finally:
        warnings.showwarning = before


__all__ = ["confirmed", "counted", "say", "warnings_said"]
