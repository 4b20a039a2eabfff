"""Scores that need no model: of the source and the translation as texts, and one that needs a reference.

Higher is more suspicious, for all of them. Where the paper has a rule (flag or not), so has the class: `flags`.
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np

from holdfast.errors import InputError
from holdfast.metrics.chrf import chrf

Texts = Sequence[str]


class HallucinationDetector(Protocol):
    """Scores N translations; higher is more suspicious. Some have `fit(src, mt)` as well, for a whole corpus."""

    def score(self, src: Texts, mt: Texts, ref: Texts | None = None, outputs: Any = None) -> np.ndarray:
        """(N,) float64; `ref` for detectors that need one, `outputs` (`Outputs`) for those that look into the model."""
        ...


def words(text: str) -> list[str]:
    """What stands between spaces."""
    return text.split()


def repeated(text: str, n: int, tokenize: Callable[[str], Sequence[str]] = words) -> int:
    """max_g count(g) over the n-grams of words of a text; 0 where it has fewer than n words.

    Example:
        >>> repeated("a b a b a b", 2)
        3
    """
    found = tokenize(text)
    counts = Counter(zip(*(islice(found, i, None) for i in range(n)), strict=False))
    return max(counts.values(), default=0)


def top_ngram(
    src: Texts, mt: Texts, n: int = 4, t: int = 2, tokenize: Callable[[str], Sequence[str]] = words
) -> np.ndarray:
    """TNG: whether the most frequent n-gram of a translation comes at least t times more often than the source's.

    Raunak, Menezes, Junczys-Dowmunt 2021. Words, not sub-words: the pieces of one long word would count as n-grams.

    Returns:
        (N,) bool.

    Example:
        >>> top_ngram(["x y z w"], ["a b c d a b c d a b c d"]).tolist()
        [True]
    """
    return TopNgram(n, t, tokenize).flags(src, mt)


@dataclass(frozen=True)
class TopNgram:
    """How much more often the most frequent n-gram comes than in the source; flagged from t on."""

    n: int = 4
    t: int = 2
    tokenize: Callable[[str], Sequence[str]] = words

    def score(self, src: Texts, mt: Texts, ref: Any = None, outputs: Any = None) -> np.ndarray:
        """max_g count_y(g) - max_g count_x(g), (N,) float64."""
        n, cut = self.n, self.tokenize
        return np.array([repeated(y, n, cut) - repeated(x, n, cut) for x, y in zip(src, mt, strict=True)], float)

    def flags(self, src: Texts, mt: Texts) -> np.ndarray:
        """(N,) bool."""
        return self.score(src, mt) >= self.t


@dataclass
class RepeatedTargets:
    """RT: of how many different sources a text is the translation. A detector of a corpus, not of a sentence.

    Attributes:
        min_sources: from which number on it is flagged.
    """

    min_sources: int = 2

    def fit(self, src: Texts, mt: Texts) -> RepeatedTargets:
        """Count in a corpus. Without it, `score` counts in what it is given."""
        self.sources_ = _sources(src, mt)
        return self

    def score(self, src: Texts, mt: Texts, ref: Any = None, outputs: Any = None) -> np.ndarray:
        """(N,) float64; a source that the corpus does not have with this translation counts too."""
        own = _sources(src, mt)
        if not hasattr(self, "sources_"):
            return np.array([len(own[y]) for y in mt], float)
        none: set[str] = set()
        return np.array([len(self.sources_.get(y, none) | {x}) for x, y in zip(src, mt, strict=True)], float)

    def flags(self, src: Texts, mt: Texts) -> np.ndarray:
        """(N,) bool."""
        return self.score(src, mt) >= self.min_sources


def _sources(src: Texts, mt: Texts) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for x, y in zip(src, mt, strict=True):
        found[y].add(x)
    return found


@dataclass(frozen=True)
class CompressionRatio:
    """Bytes of the translation over bytes of it after zlib: what repeats itself is packed well."""

    level: int = 9

    def score(self, src: Texts, mt: Texts, ref: Any = None, outputs: Any = None) -> np.ndarray:
        """(N,) float64."""
        return np.array([len(y.encode()) / len(zlib.compress(y.encode(), self.level)) for y in mt])


@dataclass(frozen=True)
class LengthRatio:
    """- words of the shorter text / words of the longer one: what is much shorter, or much longer, is suspicious."""

    def score(self, src: Texts, mt: Texts, ref: Any = None, outputs: Any = None) -> np.ndarray:
        """(N,) float64 in [-1, 0]."""
        counts = [sorted((len(x.split()), len(y.split()))) for x, y in zip(src, mt, strict=True)]
        return np.array([-short / max(1, long) for short, long in counts])


@dataclass(frozen=True)
class SourceOverlap:
    """- the share of the translation's character n-grams (lower case) that the source has, too.

    Names, numbers and cognates go through a translation unchanged; a text about something else shares none.
    """

    n: int = 3

    def score(self, src: Texts, mt: Texts, ref: Any = None, outputs: Any = None) -> np.ndarray:
        """(N,) float64 in [-1, 0]."""
        found = []
        for x, y in zip(src, mt, strict=True):
            theirs, ours = (Counter(t.lower()[i : i + self.n] for i in range(len(t) - self.n + 1)) for t in (x, y))
            found.append(-(theirs & ours).total() / max(1, ours.total()))
        return np.array(found)


@dataclass(frozen=True)
class ChrF:
    """- chrF of sacrebleu against a reference: what only somebody with a reference can know.

    Attributes:
        word_order: 0 is chrF, 2 is chrF++.
    """

    word_order: int = 0

    def score(self, src: Texts, mt: Texts, ref: Texts | None = None, outputs: Any = None) -> np.ndarray:
        """(N,) float64 in [-100, 0].

        Raises:
            InputError: there is no reference.
            MissingExtra: sacrebleu is not installed.
        """
        if ref is None:
            raise InputError("ref", "must be given: chrF compares with a reference", "none")
        return -chrf(mt, ref, self.word_order)


TEXT_DETECTORS: dict[str, HallucinationDetector] = {
    "repeated_targets": RepeatedTargets(),
    "top_2gram": TopNgram(2),
    "compression": CompressionRatio(),
    "length_ratio": LengthRatio(),
    "source_overlap": SourceOverlap(),
}


def mean_rank(scores: Sequence[np.ndarray]) -> np.ndarray:
    """Mean over detectors of the share of rows that a row's score is above (ties count half), (N,) in (0, 1).

    Ours: one order out of several detectors, without labels.

    Example:
        >>> mean_rank([np.array([3.0, 1.0]), np.array([5.0, 5.0])]).tolist()
        [0.625, 0.375]
    """
    from scipy.stats import rankdata

    return np.mean([(rankdata(score) - 0.5) / len(score) for score in scores], axis=0)


__all__ = [
    "TEXT_DETECTORS",
    "ChrF",
    "CompressionRatio",
    "HallucinationDetector",
    "LengthRatio",
    "RepeatedTargets",
    "SourceOverlap",
    "TopNgram",
    "chrf",
    "mean_rank",
    "repeated",
    "top_ngram",
    "words",
]
