r"""Partition Tree Weighting: the exact Bayes mixture over all dyadic segmentations (Veness et al. 2013).

The prior on partitions of 1 .. 2^d keeps one segment with probability 1/2, else cuts at the midpoint and treats both
halves alike; single symbols are not cut:

    PTW_d(x_1:n) = 1/2 KT(x_1:n) + 1/2 PTW_{d-1}(x_1:k) PTW_{d-1}(x_{k+1}:n),  k = 2^{d-1},  PTW_0 = KT

(arXiv 2302.03067, section 4; the second factor is 1 for n <= k). Every prefix n <= 2^d is covered.

`PTWNodes` computes it symbol by symbol. Only the d nodes that contain the current position change. Node h (2^h symbols)
keeps its counts and the log posterior odds that it is cut,

    l_h = log [ PTW_{h-1}(left) PTW_{h-1}(right) / KT_h ]   of what it has seen, 0 when it begins.

Its prediction and update are

    p_h(s) = sigmoid(-l_h) kt_h(s) + sigmoid(l_h) p_{h-1}(s),        l_h += log p_{h-1}(x) - log kt_h(x).

The finished left child stays in l_h, so nothing has to be remembered of it. This is the recursion on log-marginals
divided through by itself: predictions are sums of positive terms, and no two numbers of size t are ever subtracted, so
that precision does not fade on long sequences.

Differences from the reference code: depth 0 works; the prediction of the first symbol is given and nothing is appended
at the end; any alphabet; horizons can grow.
"""

from __future__ import annotations

import numpy as np

from holdfast.systems.nonstationary_meta.method.kt import kt_estimates

GROWING = -1  # depth of a horizon that doubles whenever it is full


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    """Probability of log odds, to full relative precision and without overflow; scipy takes long to import."""
    return np.exp(-np.logaddexp(0.0, -log_odds))


class PTWNodes:
    """The nodes of the tree that hold the newest symbol of one sequence.

    Args:
        depth: d; or `GROWING`: a full tree becomes the left half of one twice as large.
        alphabet: A.

    Attributes:
        t: symbols seen.
        counts: (levels, A) int64, leaf first.
        log_odds: (levels,) float64, l_h; the leaf has none.
    """

    def __init__(self, depth: int, alphabet: int) -> None:
        self.depth, self.t = depth, 0
        self.counts, self.log_odds = np.zeros((1, alphabet), np.int64), np.zeros(1)

    def predict(self) -> np.ndarray:
        """P(next = s), (A,). Changes nothing."""
        counts, log_odds = self._begun()
        kt = kt_estimates(counts)
        return self._topped(_upwards(kt, log_odds)[-1], kt[-1], log_odds)

    def take(self, symbol: int) -> float:
        """Add a symbol; the probability that it had."""
        counts, log_odds = self._begun()
        kt = kt_estimates(counts)
        p = _upwards(kt, log_odds)
        before = self._topped(p[-1], kt[-1], log_odds)[symbol]
        log_odds[1:] += np.log(p[:-1, symbol]) - np.log(kt[1:, symbol])
        counts[:, symbol] += 1
        self.counts, self.log_odds, self.t = counts, log_odds, self.t + 1
        return float(before)

    def change_prob(self) -> float:
        """Probability that the newest symbol started a segment: all nodes are cut that it is not the first of."""
        if self.t < 2:
            return 1.0 if self.t else float("nan")
        inside = [h for h in range(1, len(self.log_odds)) if (self.t - 1) & ((1 << h) - 1)]
        odds = self._odds_above(self.log_odds)
        return float(np.prod(sigmoid(self.log_odds[inside]))) * (1.0 if odds is None else odds / (1.0 + odds))

    def _begun(self) -> tuple[np.ndarray, np.ndarray]:
        """Copies of counts and odds of the nodes that hold the next symbol: some begin with it, the tree may grow."""
        counts, log_odds = self.counts.copy(), self.log_odds.copy()
        if self.t == 0:
            return counts, log_odds
        if self.t == 1 << (len(log_odds) - 1):  # full: the root becomes the left child of a new one
            counts = np.concatenate([counts, counts[-1:]])
            log_odds = np.append(log_odds, np.logaddexp(log_odds[-1], 0.0) - np.log(2.0))
        begin = (self.t & -self.t).bit_length()  # levels whose size divides t
        counts[:begin], log_odds[:begin] = 0, 0.0
        return counts, log_odds

    def _topped(self, p: np.ndarray, kt: np.ndarray, log_odds: np.ndarray) -> np.ndarray:
        """The prediction under all levels of the prior, from that of the grown tree and of its root's KT."""
        odds = self._odds_above(log_odds)
        return p if odds is None else (kt + odds * p) / (1.0 + odds)

    def _odds_above(self, log_odds: np.ndarray) -> float | None:
        """Posterior odds that the levels between the grown tree and the horizon are all cut; None without such levels.

        All these nodes have seen what the root has. One of them is a whole with prior 1 - 2^-levels, and their
        likelihood ratio to the root's tree is PTW / KT = (1 + e^l) / 2.
        """
        levels = self.depth - (len(log_odds) - 1)
        if levels <= 0:
            return None
        share = 2.0**-levels
        return float(share / (1.0 - share) * 0.5 * (1.0 + np.exp(min(log_odds[-1], 600.0))))


def _upwards(kt: np.ndarray, log_odds: np.ndarray) -> np.ndarray:
    """p_h(s) of all levels, (levels, A), from kt_h(s) and l_h; a leaf has seen nothing."""
    p = np.full_like(kt, 1.0 / kt.shape[1])
    stay, cut = sigmoid(-log_odds), sigmoid(log_odds)
    for h in range(1, len(kt)):
        p[h] = stay[h] * kt[h] + cut[h] * p[h - 1]
    return p


__all__ = ["GROWING", "PTWNodes", "sigmoid"]
