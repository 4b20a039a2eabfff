"""The posterior over PTW's segmentations of a whole sequence: up the tree for marginals, down for cuts.

A node is cut with posterior probability 1/2 PTW(left) PTW(right) / PTW(node), given that the recursion arrives at it; a
segment starts in the middle of a node if the node and all above it are cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from holdfast.systems.nonstationary_meta.method.kt import kt_log_marginal

LOG_HALF = float(np.log(0.5))


@dataclass(frozen=True, eq=False)
class Tree:
    """All nodes that hold symbols of a sequence; level h has nodes of 2^h symbols, level 0 the symbols themselves.

    Attributes:
        length: T, at least 1.
        above: levels of the prior above the last level here. Their nodes hold the whole sequence in their left half.
        log_kt: per level, log KT of what each node holds.
        log_ptw: per level, log PTW of it.
    """

    length: int
    above: int
    log_kt: list[np.ndarray]
    log_ptw: list[np.ndarray]

    @classmethod
    def of(cls, x: np.ndarray, alphabet: int, depth: int) -> Tree:
        """The tree of x (T,) under the prior of a depth with 2^depth >= T."""
        levels = (len(x) - 1).bit_length()
        counts = (x[:, None] == np.arange(alphabet)).astype(np.int64)
        log_kt, log_ptw = [kt_log_marginal(counts)], [kt_log_marginal(counts)]
        for _ in range(levels):
            left, right = _halves(counts)
            counts = left + right
            log_kt.append(kt_log_marginal(counts))
            log_ptw.append(np.logaddexp(log_kt[-1], sum(_halves(log_ptw[-1]))) + LOG_HALF)
        return cls(len(x), depth - levels, log_kt, log_ptw)

    @property
    def log_marginal(self) -> float:
        """log PTW of the sequence. Of the nodes above, one is kept whole with prior 1 - 2^-above."""
        if not self.above:
            return float(self.log_ptw[-1][0])
        return float(np.logaddexp(np.log1p(-(2.0**-self.above)) + self.log_kt[-1][0], self._cut_above))

    @property
    def _cut_above(self) -> float:
        return float(self.above * LOG_HALF + self.log_ptw[-1][0])

    def start_probs(self) -> np.ndarray:
        """(T,) probability that each symbol starts a segment."""
        starts = np.zeros(self.length)
        starts[0] = 1.0
        reached = np.array([self._cut_above - self.log_marginal])
        for h in range(len(self.log_kt) - 1, 0, -1):
            cut = reached + sum(_halves(self.log_ptw[h - 1])) + LOG_HALF - self.log_ptw[h]
            middle = starts[1 << (h - 1) :: 1 << h]
            middle[:] = np.exp(cut[: len(middle)])
            reached = np.repeat(cut, 2)[: len(self.log_kt[h - 1])]
        return starts

    def best_starts(self) -> np.ndarray:
        """First symbols of the segments of the most probable segmentation of the T symbols, ties for fewer segments.

        Cuts at T and beyond are summed over: they make no difference to the sequence.
        """
        log_one = [np.zeros(self.length)]  # log prior that the part of a node before T is one segment
        best = [self.log_kt[0]]  # log joint probability of that part and its best segmentation
        whole = [np.ones(self.length, bool)]
        for h in range(1, len(self.log_kt)):
            one = np.full(len(self.log_kt[h]), LOG_HALF)
            if len(self.log_kt[h - 1]) % 2:  # the last node has nothing in its right half
                one[-1] = np.logaddexp(LOG_HALF, LOG_HALF + log_one[-1][-1])
            kept, cut = one + self.log_kt[h], LOG_HALF + sum(_halves(best[-1]))
            log_one.append(one)
            best.append(np.maximum(kept, cut))
            whole.append(kept >= cut)
        if self.above:
            one = np.logaddexp(np.log1p(-(2.0**-self.above)), self.above * LOG_HALF + log_one[-1][0])
            if one + self.log_kt[-1][0] >= self.above * LOG_HALF + best[-1][0]:
                return np.zeros(1, np.int64)
        return _leaves(whole)


def _leaves(whole: list[np.ndarray]) -> np.ndarray:
    """Where the segments start, if each node that is reached and whole is one."""
    starts: list[np.ndarray] = []
    reached = np.ones(1, bool)
    for h in range(len(whole) - 1, -1, -1):
        starts.append(np.flatnonzero(reached & whole[h]) << h)
        if h:
            reached = np.repeat(reached & ~whole[h], 2)[: len(whole[h - 1])]
    return np.sort(np.concatenate(starts))


def _halves(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left and right children of the nodes one level up; where the last one has no right child, zeros."""
    if len(values) % 2:
        values = np.concatenate([values, np.zeros_like(values[:1])])
    return values[::2], values[1::2]


__all__ = ["Tree"]
