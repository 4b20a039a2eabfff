"""The two priors over partitions of a sequence that the exact mixtures belong to, to draw from.

A partition divides positions 0 ... T-1 into segments, in each of which the symbols are independent draws from one
distribution. Each kind draws many partitions at once, as a boolean array that marks the first symbol of every segment.
(arXiv 2302.03067, section 4, and its published samplers.)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np


class Partition(ABC):
    """A prior over partitions. Subclasses are frozen dataclasses."""

    @abstractmethod
    def starts(self, rows: int, length: int, rng: np.random.Generator) -> np.ndarray:
        """Draw one partition per row.

        Args:
            rows: number of partitions.
            length: T, at least 1.
            rng: where they come from.

        Returns:
            bool `(rows, T)`: True at the first symbol of every segment; the first column is True.
        """


def first_alone(rows: int, length: int) -> np.ndarray:
    """Partitions of one segment each, bool `(rows, length)`."""
    starts = np.zeros((rows, length), dtype=bool)
    starts[:, 0] = True
    return starts


def mark(starts: np.ndarray, places: np.ndarray) -> None:
    """Set starts[row, place] for all places (rows, n) that lie inside."""
    row, column = np.nonzero(places < starts.shape[1])
    starts[row, places[row, column].astype(np.int64)] = True


@dataclass(frozen=True)
class Static(Partition):
    """One segment: nothing ever changes."""

    def starts(self, rows: int, length: int, rng: np.random.Generator) -> np.ndarray:
        return first_alone(rows, length)


@dataclass(frozen=True)
class PTWPartition(Partition):
    """The prior of Partition Tree Weighting on the smallest power of two that is not below T.

    An interval of more than one symbol is kept as one segment with probability 1/2, and otherwise cut in the middle
    and both halves treated alike; cuts at T and beyond are dropped. On T = 2^d symbols there are d/2 cuts on average,
    and none with probability 1/2 (for d > 0).

    Attributes:
        shared: all rows share one partition, as in the sampler that the reference calls `ptw`. Gradients of such a
            batch are highly correlated; train on independent partitions.
    """

    shared: bool = False

    def starts(self, rows: int, length: int, rng: np.random.Generator) -> np.ndarray:
        drawn = 1 if self.shared else rows
        depth = (length - 1).bit_length()
        starts = first_alone(drawn, 2**depth)
        reached = np.ones((drawn, 1), dtype=bool)  # intervals of this level that the recursion arrives at
        for level in range(depth):
            cut = reached & (rng.random(reached.shape) < 0.5)
            size = 2 ** (depth - level)
            starts[:, size // 2 :: size] |= cut
            reached = np.repeat(cut, 2, axis=1)
        return np.repeat(starts[:, :length], rows // drawn, axis=0) if self.shared else starts[:, :length].copy()


@dataclass(frozen=True)
class LINPartition(Partition):
    """Willems' prior (1996): a segment of n symbols so far ends there with probability 1 / (2n).

    A segment has 1 symbol with probability 1/2, at least 3 with 1/2 x 3/4, and more than n with
    prod_{k=1..n} (1 - 1/(2k)), which falls as 1/sqrt(pi n): lengths have no mean.
    """

    def starts(self, rows: int, length: int, rng: np.random.Generator) -> np.ndarray:
        survival = np.cumprod(1 - 0.5 / np.arange(1, length + 1))  # [n-1]: P(more than n symbols)
        starts, reached = first_alone(rows, length), np.zeros(rows)
        while (reached < length).any():
            # Inverse distribution function: a segment has more than n symbols where the uniform number is below.
            lengths = 1 + np.searchsorted(-survival, -rng.random((rows, 8)), side="left")
            places = reached[:, None] + np.cumsum(lengths, axis=1)
            reached = places[:, -1]
            mark(starts, places)
        return starts


__all__ = ["LINPartition", "PTWPartition", "Partition", "Static", "first_alone", "mark"]
