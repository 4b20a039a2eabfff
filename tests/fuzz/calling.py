"""The command line as a user meets it, inside this process: arguments in, exit code and what was printed out."""

from __future__ import annotations

import contextlib
import gc
import io
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from unittest import mock

from fuzz.hunt import Defect, Outcome, one_readable_line
from holdfast import cli


@dataclass(frozen=True)
class Printed:
    """What a command left."""

    code: int
    out: str
    err: str


def call(arguments: Sequence[str]) -> Printed:
    """Run `holdfast ...`. Streams are encoded as those of a terminal in UTF-8 are."""
    out, err = io.BytesIO(), io.BytesIO()
    with (
        _stream(out, "strict") as stdout,
        _stream(err, "backslashreplace") as stderr,
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
        mock.patch.object(sys, "argv", ["holdfast", *arguments]),
        mock.patch.dict("os.environ", {"COLUMNS": "100"}),
        _no_callbacks(),
    ):
        try:
            cli.main()
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else int(left.code is not None)
    return Printed(code, out.getvalue().decode(), err.getvalue().decode())


@contextlib.contextmanager
def _no_callbacks() -> Iterator[None]:
    """Hypothesis times the garbage collector; where its callback fails, its traceback would be among our output."""
    kept = gc.callbacks[:]
    gc.callbacks.clear()
    try:
        yield
    finally:
        gc.callbacks[:] = kept


@contextlib.contextmanager
def _stream(into: io.BytesIO, errors: str) -> Iterator[io.TextIOWrapper]:
    stream = io.TextIOWrapper(into, encoding="utf-8", errors=errors, write_through=True)
    try:
        yield stream
    finally:
        stream.detach()  # or it would close the buffer


def obey_on_terminal(arguments: Sequence[str], answers: Collection[int] = ()) -> Outcome:
    """Run a command and hold it to the rule: code 0, or 2 and one line on stderr; never a traceback or an escape.

    Args:
        answers: further exit codes that the command is documented to give.
    """
    printed = call(arguments)
    for text in (printed.out, printed.err):
        if "Traceback (most recent call last)" in text:
            raise Defect(f"a traceback was printed: {text[-300:]!r}")
        if any((c < " " and c not in "\n\t") or "\x7f" <= c <= "\x9f" for c in text):
            raise Defect(f"characters that control a terminal were printed: {text[-300:]!r}")
    if printed.code == 0 or printed.code in answers:
        return "accepted"
    if printed.code != 2:
        raise Defect(f"exit code {printed.code}: {printed.err[-300:]!r}")
    if "Usage: holdfast" in printed.out and not printed.err.strip():  # nothing was asked: the help is the answer
        return "accepted"
    lines = printed.err.splitlines()
    if not lines or not lines[-1].startswith("holdfast: "):
        raise Defect(f"exit code 2 without its line: {printed.err[-300:]!r}")
    one_readable_line(lines[-1])
    if sum(line.startswith("holdfast: ") for line in lines) != 1:
        raise Defect(f"more than one line: {printed.err[-500:]!r}")
    return "refused"
