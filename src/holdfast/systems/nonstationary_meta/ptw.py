r"""Partition Tree Weighting: the exact Bayes mixture over all dyadic segmentations (Veness et al. 2013).

The prior on partitions of 1 .. 2^d keeps one segment with probability 1/2, else cuts at the midpoint and treats both
halves alike; single symbols are not cut:

    PTW_d(x_1:n) = 1/2 KT(x_1:n) + 1/2 PTW_{d-1}(x_1:k) PTW_{d-1}(x_{k+1}:n),  k = 2^{d-1},  PTW_0 = KT

(arXiv 2302.03067, section 4; the second factor is 1 for n <= k). Every prefix n <= 2^d is covered.

How it is computed. Only the d nodes that contain the current position change. Node h (2^h symbols) keeps its counts
and the log posterior odds that it is cut,

    l_h = log [ PTW_{h-1}(left) PTW_{h-1}(right) / KT_h ]   of what it has seen, 0 when it begins.

Its prediction and update are

    p_h(s) = sigmoid(-l_h) kt_h(s) + sigmoid(l_h) p_{h-1}(s),        l_h += log p_{h-1}(x) - log kt_h(x).

The finished left child stays in l_h, so nothing has to be remembered of it. This is the textbook recursion on
log-marginals divided through by itself: predictions are sums of positive terms, and no two numbers of size t are ever
subtracted, so that precision does not fade on long sequences.

Differences from the reference code: depth 0 works; the prediction of the first symbol is given and nothing is appended
at the end; any alphabet; horizons can grow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta import safety
from holdfast.systems.nonstationary_meta.compiled import compiled
from holdfast.systems.nonstationary_meta.stream import Steps, Stream, check_state
from holdfast.validation import check_integer

GROWING = -1  # the kernels' depth of a horizon that doubles
DEEPEST = 62
_ANY, _NOT_WANTED = np.zeros(1, np.int64), np.empty(0)


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    """Probability of log odds, to full relative precision and without overflow; scipy takes long to import."""
    return np.exp(-np.logaddexp(0.0, -log_odds))


def check_depth(depth: Any) -> int:
    """The depth as a number; "auto" is `GROWING`."""
    return GROWING if isinstance(depth, str) and depth == "auto" else check_integer(depth, "depth", low=0, high=DEEPEST)


def check_horizon(depth: int, length: int, otherwise: str = ", or 'auto'") -> None:
    """Refuse sequences of more than 2^depth symbols, saying the depth they need, and what else would do."""
    if depth != GROWING and length > 1 << depth:
        rule = f"must be at least {(length - 1).bit_length()} for {length} symbols{otherwise}"
        raise InputError("depth", rule, depth)


class PTW(Stream):
    """PTW of one sequence: O(log t) time and memory per symbol.

    Args:
        depth: the horizon is 2^depth symbols. The prior depends on it: each level above those that the sequence needs
            makes one segment likelier and costs up to one bit at the first change. "auto" has no horizon: whenever the
            tree is full it becomes the left half of one twice as deep. What it predicts is what PTW of the smallest
            sufficient depth predicts at that moment, and `log_marginal` the sum of these predictions' logarithms.
        alphabet: number of symbols A.

    Raises:
        InputError: depth is no whole number in 0 .. 62; later, a symbol beyond the horizon (names the depth needed).

    Example:
        >>> from holdfast.systems.nonstationary_meta import PTW
        >>> ptw = PTW(depth=6)
        >>> for bit in [0] * 20 + [1] * 10:
        ...     ptw.update(bit)
        >>> ptw.prob().round(3).tolist()
        [0.129, 0.871]
        >>> round(-ptw.log_marginal / 0.6931471805599453, 2)  # code length in bits
        15.28
    """

    def __init__(self, depth: int | str = "auto", alphabet: int = 2) -> None:
        super().__init__(alphabet)
        self.depth = depth
        self._depth = check_depth(depth)
        # One row per node that holds the newest symbol, leaf first; the leaf has no odds.
        self._counts, self._log_odds = np.zeros((1, self.alphabet), np.int64), np.zeros(1)

    def check_room(self, symbols: int) -> None:
        """Raise InputError, with the depth needed, if so many more symbols do not fit the horizon."""
        check_horizon(self._depth, self.t + symbols)

    def prob(self) -> np.ndarray:
        self.check_room(1)
        kernels = compiled()
        if kernels is not None:
            out = np.empty((1, self.alphabet))
            kernels.ptw_steps(_ANY, self.t, self._depth, *self._room(1, copy=True), out, _NOT_WANTED)
            return out[0]
        counts, log_odds = self._next()
        kt = self._estimates(counts)
        p = np.full(self.alphabet, 1.0 / self.alphabet)
        for stay, cut, estimate in zip(sigmoid(-log_odds[1:]), sigmoid(log_odds[1:]), kt[1:], strict=True):
            p = stay * estimate + cut * p
        odds = self._odds_above(log_odds)
        return p if odds is None else (kt[-1] + odds * p) / (1.0 + odds)

    def change_prob(self) -> float:
        """Probability that the newest symbol started a segment, given all symbols seen; NaN before the first."""
        if self.t == 0:
            return float("nan")
        if self.t == 1:
            return 1.0
        inside = [h for h in range(1, len(self._log_odds)) if (self.t - 1) & ((1 << h) - 1)]
        odds = self._odds_above(self._log_odds)
        return float(np.prod(sigmoid(self._log_odds[inside]))) * (1.0 if odds is None else odds / (1.0 + odds))

    def _take(self, symbol: int) -> float:
        kernels = compiled()
        if kernels is not None:
            out = np.empty((1, 1))
            logs, self._counts, self._log_odds = self._room(1)
            state = (logs, self._counts, self._log_odds)
            kernels.ptw_steps(np.array([symbol]), self.t, self._depth, *state, out, _NOT_WANTED)
            return float(out[0, 0])
        self._counts, self._log_odds = self._next()
        kt = self._estimates(self._counts)[:, symbol]
        odds = self._odds_above(self._log_odds)
        p, below = 1.0 / self.alphabet, np.empty(len(kt) - 1)
        for h, (stay, cut) in enumerate(zip(sigmoid(-self._log_odds[1:]), sigmoid(self._log_odds[1:]), strict=True)):
            below[h] = p
            p = stay * kt[h + 1] + cut * p
        self._log_odds[1:] += np.log(below) - np.log(kt[1:])
        self._counts[:, symbol] += 1
        return float(p if odds is None else (kt[-1] + odds * p) / (1.0 + odds))

    def _next(self) -> tuple[np.ndarray, np.ndarray]:
        """Copies of counts and odds of the nodes that hold the next symbol: some begin with it, the tree may grow."""
        counts, log_odds = self._counts.copy(), self._log_odds.copy()
        if self.t == 0:
            return counts, log_odds
        if self.t == 1 << (len(log_odds) - 1):  # full: the root becomes the left child of a new one
            counts = np.concatenate([counts, counts[-1:]])
            log_odds = np.append(log_odds, np.logaddexp(log_odds[-1], 0.0) - np.log(2.0))
        begin = (self.t & -self.t).bit_length()  # levels whose size divides t
        counts[:begin], log_odds[:begin] = 0, 0.0
        return counts, log_odds

    def _estimates(self, counts: np.ndarray) -> np.ndarray:
        seen = counts.sum(1, keepdims=True)
        return (counts + 0.5) / (seen + 0.5 * self.alphabet)

    def _odds_above(self, log_odds: np.ndarray) -> float | None:
        """Posterior odds that the levels between the grown tree and the horizon are all cut; None without such levels.

        All these nodes have seen what the root has. One of them is a whole with prior 1 - 2^-levels, and their
        likelihood ratio to the root's tree is PTW / KT = (1 + e^l) / 2.
        """
        levels = self._depth - (len(log_odds) - 1)
        if levels <= 0:
            return None
        share = 2.0**-levels
        return float(share / (1.0 - share) * 0.5 * (1.0 + np.exp(min(log_odds[-1], 600.0))))

    def _run(self, x: np.ndarray) -> Steps:
        kernels = compiled()
        if kernels is None:
            return super()._run(x)
        steps = Steps(np.empty((len(x), self.alphabet)), np.empty(len(x)))
        logs, self._counts, self._log_odds = self._room(len(x))
        kernels.ptw_steps(x, self.t, self._depth, logs, self._counts, self._log_odds, *steps)
        np.log(steps.log_probs, out=steps.log_probs)
        return steps

    def _room(self, symbols: int, copy: bool = False) -> tuple[bool, np.ndarray, np.ndarray]:
        """Whether to use logarithms, and counts and odds with rows for the nodes that so many more symbols need."""
        levels = (self.t + symbols - 1).bit_length() + 1
        logs, missing = not safety.tree_is_safe(levels - 1, self.alphabet), levels - len(self._log_odds)
        if missing:
            counts = np.concatenate([self._counts, np.zeros((missing, self.alphabet), np.int64)])
            return logs, counts, np.concatenate([self._log_odds, np.zeros(missing)])
        return (logs, self._counts.copy(), self._log_odds.copy()) if copy else (logs, self._counts, self._log_odds)

    def _arrays(self) -> dict[str, np.ndarray]:
        return {"counts": self._counts.copy(), "log_odds": self._log_odds.copy()}

    def _load(self, arrays: Mapping[str, np.ndarray], t: int) -> None:
        check_horizon(self._depth, t)
        levels = max(t - 1, 0).bit_length() + 1
        counts = check_state(arrays, "counts", (levels, self.alphabet), "i")
        log_odds = check_state(arrays, "log_odds", (levels,), "f")
        seen = [((t - 1) & ((1 << h) - 1)) + 1 if t else 0 for h in range(levels)]
        if (counts < 0).any() or counts.sum(1).tolist() != seen:
            raise InputError("state['counts']", f"must be counts of the nodes at symbol {t}", counts.tolist())
        self._counts, self._log_odds = counts, log_odds


__all__ = ["DEEPEST", "GROWING", "PTW", "check_depth", "check_horizon"]
