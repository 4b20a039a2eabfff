"""Predictions of a stream as csv, row by row as its symbols come."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from holdfast import verbs
from holdfast.errors import InputError
from holdfast.files import replacing
from holdfast.systems.nonstationary_meta.tool.stream import Stream
from holdfast.systems.nonstationary_meta.tool.tables import columns_of

ROWS = 4096  # at a time, where so many are there


def write_predictions(
    stream: Stream, pieces: Iterator[np.ndarray], out: str, done: Callable[[int], None], *, at_once: bool
) -> None:
    """Write what a stream says before each symbol: the columns of `predict`, one row per symbol.

    Args:
        stream: predicts; it has seen all symbols afterwards.
        pieces: (n,) symbols, as they come.
        out: the csv file, which appears when all is written; "-" for standard output, where a row is seen at once.
        done: called with the number of symbols.
        at_once: begin before the first symbol is there. Else a header is not written before the input can be read.

    Raises:
        InputError: `out` has another ending, or see `read_symbols`.
    """
    from holdfast.systems.nonstationary_meta.tool.compiled import compiled

    if out != "-" and Path(out).suffix.lower() != ".csv":
        raise InputError("out", "must end in .csv, or be -", out)
    if not at_once:
        pieces = itertools.chain(list(itertools.islice(pieces, 1)), pieces)
    if compiled() is None:
        verbs.say("hint: pip install 'holdfast[fast]' brings numba, with which this is several times as fast")
    text = verbs.CsvText()
    with _writer(out) as write:
        nothing = np.empty(0, np.int64)
        write(text.head(columns_of(stream.extend(nothing), nothing, 0)))
        for x in pieces:
            for begin in range(0, len(x), ROWS):
                part, start = x[begin : begin + ROWS], stream.t
                write(text.rows(list(columns_of(stream.extend(part), part, start).values())))
            done(stream.t)


@contextmanager
def _writer(out: str) -> Iterator[Callable[[str], object]]:
    if out == "-":

        def write(text: str) -> None:
            sys.stdout.write(text)
            sys.stdout.flush()  # a reader at the other end sees each row when it is there

        yield write
        return
    with replacing(Path(out)) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        yield file.write


__all__ = ["write_predictions"]
