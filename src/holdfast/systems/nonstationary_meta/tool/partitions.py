"""Where segments start in sources other than the two mixtures' own, and the names of all kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from holdfast.errors import InputError
from holdfast.systems.nonstationary_meta.method.partitions import (
    LINPartition,
    Partition,
    PTWPartition,
    Static,
    first_alone,
    mark,
)
from holdfast.validation import check_choice, check_integer, check_number


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
        starts, reached = first_alone(rows, length), np.zeros(rows)
        while (reached < length).any():
            gaps = np.maximum(np.rint(self.gaps.draw((rows, 16), rng)), 0)
            places = reached[:, None] + np.cumsum(gaps, axis=1)
            reached = places[:, -1]
            mark(starts, places)
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


__all__ = ["Gaps", "GeometricGaps", "NormalGaps", "RandomShift", "RegularShift", "UniformGaps", "partition"]
