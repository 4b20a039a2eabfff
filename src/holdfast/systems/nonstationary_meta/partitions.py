"""Where segments start: the priors over partitions of a sequence that sources are made of.

A partition divides positions 0 ... T-1 into segments, in each of which the symbols are independent draws from one
distribution. Each kind here draws many partitions at once, as a boolean array that marks the first symbol of every
segment. The kinds and what they mean are those of arXiv 2302.03067 (section 4) and of its published samplers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_choice, check_integer, check_number


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


def _first(rows: int, length: int) -> np.ndarray:
    starts = np.zeros((rows, length), dtype=bool)
    starts[:, 0] = True
    return starts


@dataclass(frozen=True)
class Static(Partition):
    """One segment: nothing ever changes."""

    def starts(self, rows: int, length: int, rng: np.random.Generator) -> np.ndarray:
        return _first(rows, length)


@dataclass(frozen=True)
class RegularShift(Partition):
    """A new segment every `period` symbols.

    Example:
        >>> import numpy as np
        >>> RegularShift(2).starts(1, 5, np.random.default_rng(0)).astype(int).tolist()
        [[1, 0, 1, 0, 1]]
    """

    period: int = 20

    def starts(self, rows: int, length: int, rng: np.random.Generator) -> np.ndarray:
        period = check_integer(self.period, "period", low=1)
        return np.tile(np.arange(length) % period == 0, (rows, 1))


# ---------------------------------------------------------------------------------------------------- random lengths
class Gaps(ABC):
    """Distances between one start and the next. Subclasses are frozen dataclasses."""

    @abstractmethod
    def draw(self, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        """Real numbers of the given shape; they are rounded, and negative ones count as 0."""


@dataclass(frozen=True)
class UniformGaps(Gaps):
    """Uniform on [low, high]."""

    low: float = 1.0
    high: float = 40.0

    def draw(self, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        low = check_number(self.low, "low")
        high = check_number(self.high, "high", low=max(low, 0.51))  # else every gap would be rounded to 0
        return rng.uniform(low, high, size)


@dataclass(frozen=True)
class NormalGaps(Gaps):
    """Normal with a mean and a standard deviation."""

    mean: float = 20.0
    sd: float = 5.0

    def draw(self, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        mean, sd = check_number(self.mean, "mean", low=0.51), check_number(self.sd, "sd", low=0.0)
        return rng.normal(mean, sd, size)


@dataclass(frozen=True)
class GeometricGaps(Gaps):
    """Geometric on 1, 2, ...: a change after each symbol with probability 1 / mean (constant hazard)."""

    mean: float = 20.0

    def draw(self, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        return rng.geometric(1 / check_number(self.mean, "mean", low=1.0), size).astype(float)


@dataclass(frozen=True)
class RandomShift(Partition):
    """Segments of random lengths, drawn independently. A gap of 0 starts a segment where one has just started."""

    gaps: Gaps = UniformGaps()

    def starts(self, rows: int, length: int, rng: np.random.Generator) -> np.ndarray:
        starts, reached = _first(rows, length), np.zeros(rows)
        while (reached < length).any():
            gaps = np.maximum(np.rint(self.gaps.draw((rows, 16), rng)), 0)
            places = reached[:, None] + np.cumsum(gaps, axis=1)
            reached = places[:, -1]
            _mark(starts, places)
        return starts


def _mark(starts: np.ndarray, places: np.ndarray) -> None:
    """Set starts[row, place] for all places (rows, n) that lie inside."""
    row, column = np.nonzero(places < starts.shape[1])
    starts[row, places[row, column].astype(np.int64)] = True


# -------------------------------------------------------------------------------------------------- the two mixtures
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
        starts = _first(drawn, 2**depth)
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
        starts, reached = _first(rows, length), np.zeros(rows)
        while (reached < length).any():
            # Inverse distribution function: a segment has more than n symbols where the uniform number is below.
            lengths = 1 + np.searchsorted(-survival, -rng.random((rows, 8)), side="left")
            places = reached[:, None] + np.cumsum(lengths, axis=1)
            reached = places[:, -1]
            _mark(starts, places)
        return starts


KINDS = {
    "static": Static(),
    "regular": RegularShift(),
    "random": RandomShift(),
    "ptw": PTWPartition(),
    "ptw_shared": PTWPartition(shared=True),
    "lin": LINPartition(),
}
REFERENCE_NAMES = {"regular_shift": "regular", "random_shift": "random", "iid_ptw_cat": "ptw"}


def partition(kind: str | Partition) -> Partition:
    """A partition by name, or the partition given.

    Names are static, regular, random, ptw, ptw_shared and lin. The reference's names regular_shift, random_shift and
    iid_ptw_cat mean the same as regular, random and ptw here; what it calls ptw is ptw_shared.

    Raises:
        InputError: another name.

    Example:
        >>> partition("iid_ptw_cat"), partition("regular")
        (PTWPartition(shared=False), RegularShift(period=20))
    """
    if isinstance(kind, Partition):
        return kind
    if not isinstance(kind, str):
        raise InputError("kind", f"must be a Partition or one of {', '.join(KINDS)}", kind)
    return KINDS[check_choice(REFERENCE_NAMES.get(kind, kind), list(KINDS), "kind")]


def expected_ptw_cuts(depth: int) -> float:
    """Mean number of cuts of the PTW prior on 2^depth symbols: m_0 = 0, m_d = 1/2 (1 + 2 m_{d-1}), which is d / 2.

    Example:
        >>> expected_ptw_cuts(8)
        4.0
    """
    return check_integer(depth, "depth", low=0) / 2


def lin_survival(length: int) -> float:
    """P(a segment of the LIN prior has more than `length` symbols) = prod_{k=1..length} (1 - 1/(2k)).

    Example:
        >>> lin_survival(0), lin_survival(1), lin_survival(2)
        (1.0, 0.5, 0.375)
    """
    return float(np.prod(1 - 0.5 / np.arange(1, check_integer(length, "length", low=0) + 1)))


__all__ = [
    "GeometricGaps",
    "LINPartition",
    "NormalGaps",
    "PTWPartition",
    "Partition",
    "RandomShift",
    "RegularShift",
    "Static",
    "UniformGaps",
    "expected_ptw_cuts",
    "lin_survival",
    "partition",
]
