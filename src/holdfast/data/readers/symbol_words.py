"""Words for symbols: whole numbers (1, 1.0), the usual pairs of words (fail and pass), or names that the user gives.

A reader of one file holds one `SymbolWords`. It remembers in which way the file writes its symbols, so that 0 and
"pass" in one column are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from holdfast.data.readers.tables.numerals import looks_like_number
from holdfast.errors import InputError

Note = Callable[[str], object]

PAIRS = (
    ("false", "true"), ("f", "t"), ("no", "yes"), ("n", "y"), ("off", "on"), ("fail", "pass"), ("failed", "passed"),
    ("nok", "ok"), ("ng", "ok"), ("bad", "good"), ("down", "up"),
)  # fmt: skip
WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,8})(\.0+)?")
LARGEST = 1 << 16  # symbols at most


def ignore(_note: str) -> None:
    """For callers who want no notes."""


def parse_names(given: str | None, option: str = "--symbols") -> tuple[str, ...]:
    """The names of symbols 0, 1, ... out of what a user wrote with commas between; none gives none.

    Raises:
        InputError: fewer than two, an empty one, one twice.

    Example:
        >>> parse_names("fail, pass")
        ('fail', 'pass')
    """
    if given is None:
        return ()
    names = tuple(name.strip() for name in given.split(","))
    if len(names) < 2 or "" in names or len(set(names)) < len(names):
        raise InputError(option, "must name two symbols or more, with commas between them, each once", repr(given))
    return names


class SymbolWords:
    """Turns the words of one file into whole numbers.

    Args:
        name: of the file, for messages.
        names: of symbols 0, 1, ..., exactly as the file writes them; none = numbers or a usual pair of words.
        note: is told, once, which word of a pair is 0 and which is 1.

    Example:
        >>> words = SymbolWords("parts.txt", note=print)
        >>> words.number("Pass", "line 1"), words.number("fail", "line 2")
        'pass' is read as 1, 'fail' as 0 (--symbols decides)
        (1, 0)
    """

    def __init__(self, name: str, names: Sequence[str] = (), note: Note = ignore) -> None:
        self._name, self._note = name, note
        self._names = {word: number for number, word in enumerate(names)}
        self._pairs: tuple[tuple[str, str], ...] = PAIRS
        self._first = ""  # the first word, once there is one
        self._numbers = False
        self._said = False

    @property
    def named(self) -> bool:
        """Whether the user named the symbols."""
        return bool(self._names)

    def number(self, word: str, place: str) -> int:
        """The symbol that a word stands for; whether the alphabet has it is not looked at.

        Raises:
            InputError: it stands for none, or the file writes its symbols in another way; names the place.
        """
        if self._names:
            if word not in self._names:
                raise self._refused(f"one of --symbols ({', '.join(self._names)})", word, place)
            return self._names[word]
        if WHOLE.fullmatch(word):
            if self._first:
                raise self._mixed(word, place)
            self._numbers = True
            return int(word.partition(".")[0])
        return self._paired(word, place)

    def _paired(self, word: str, place: str) -> int:
        lower = word.lower()
        if not is_usual(word):
            remedy = " (--symbols a,b names words: a is 0, b is 1)" if word and not looks_like_number(word) else ""
            raise self._refused("whole numbers, one for each symbol", word, f"{place}{remedy}")
        pairs = tuple(pair for pair in self._pairs if lower in pair)
        if self._numbers or not pairs:
            raise self._mixed(word, place)
        self._pairs, self._first = pairs, self._first or word
        bit = next(pair.index(lower) for pair in pairs)
        if not self._said and (len(pairs) == 1 or lower != pairs[0][1]):
            zero, one = pairs[0]
            self._note(f"{one!r} is read as 1, {zero!r} as 0 (--symbols decides)")
            self._said = True
        return bit

    def stands_for(self, word: str) -> bool:
        """Whether a word could be one of the symbols of the file, as far as it has been read."""
        if self._names:
            return word in self._names
        if self._first:
            return any(word.lower() in pair for pair in self._pairs)
        return WHOLE.fullmatch(word) is not None

    def _mixed(self, word: str, place: str) -> InputError:
        before = "numbers" if self._numbers else repr(self._first)
        return InputError(self._name, "must write its symbols in one way", f"{before}, then {word!r} in {place}")

    def _refused(self, what: str, word: str, place: str) -> InputError:
        return InputError(self._name, f"must hold {what}", f"{repr(word) if word else 'nothing'} in {place}")


def is_usual(word: str) -> bool:
    """Whether a word is one of a usual pair: pass, no, true, ..."""
    return any(word.lower() in pair for pair in PAIRS)


class SymbolRange:
    """Checks that the numbers of one file, which come in pieces, are symbols; -1 and 1 alone become 0 and 1.

    Args:
        name: of the file, for messages.
        alphabet: number of symbols.
        note: is told, once, that -1 stands for 0.
    """

    def __init__(self, name: str, alphabet: int, note: Note = ignore) -> None:
        self._name, self._alphabet, self._note = name, alphabet, note
        self._done = 0
        self._zero = self._minus = False

    def __call__(self, piece: np.ndarray) -> np.ndarray:
        """The piece (n,) int64, as symbols.

        Raises:
            InputError: a number that is no symbol; names it, its index and what may help.
        """
        zero = bool((piece == 0).any())
        if not self._minus and self._alphabet == 2 and not (self._zero or zero) and bool((piece == -1).any()):
            self._minus = True
            self._note("-1 is read as 0, 1 as 1")
        self._zero |= zero
        wrong = (np.abs(piece) != 1) if self._minus else (piece < 0) | (piece >= self._alphabet)
        if wrong.any():
            first = int(wrong.argmax())
            raise self._outside(int(piece[first]), self._done + first)
        self._done += len(piece)
        return (piece + 1) // 2 if self._minus else piece

    def _outside(self, value: int, index: int) -> InputError:
        rule, remedy = f"must hold symbols 0 .. {self._alphabet - 1} (alphabet {self._alphabet})", ""
        if self._minus:
            rule = "must hold -1 and 1 alone, as it began, or 0 and 1"
        if value < 0 or self._minus:
            remedy = " (--symbols=-1,0,1 numbers them: the first is 0)"
        elif value < LARGEST:
            remedy = f" (--alphabet {value + 1} has it)"
        return InputError(self._name, rule, f"{value} at index {index}{remedy}")


__all__ = ["Note", "SymbolRange", "SymbolWords", "ignore", "is_usual", "parse_names"]
