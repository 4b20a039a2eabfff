r"""LIN: the exact Bayes mixture over all segmentations, with a hazard that falls with length (Willems 1996).

A segment of n symbols so far ends there with probability 1 / (2n): 1/2 after its first symbol, then 1/4, 1/6, ...
(arXiv 2302.03067, section 4; the reference code calls it "live and die"). One record per possible start s of the
current segment holds the counts since s and the posterior weight v_s of that start for the symbol to come:

    P(x) = sum_s v_s KT_s(x);    then   v_s <- v_s KT_s(x) / P(x)                        (Bayes)
    v_new = sum_s v_s / (2 n_s),        v_s <- v_s (1 - 1 / (2 n_s))                     (the segment ends or goes on)

With t records this takes O(t) per symbol. Records far below the heaviest can be dropped (`prune`): after a change the
old ones go within a few dozen symbols, and what is left is scaled to sum to 1. So the time per symbol is that of the
newest long segments, however long the sequence is. Within one long segment weights fall only like powers of the
distance to its ends, and hardly anything is dropped at first; `limit` bounds time and memory there, too.

Differences from the reference code: counts are 64-bit (its 8-bit ones wrap after 255 equal symbols), weights float64;
any alphabet; pruning.
"""

from __future__ import annotations

import numpy as np

PRUNE_EVERY = 8  # symbols between two prunings; the compiled loops do the same
LIMIT_EVERY = 1024  # symbols between two looks at the number of records


def log_sum(log_weight: np.ndarray) -> float:
    """log of the sum of weights (R,), R >= 1, some of them above 0; a tenth of the time of scipy's for short arrays."""
    highest = log_weight.max()
    return float(highest + np.log(np.exp(log_weight - highest).sum()))


class LINRecords:
    """Segments that grow by the same symbols, each from a start of its own.

    Attributes:
        counts: (A, R) int64, of each segment's symbols.
        length: (R,) int64, their number.
        log_weight: (R,) float64, log v_s.
    """

    def __init__(self, alphabet: int) -> None:
        self.counts = np.empty((alphabet, 0), np.int64)
        self.length, self.log_weight = np.empty(0, np.int64), np.empty(0)
        self._none = np.zeros((alphabet, 1), np.int64)  # what a segment that begins has seen

    def __len__(self) -> int:
        return len(self.length)

    def begin(self, log_weight: float) -> None:
        """A segment that starts with the symbol to come."""
        self.counts = np.concatenate([self.counts, self._none], axis=1)
        self.length = np.concatenate([self.length, self._none[0]])
        self.log_weight = np.concatenate([self.log_weight, (log_weight,)])

    def predict(self) -> np.ndarray:
        """P(next = s), (A,), of weights that sum to 1."""
        each = np.exp(self.log_weight) / (self.length + 0.5 * len(self.counts))
        return (self.counts + 0.5) @ each

    def take(self, symbol: int) -> None:
        """The next symbol of all segments: weights are multiplied with its KT estimates."""
        seen = self.counts[symbol]
        self.log_weight = self.log_weight + np.log((seen + 0.5) / (self.length + 0.5 * len(self.counts)))
        seen += 1
        self.length = self.length + 1

    def end_or_go_on(self) -> np.ndarray:
        """log v_s / (2 n_s), (R,), of each segment that ends here; and v_s <- v_s (1 - 1 / (2 n_s)), as they go on."""
        hazard = 0.5 / self.length
        ended = self.log_weight + np.log(hazard)
        self.log_weight = self.log_weight + np.log1p(-hazard)
        return ended

    def keep(self, records: np.ndarray) -> None:
        """Forget all but these (a mask or places)."""
        self.counts, self.length = self.counts[:, records], self.length[records]
        self.log_weight = self.log_weight[records]

    def step(self, symbol: int, prune: float | None, seen: int) -> tuple[float, float]:
        """One symbol of the stream: weights that sum to 1 before it do so after it, for the symbol to come.

        Args:
            symbol: x.
            prune: every `PRUNE_EVERY` symbols records below e^-prune of the heaviest go; None = exact.
            seen: symbols so far, this one counted.

        Returns:
            log P(x), and the probability that x started a segment, given x and all before.
        """
        self.take(symbol)
        log_p = log_sum(self.log_weight)
        self.log_weight = self.log_weight - log_p
        started = float(np.exp(self.log_weight[-1]))  # the newest record began with this symbol
        ended = log_sum(self.end_or_go_on())
        if prune is not None and seen % PRUNE_EVERY == 0:
            self.keep(self.log_weight >= self.log_weight.max() - prune)
            kept = np.logaddexp(log_sum(self.log_weight), ended)
            self.log_weight, ended = self.log_weight - kept, ended - kept
        self.begin(ended)
        return log_p, started

    def keep_heaviest(self, limit: int) -> float:
        """Keep so many records, the newest one (of the segment to come) among them; the share of weight dropped."""
        if len(self) <= limit:
            return 0.0
        order = np.argpartition(self.log_weight[:-1], len(self) - limit)
        lightest = order[: len(self) - limit]
        dropped = float(np.exp(self.log_weight[lightest]).sum())
        self.keep(np.delete(np.arange(len(self)), lightest))
        self.log_weight = self.log_weight - log_sum(self.log_weight)
        return dropped


__all__ = ["LIMIT_EVERY", "PRUNE_EVERY", "LINRecords", "log_sum"]
