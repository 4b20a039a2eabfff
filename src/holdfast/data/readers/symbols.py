"""Sequences of symbols (whole numbers from 0) from files and pipes: text, tables and npy.

Text holds digits without separators ("0110"), or symbols with one kind of separator between them, or one per line. Text
files and pipes (of text, or of csv) are read in pieces and in bounded memory; each piece that has come is handed on at
once, so that a slow writer is followed line by line, and nothing more is read while the consumer is busy. Tables are
read by `read_table`.
"""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from holdfast.data.readers.arrays import read_npy
from holdfast.data.readers.names import suggest
from holdfast.data.readers.tables import TableOptions, is_table, open_table
from holdfast.data.symbols import check_symbols
from holdfast.errors import InputError

PIECE = 1 << 16  # bytes asked for at a time
SEPARATORS = {" ": "blanks", "\t": "blanks", ",": "commas", ";": "semicolons"}
DIGITS = b"0123456789\r\n"


def read_symbols(
    path: str, alphabet: int, *, column: str | None = None, options: TableOptions | None = None
) -> Iterator[np.ndarray]:
    """Pieces (n,) int64 of the symbols in a file, or in standard input for "-".

    Args:
        path: "-"; an .npy file; a table of any kind that `read_table` reads, but .txt, which is text as anything else
            is. Standard input is a csv with header if `column` is given.
        alphabet: number of symbols; one digit each up to 10.
        column: name of the column of a table; may be left out where there is one only.
        options: what the user said about the table.

    Raises:
        InputError: on iteration; missing file, no text, separators of several kinds, something that is no symbol (names
            the line), a symbol outside the alphabet (names its value and index), a missing column.

    Example:
        >>> import tempfile; from pathlib import Path
        >>> file = Path(tempfile.mkdtemp()) / "bits.txt"
        >>> _ = file.write_text("0110\\n1\\n")
        >>> [piece.tolist() for piece in read_symbols(str(file), 2)]
        [[0, 1, 1, 0, 1]]
    """
    table = path != "-" and is_table(path) and Path(path).suffix.lower() != ".txt"
    name = "standard input" if path == "-" else path
    if column is not None and not table and path != "-":
        raise InputError("--column", "must be given with tables only", column)
    if path != "-" and Path(path).suffix.lower() == ".npy":
        pieces = _npy(Path(path))
    elif table and not (column is None and _holds_digits_alone(path, name)):
        pieces = _cut(_table_file(path, column, options))
    else:
        pieces = _text(path, name, alphabet) if column is None else _table_pipe(name, column)
    done = 0
    for piece in pieces:
        yield _checked(piece, alphabet, name, done)
        done += len(piece)


def _checked(piece: np.ndarray, alphabet: int, name: str, done: int) -> np.ndarray:
    wrong = (piece < 0) | (piece >= alphabet)
    if wrong.any():
        first = int(wrong.argmax())
        rule = f"must hold symbols 0 .. {alphabet - 1} (alphabet {alphabet})"
        raise InputError(name, rule, f"{int(piece[first])} at index {done + first}")
    return piece


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
def _text(path: str, name: str, alphabet: int) -> Iterator[np.ndarray]:
    reader = _Text(name, alphabet)
    for piece in _pieces(path, name):
        found = reader.feed(piece)
        if len(found):
            yield found
    found = reader.end()
    if len(found):
        yield found


class _Text:
    """Turns pieces of text into symbols; remembers what the file has looked like so far."""

    def __init__(self, name: str, alphabet: int) -> None:
        self._name, self._alphabet = name, alphabet
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
            if cut == 0 and len(text) >= PIECE and self._alphabet <= 10:
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
            found = np.fromiter((_number(word, self._name, f"line {number}") for word, number in words), np.int64)
        self._line += text.count(b"\n")
        return found

    def _is_plain(self, text: bytes) -> bool:
        """Whether every character that is no end of line is a symbol."""
        if self._alphabet > 10 or text.translate(None, DIGITS):
            return False
        if not self._runs and len(text.translate(None, b"\r\n")) > len(text.split()):
            self._runs = self._separator is None
            return self._runs
        return True

    def _words(self, line: str, number: int) -> list[str]:
        """The numbers of a line, not yet looked at."""
        if self._separator is None and self._alphabet <= 10 and len(line) > 1 and line.isascii() and line.isdigit():
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


def _number(word: str, name: str, place: str) -> int:
    """A whole number written in the usual way."""
    digits = word.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and (digits == "0" or digits[0] != "0") and len(digits) < 10):
        shown = repr(word) if word else "nothing"
        raise InputError(name, "must hold whole numbers, one for each symbol", f"{shown} in {place}")
    return int(word)


# ------------------------------------------------------------------------------------------------------------- tables
def _holds_digits_alone(path: str, name: str) -> bool:
    """Whether a file is empty or begins with a line of one number: a column without a name, which text is, too."""
    if not Path(path).is_file():  # a pipe would wait, and lose what is read here; the reader of tables refuses it
        return False
    with _bytes(path, name) as file:
        line = file.readline(64).removeprefix(b"\xef\xbb\xbf").strip()
    return not line or line.isdigit()


def _table_file(path: str, column: str | None, options: TableOptions | None) -> np.ndarray:
    file = open_table(path, options=options)
    table = file.read({}, [_chosen(file.names, column, path)])
    found = table.columns[0]
    if found.kind in ("integer", "boolean") and not found.missing.any():
        return found.values.astype(np.int64)
    places = zip(found.tolist(), table.rows.tolist(), strict=True)
    return np.array([_cell(cell, path, row) for cell, row in places], np.int64)


def _cell(cell: Any, path: str, row: int) -> int:
    if isinstance(cell, int):
        return int(cell)
    return _number(cell if isinstance(cell, str) else "" if cell is None else str(cell), path, f"row {row}")


def _table_pipe(name: str, column: str) -> Iterator[np.ndarray]:
    """A csv with commas, line by line as it comes."""
    rest, number, names = b"", 0, list[str]()
    for piece in itertools.chain(_pieces("-", name), [b"\n"]):
        *lines, rest = (rest + piece).split(b"\n")
        found = []
        for number, raw in enumerate(lines, number + 1):  # noqa: B020  counts on over all pieces
            text = raw.decode("utf-8", errors="replace").rstrip("\r")
            if not text.strip():
                continue
            fields = [field.strip() for field in next(csv.reader([text]))]
            if not names:
                names, place = fields, fields.index(_chosen(fields, column, name))
            elif len(fields) != len(names):
                rule = f"must have {len(names)} fields in every line, as in the first"
                raise InputError(name, rule, f"{len(fields)} in line {number}")
            else:
                found.append(_number(fields[place], name, f"line {number}"))
        if found:
            yield np.array(found, np.int64)


def _chosen(names: list[str], column: str | None, path: str) -> str:
    if column is None and len(names) == 1:
        return names[0]
    if column is None:
        raise InputError("--column", f"must name one of the columns of {path}", ", ".join(names))
    if column not in names:
        rule = f"must be a column of {path}{suggest(column, names)}"
        raise InputError("--column", rule, f"{column!r}; has {', '.join(names)}")
    return column


def _npy(path: Path) -> Iterator[np.ndarray]:
    return _cut(check_symbols(read_npy(path, empty=True), 1 << 31, axes=1, name=str(path)))


def _cut(symbols: np.ndarray) -> Iterator[np.ndarray]:
    return (symbols[begin : begin + PIECE] for begin in range(0, len(symbols), PIECE))


__all__ = ["read_symbols"]
