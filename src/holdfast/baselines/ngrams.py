"""An interpolated n-gram model: the probability of the next token from how often it followed the last few.

Witten and Bell 1991: with h the context, c(h w) how often w followed it and T(h) how many different tokens did,

    P(w | h) = (c(h w) + T(h) P(w | h')) / (sum_v c(h v) + T(h)),      h' = h without its first token,

from the uniform distribution up. There is nothing to tune but the order, and every token keeps a probability above 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_integer


class NGrams:
    """Counts of n-grams up to an order, as a trie of sorted arrays: fitting and scoring loop over orders alone.

    Args:
        order: tokens of the longest n-gram; 1 looks at no context.
        vocabulary: V; tokens are 0 ... V - 1.

    Raises:
        InputError: a size below 1.

    Example:
        >>> model = NGrams(order=2, vocabulary=3).fit([[0, 1, 0, 1, 2]])
        >>> model.probabilities([0]).round(3).tolist()
        [0.125, 0.792, 0.083]
        >>> model.log_probs([[0, 1]])[0].shape
        (2,)
    """

    def __init__(self, order: int, vocabulary: int) -> None:
        self.order = check_integer(order, "order", low=1)
        self.vocabulary = check_integer(vocabulary, "vocabulary", low=1)
        self._keys: list[np.ndarray] = []
        self._counts: list[np.ndarray] = []
        self._totals: list[np.ndarray] = []
        self._kinds: list[np.ndarray] = []

    def fit(self, sequences: Sequence[Any]) -> NGrams:
        """Count sequences of tokens. Each starts after the same start symbol; an end is a token of yours.

        Raises:
            InputError: no tokens at all, or one outside 0 ... V - 1.
        """
        flat, bounds = self._joined(sequences, "sequences")
        if not len(flat):
            raise InputError("sequences", "must hold tokens", "none")
        first = _first(bounds)
        self._keys, self._counts, self._totals, self._kinds = [], [], [], []
        below: np.ndarray | None = None
        for _ in range(self.order):
            contexts = _contexts(first, below)
            keys, place, counts = np.unique(contexts * self.vocabulary + flat, return_inverse=True, return_counts=True)
            self._keys.append(keys)
            self._counts.append(counts)
            self._totals.append(np.bincount(contexts))
            self._kinds.append(np.bincount(keys // self.vocabulary))
            below = place.reshape(-1)
        return self

    def log_probs(self, sequences: Sequence[Any]) -> list[np.ndarray]:
        """Natural logarithm of each token's probability after the ones before it, an array per sequence.

        Raises:
            InputError: nothing was fitted; a token outside 0 ... V - 1.
        """
        flat, bounds = self._joined(sequences, "sequences")
        return np.split(np.log(self._scored(flat, bounds)), bounds[1:-1])

    def probabilities(self, context: Sequence[int]) -> np.ndarray:
        """P of every token after a context, float64 (V,), summing to 1; the context starts at the start symbol."""
        one = np.asarray([*context, 0], np.int64)
        rows = np.tile(one, (self.vocabulary, 1))
        rows[:, -1] = np.arange(self.vocabulary)
        flat, bounds = self._joined(list(rows), "context")
        return self._scored(flat, bounds).reshape(len(rows), -1)[:, -1]

    def _scored(self, flat: np.ndarray, bounds: np.ndarray) -> np.ndarray:
        if not self._keys:
            raise InputError("sequences", "can be scored only after fit", "an n-gram model that was not fitted")
        first, p = _first(bounds), np.full(len(flat), 1 / self.vocabulary)
        below: np.ndarray | None = None
        for keys, counts, totals, kinds in zip(self._keys, self._counts, self._totals, self._kinds, strict=True):
            contexts = _contexts(first, below)
            heard = (contexts >= 0) & (contexts < len(totals))  # as a context; a last n-gram may have no successor
            context = np.where(heard, contexts, 0)
            wanted = context * self.vocabulary + flat
            at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            seen = heard & (keys[at] == wanted)
            total, different = totals[context] * heard, kinds[context] * heard
            count = np.where(seen, counts[at], 0)
            p = np.where(total > 0, (count + different * p) / np.maximum(total + different, 1), p)
            below = np.where(seen, at, -1)
        return p

    def _joined(self, sequences: Sequence[Any], name: str) -> tuple[np.ndarray, np.ndarray]:
        parts = [np.asarray(sequence, np.int64).reshape(-1) for sequence in sequences]
        flat = np.concatenate(parts) if parts else np.zeros(0, np.int64)
        outside = (flat < 0) | (flat >= self.vocabulary)
        if outside.any():
            rule = f"must hold tokens from 0 to {self.vocabulary - 1}"
            raise InputError(name, rule, int(flat[outside.argmax()]))
        return flat, np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)


def _first(bounds: np.ndarray) -> np.ndarray:
    """True where a token is the first of its sequence."""
    first = np.zeros(int(bounds[-1]), bool)
    first[bounds[:-1][bounds[:-1] < bounds[1:]]] = True
    return first


def _contexts(first: np.ndarray, below: np.ndarray | None) -> np.ndarray:
    """Number of each token's context: 0 = none, 1 = starts alone, n + 2 = n-gram n of the order below, -1 = unseen.

    Args:
        first: (M,) true where a sequence starts.
        below: (M,) numbers of the n-grams that end at each token, -1 where unseen; None for the order without context.
    """
    if below is None:
        return np.zeros(len(first), np.int64)
    before = np.concatenate([[-1], below[:-1]])[: len(first)]
    return np.where(first, 1, np.where(before >= 0, before + 2, -1))


__all__ = ["NGrams"]
