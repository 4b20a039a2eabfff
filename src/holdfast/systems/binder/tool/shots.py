"""Which annotated examples go into a prompt: those whose question and header are most like the present ones.

Score of an example = BLEU(question) + 0.2 BLEU(header), with words stemmed, weights 0.25, 0.3, 0.3, 0.15 for 1- to
4-grams and a count of 0.1 in place of 0 (smoothing method 1 of Chen and Cherry, 2014), as in the reference code.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Protocol, TypeVar

from holdfast.language.stemming import stem
from holdfast.validation import check_integer

WEIGHTS = (0.25, 0.3, 0.3, 0.15)
HEADER_WEIGHT = 0.2
SMALL = 0.1


class Annotated(Protocol):
    """An example that can be retrieved."""

    @property
    def question(self) -> str: ...

    @property
    def header(self) -> Sequence[str]: ...


E = TypeVar("E", bound=Annotated)


def words(text: str) -> list[str]:
    """Stems of words, numbers and signs.

    Example:
        >>> words("Which teams were losing 3-2?")
        ['which', 'team', 'were', 'lose', '3', '-', '2', '?']
    """
    return [stem(word) for word in re.findall(r"\w+|[^\w\s]", text)]


def bleu(hypothesis: Sequence[str], reference: Sequence[str], weights: Sequence[float] = WEIGHTS) -> float:
    """BLEU of one sentence against one reference, in [0, 1] (Papineni et al., 2002), smoothed.

    The product over n of (clipped matches of n-grams / n-grams of the hypothesis)^weight, times exp(1 - r/h) where the
    hypothesis (h words) is shorter than the reference (r words). 0 without a common word.

    Example:
        >>> bleu("a b c d".split(), "a b c d".split())
        1.0
        >>> bleu(["a"], ["b"])
        0.0
    """
    if not hypothesis:
        return 0.0
    total = 0.0
    for n, weight in enumerate(weights, start=1):
        given, wanted = _ngrams(hypothesis, n), _ngrams(reference, n)
        matches: float = (given & wanted).total()
        if matches == 0:
            if n == 1:
                return 0.0
            matches = SMALL
        total += weight * math.log(matches / max(1, given.total()))
    brevity = min(0.0, 1 - len(reference) / len(hypothesis))
    return math.exp(brevity + total)


def _ngrams(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(tokens[i:] for i in range(n)), strict=False))


def similarity(question: str, header: Sequence[str], example: Annotated) -> float:
    """BLEU of the questions and, weighted by 0.2, of the headers."""
    asked = bleu(words(question), words(example.question))
    return asked + HEADER_WEIGHT * bleu(words(" ".join(header)), words(" ".join(example.header)))


def retrieve(question: str, header: Sequence[str], pool: Sequence[E], count: int) -> list[E]:
    """The most similar examples of a pool, the most similar last, next to the question; ties in the pool's order.

    Args:
        question, header: of the present table.
        pool: annotated examples.
        count: at most so many.
    """
    check_integer(count, "count", low=0)
    ranked = sorted(pool, key=lambda example: -similarity(question, header, example))
    return ranked[:count][::-1]


__all__ = ["bleu", "retrieve", "similarity", "words"]
