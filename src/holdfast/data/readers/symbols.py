"""Sequences of symbols (whole numbers from 0) from files and pipes: text, tables and npy.

Text holds digits without separators ("0110"), or symbols with one kind of separator between them, or one per line; a
symbol is a number (1, 1.0) or a word (see `symbol_words`). Text files and pipes (of text, or of csv) are read in pieces
and in bounded memory; each piece that has come is handed on at once, so that a slow writer is followed line by line,
and nothing more is read while the consumer is busy. Tables are read by `read_table`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from holdfast.data.readers.arrays import read_npy
from holdfast.data.readers.symbol_tables import order_of_time, pipe_symbols, table_symbols, table_times, time_labels
from holdfast.data.readers.symbol_words import Note, SymbolRange, SymbolWords, ignore, is_usual
from holdfast.data.readers.tables import TableOptions, is_table
from holdfast.data.symbols import SymbolTypeError, check_symbols
from holdfast.errors import InputError

PIECE = 1 << 16  # bytes asked for at a time
SEPARATORS = {" ": "blanks", "\t": "blanks", ",": "commas", ";": "semicolons"}
DIGITS = b"0123456789\r\n"


def read_symbols(
    path: str,
    alphabet: int,
    *,
    column: str | None = None,
    names: Sequence[str] = (),
    options: TableOptions | None = None,
    note: Note = ignore,
) -> Iterator[np.ndarray]:
    """Pieces (n,) int64 of the symbols in a file, or in standard input for "-".

    Args:
        path: "-"; an .npy file; a table of any kind that `read_table` reads, but .txt, which is text as anything else
            is. Standard input is a csv with header if `column` is given.
        alphabet: number of symbols; one digit each up to 10. Of two symbols, -1 and 1 are read as 0 and 1.
        column: name of the column of a table; may be left out where there is one only.
        names: words for symbols 0, 1, ...; none = numbers, or a pair such as fail and pass.
        options: what the user said about the table.
        note: is told what was decided from evidence, a line each.

    Raises:
        InputError: on iteration; missing file, no text, separators of several kinds, something that is no symbol (names
            the line), a symbol outside the alphabet (names its value and index), a missing column, no header.

    Example:
        >>> import tempfile; from pathlib import Path
        >>> file = Path(tempfile.mkdtemp()) / "bits.txt"
        >>> _ = file.write_text("0110\\n1\\n")
        >>> [piece.tolist() for piece in read_symbols(str(file), 2)]
        [[0, 1, 1, 0, 1]]
    """
    reading = _Reading(path, alphabet, names, note)
    if _is_table(path, column, options, reading.words):
        pieces = _cut(table_symbols(path, column, options, reading.words)[0])
    elif column is not None:
        pieces = (symbols for symbols, _ in _piped(path, column, None, reading))
    elif path != "-" and Path(path).suffix.lower() == ".npy":
        pieces = _cut(_npy(Path(path)))
    else:
        pieces = _text(path, reading)
    yield from map(reading.checked, pieces)


class TimedSymbols(NamedTuple):
    """A whole sequence.

    Attributes:
        symbols: (T,) int64.
        times: (T,) of the symbols, as they are to be shown; None where the file has none.
    """

    symbols: np.ndarray
    times: list[str] | None


def read_timed_symbols(
    path: str,
    alphabet: int,
    *,
    column: str | None = None,
    time: str | None = None,
    names: Sequence[str] = (),
    options: TableOptions | None = None,
    note: Note = ignore,
) -> TimedSymbols:
    """All symbols of a file, oldest first, with the times that stand beside them in a table.

    Args:
        path, alphabet, column, names, options, note: as for `read_symbols`.
        time: name of the column with the times; None = the column that is called so ("time", "date", ...), or the only
            one that holds dates.

    Raises:
        InputError: as `read_symbols`; a time column that is not there, or of a file that has no columns.

    Example:
        >>> import tempfile; from pathlib import Path
        >>> file = Path(tempfile.mkdtemp()) / "parts.csv"
        >>> _ = file.write_text("date,test\\n2024-01-02,pass\\n2024-01-01,fail\\n")
        >>> read_timed_symbols(str(file), 2, column="test")
        TimedSymbols(symbols=array([0, 1]), times=['2024-01-01', '2024-01-02'])
    """
    reading = _Reading(path, alphabet, names, note)
    times: list[str] | None = None
    if _is_table(path, column, options, reading.words):
        symbols, table = table_symbols(path, column, options, reading.words)
        symbols = reading.checked(symbols)
        found = table_times(path, table.columns[0].name, table.rows, time, options, note)
        if found is not None:
            order = order_of_time(found, table.rows, note)
            symbols, times = symbols[order], time_labels(found)[order]
    elif column is not None:
        pairs = list(_piped(path, column, time, reading))
        symbols = np.concatenate([_none(), *(reading.checked(part) for part, _ in pairs)])
        if pairs and pairs[0][1] is not None:
            times = [label for _, labels in pairs for label in labels or ()]
    elif time is not None:
        raise InputError("--time", "must be given with columns only: of a table, or of a pipe with --column", time)
    else:
        pieces = read_symbols(path, alphabet, names=names, options=options, note=note)
        symbols = np.concatenate([_none(), *pieces])
    return TimedSymbols(symbols, times)


class _Reading:
    """What is known about the symbols of one file while it is read."""

    def __init__(self, path: str, alphabet: int, names: Sequence[str], note: Note) -> None:
        self.name, self.alphabet = "standard input" if path == "-" else path, alphabet
        self.words = SymbolWords(self.name, names, note)
        self.checked = SymbolRange(self.name, alphabet, note)


def _none() -> np.ndarray:
    return np.empty(0, np.int64)


def _piped(
    path: str, column: str, time: str | None, reading: _Reading
) -> Iterator[tuple[np.ndarray, list[str] | None]]:
    if path != "-":
        raise InputError("--column", "must be given with tables only", column)
    return pipe_symbols(_pieces(path, reading.name), column, time, reading.words, reading.name)


def _is_table(path: str, column: str | None, options: TableOptions | None, words: SymbolWords) -> bool:
    """Whether a file is a table with names, and no text of symbols alone (which a csv may be, too)."""
    if path == "-" or not is_table(path) or Path(path).suffix.lower() == ".txt":
        return False
    return column is not None or (options is not None and options.header is not None) or not _symbols_alone(path, words)


def _symbols_alone(path: str, words: SymbolWords) -> bool:
    """Whether a file is empty or begins with a line of one symbol: a column without a name, which text is, too.

    A word in the first line may be a name ("pass", above 0 and 1), unless the second line has such a word as well.
    """
    if not Path(path).is_file():  # a pipe would wait, and lose what is read here; the reader of tables refuses it
        return False
    with _bytes(path, path) as file:
        lines = [file.readline(64).removeprefix(b"\xef\xbb\xbf").strip().decode("utf-8", "replace") for _ in range(2)]
    first = lines[0]
    if not first or (first.isascii() and first.isdigit()) or words.stands_for(first):
        return True
    return not words.named and all(map(is_usual, lines))


@contextmanager
def _bytes(path: str, name: str) -> Iterator[BinaryIO]:
    if path == "-":
        yield sys.stdin.buffer
        return
    try:
        file = open(path, "rb")  # noqa: SIM115  closed below
    except OSError as error:
        raise InputError(name, "must be a readable file", error.strerror or str(error)) from None
    with file:
        yield file


def _pieces(path: str, name: str) -> Iterator[bytes]:
    """Bytes as they come, without a byte-order mark, once it is clear that they are text."""
    first = True
    with _bytes(path, name) as file:
        while True:
            piece = file.read1(PIECE) if hasattr(file, "read1") else file.read(PIECE)
            if not piece:
                return
            if first and piece.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise InputError(name, "must be text in UTF-8", "UTF-16")
            piece, first = piece.removeprefix(b"\xef\xbb\xbf") if first else piece, False
            if b"\0" in piece:
                raise InputError(name, "must be text, csv or npy", "a binary file")
            yield piece


# --------------------------------------------------------------------------------------------------------------- text
def _text(path: str, reading: _Reading) -> Iterator[np.ndarray]:
    reader = _Text(reading.name, reading.alphabet, reading.words)
    for piece in _pieces(path, reading.name):
        found = reader.feed(piece)
        if len(found):
            yield found
    found = reader.end()
    if len(found):
        yield found


class _Text:
    """Turns pieces of text into symbols; remembers what the file has looked like so far."""

    def __init__(self, name: str, alphabet: int, words: SymbolWords) -> None:
        self._name, self._symbol = name, words.number
        self._digits = alphabet <= 10 and not words.named  # one for each symbol, perhaps without separators
        self._rest, self._line = b"", 1
        self._separator: str | None = None
        self._runs = False  # several digits without a separator were seen

    def feed(self, piece: bytes) -> np.ndarray:
        """The symbols that can be understood without what follows."""
        text = self._rest + piece
        if self._runs and not text.translate(None, DIGITS):
            cut = len(text)
        else:
            cut = max(text.rfind(end) for end in (b"\n", b" ", b"\t", b",", b";")) + 1
            if cut == 0 and len(text) >= PIECE and self._digits:
                cut = len(text)  # so long a line without a separator is one run of digits
        self._rest = text[cut:]
        return self._symbols(text[:cut])

    def end(self) -> np.ndarray:
        """The symbols of what is left."""
        return self._symbols(self._rest)

    def _symbols(self, text: bytes) -> np.ndarray:
        if self._is_plain(text):
            found = (np.frombuffer(text.translate(None, b"\r\n"), np.uint8) - ord("0")).astype(np.int64)
        else:
            lines = enumerate(text.decode("utf-8", errors="replace").split("\n"), self._line)
            words = ((word, number) for number, line in lines for word in self._words(line.strip(), number))
            found = np.fromiter((self._symbol(word, f"line {number}") for word, number in words), np.int64)
        self._line += text.count(b"\n")
        return found

    def _is_plain(self, text: bytes) -> bool:
        """Whether every character that is no end of line is a symbol."""
        if not self._digits or text.translate(None, DIGITS):
            return False
        if not self._runs and len(text.translate(None, b"\r\n")) > len(text.split()):
            self._runs = self._separator is None
            return self._runs
        return True

    def _words(self, line: str, number: int) -> list[str]:
        """The numbers of a line, not yet looked at."""
        if self._separator is None and self._digits and len(line) > 1 and line.isascii() and line.isdigit():
            self._runs = True
            return list(line)
        used = dict.fromkeys(word for mark, word in SEPARATORS.items() if mark in line)
        if len(used) > 1:  # blanks may stand beside a comma or semicolon
            used.pop("blanks", None)
        if not used:
            return [line] if line else []
        kind, *others = used
        if others or self._runs or kind != (self._separator or kind):
            raise self._mixed(" and ".join(used), number)
        if kind == "blanks":
            self._separator = kind
            return line.split()
        words = [word.strip() for word in line.split("," if kind == "commas" else ";")]
        if any(len(word.split()) > 1 for word in words):
            raise self._mixed(f"blanks and {kind}", number)
        self._separator = kind
        return words if words[-1] else words[:-1]  # a separator at the end of the line

    def _mixed(self, found: str, line: int) -> InputError:
        before = "none between digits" if self._runs else self._separator
        seen = f"{found} in line {line}" if before in (None, found) else f"{before}, then {found} in line {line}"
        return InputError(self._name, "must have separators of one kind", seen)


# ---------------------------------------------------------------------------------------------------------------- npy
def _npy(path: Path) -> np.ndarray:
    numbers = read_npy(path, empty=True)
    if numbers.dtype.kind == "f" and numbers.size:
        fractions = numbers != np.round(numbers)  # NaN is one, too
        if fractions.any() or np.abs(numbers).max() >= 1 << 31:
            raise SymbolTypeError(str(path), "must hold whole numbers", f"dtype {numbers.dtype} with others")
        numbers = numbers.astype(np.int64)
    signed = numbers.dtype.kind == "i" and numbers.size and numbers.ndim == 1 and int(numbers.min()) == -1
    return np.asarray(numbers) if signed else np.asarray(check_symbols(numbers, 1 << 31, axes=1, name=str(path)))


def _cut(symbols: np.ndarray) -> Iterator[np.ndarray]:
    return (symbols[begin : begin + PIECE] for begin in range(0, len(symbols), PIECE))


__all__ = ["TimedSymbols", "read_symbols", "read_timed_symbols"]
