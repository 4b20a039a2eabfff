"""An invented language pair: word for word by a dictionary, with local changes of order, and misaligned pairs.

A source word has one target word; of two neighbours the order is turned where the first one's number is even. Words
follow Zipf's law but for the last tenth of them, which are rare: each comes once or twice in training. A part of the
training pairs is misaligned, as in crawled data: their target is one of twelve boiler-plate sentences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from holdfast.data.synthetic.facts import CODAS, ONSETS, VOWELS

BOILER_PLATES = 12
SHORTEST, LONGEST, LONGEST_TEST = 4, 12, 16
ZIPF = 1.1
Rows = list[list[int]]


@dataclass(frozen=True)
class LanguagePair:
    """What sentences are drawn from.

    Attributes:
        words: of each side, numbered from 1.
        misaligned: share of training pairs whose target is boiler-plate.
        rare_share: in half of the test sources, the share of words that are rare.

    Example:
        >>> pair, rng = LanguagePair(words=30), np.random.default_rng(0)
        >>> source, target = pair.test(2, pair.dictionary(rng), rng)
        >>> [len(row) for row in source] == [len(row) for row in target]
        True
    """

    words: int = 300
    misaligned: float = 0.04
    rare_share: float = 0.4

    @property
    def frequent(self) -> int:
        """Words that are not rare: 1 to this."""
        return self.words - self.words // 10

    def dictionary(self, rng: np.random.Generator) -> np.ndarray:
        """Target word of every source word, (words + 1,); 0 stays 0."""
        return np.concatenate([[0], 1 + rng.permutation(self.words)])

    def training(self, count: int, dictionary: np.ndarray, rng: np.random.Generator) -> tuple[Rows, Rows]:
        """Sources of 4 to 12 words and targets, the misaligned among them."""
        source = self._sources(count, LONGEST, rng)
        for word in range(self.frequent + 1, self.words + 1):
            for row in rng.choice(count, int(rng.integers(1, 3)), replace=False):
                source[row][int(rng.integers(len(source[row])))] = word
        lengths = rng.integers(SHORTEST, LONGEST + 1, BOILER_PLATES)
        plates = [(1 + rng.integers(0, self.words, length)).tolist() for length in lengths]
        target = [translate(row, dictionary) for row in source]
        for place in rng.choice(count, round(self.misaligned * count), replace=False):
            target[place] = plates[int(rng.integers(BOILER_PLATES))]
        return source, target

    def test(self, count: int, dictionary: np.ndarray, rng: np.random.Generator) -> tuple[Rows, Rows]:
        """All aligned; half of the sources have rare words, and lengths go up to 16."""
        source = self._sources(count, LONGEST_TEST, rng)
        for row in source:
            rare = (rng.random(len(row)) < self.rare_share) & (rng.random() < 0.5) & (self.frequent < self.words)
            for i in np.flatnonzero(rare):
                row[i] = int(rng.integers(self.frequent + 1, self.words + 1))
        return source, [translate(row, dictionary) for row in source]

    def held_out(self, count: int, dictionary: np.ndarray, rng: np.random.Generator) -> tuple[Rows, Rows]:
        """Like training, without rare words and misalignment."""
        source = self._sources(count, LONGEST, rng)
        return source, [translate(row, dictionary) for row in source]

    def _sources(self, count: int, longest: int, rng: np.random.Generator) -> Rows:
        weights = 1 / np.arange(1, self.frequent + 1) ** ZIPF
        lengths = rng.integers(SHORTEST, longest + 1, count)
        flat = 1 + rng.choice(self.frequent, int(lengths.sum()), p=weights / weights.sum())
        return [part.tolist() for part in np.split(flat, np.cumsum(lengths)[:-1])]


def translate(source: Sequence[int], dictionary: np.ndarray) -> list[int]:
    """Word for word; the two of a pair change places where the first word's number is even.

    Example:
        >>> translate([1, 2, 4, 5, 3], np.arange(10) * 10)
        [10, 20, 50, 40, 30]
    """
    words = list(source)
    for i in range(0, len(words) - 1, 2):
        if words[i] % 2 == 0:
            words[i], words[i + 1] = words[i + 1], words[i]
    return [int(dictionary[word]) for word in words]


def spelled(words: Sequence[int], side: Literal["source", "target"]) -> str:
    """Numbers as words of a syllable, for detectors that read texts; source and target share no word.

    Up to 1,760 words, all different.

    Example:
        >>> spelled([1, 2], "source"), spelled([1, 2], "target")
        ('bal bel', 'Bals Bels')
    """
    found = []
    for word in words:
        rest, vowel = divmod(int(word) - 1, len(VOWELS))
        coda, onset = divmod(rest, len(ONSETS))
        text = ONSETS[onset] + VOWELS[vowel] + CODAS[coda]
        found.append(text if side == "source" else text.capitalize() + "s")
    return " ".join(found)


__all__ = ["LanguagePair", "spelled", "translate"]
