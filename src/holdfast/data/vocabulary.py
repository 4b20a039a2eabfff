"""Words as numbers: a vocabulary of the most frequent ones, and texts as padded rows of ids."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from holdfast.errors import InputError
from holdfast.validation import check_integer

WORDS = re.compile(r"\w+|[^\w\s]")
NO_WORD, UNKNOWN = 0, 1  # ids of what fills a row up, and of words that the vocabulary lacks


def words_of(text: str) -> list[str]:
    """Words and single signs of a text, in small letters.

    Example:
        >>> words_of("So, it's fun.")
        ['so', ',', 'it', "'", 's', 'fun', '.']
    """
    return WORDS.findall(text.lower())


@dataclass(frozen=True)
class Vocabulary:
    """Known words; the k-th has the id k + 2, as 0 is no word and 1 any other.

    Example:
        >>> vocabulary = Vocabulary.of(["a good film", "a bad film"], size=4)
        >>> vocabulary.words
        ('a', 'film')
        >>> vocabulary.ids(["a film", "good"]).tolist()
        [[2, 3], [1, 0]]
    """

    words: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[str], size: int) -> Vocabulary:
        """The most frequent words of texts, in the order of their frequency, then of the alphabet.

        Args:
            texts: to count in.
            size: ids in all, those for no word and for others included.
        """
        check_integer(size, "size", low=2)
        counts = Counter(word for text in texts for word in words_of(text))
        return cls(tuple(word for word, _ in sorted(counts.items(), key=lambda c: (-c[1], c[0]))[: size - 2]))

    def __len__(self) -> int:
        """Number of ids."""
        return len(self.words) + 2

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: k for k, word in enumerate(self.words, start=UNKNOWN + 1)}

    def ids(self, texts: Sequence[str], length: int = 256) -> Tensor:
        """(N, T) int64 ids, T the length of the longest text but at most `length` words; the rest of a row is 0.

        Raises:
            InputError: a text that is no string.
        """
        check_integer(length, "length", low=1)
        rows = []
        for i, text in enumerate(texts):
            if not isinstance(text, str):
                raise InputError("texts", "must be strings", f"{type(text).__name__} at index {i}")
            rows.append([self._numbers.get(word, UNKNOWN) for word in words_of(text)[:length]])
        out = torch.zeros(len(rows), max((len(row) for row in rows), default=0) or 1, dtype=torch.int64)
        for i, row in enumerate(rows):
            out[i, : len(row)] = torch.tensor(row, dtype=torch.int64)
        return out


__all__ = ["NO_WORD", "UNKNOWN", "Vocabulary", "words_of"]
