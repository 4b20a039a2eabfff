"""At how many replicates a claim may be judged, and how confident each judgement has to be."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from holdfast.errors import InputError

if TYPE_CHECKING:
    from holdfast.experiment import Experiment, Scale
    from holdfast.experiment.claims import Claim

FEWEST = 6  # replicates below which nothing is decided
ERROR_RATE = 0.05  # of all looks together


@dataclass(frozen=True)
class Looks:
    """When the data are looked at. Each look uses the same confidence (Pocock 1977), so that one number describes them.

    Attributes:
        sizes: numbers of replicates, increasing: one or two looks.
        error_rate: chance that any of the looks' intervals misses the true effect.

    Example:
        >>> Looks((8, 16)).sizes, round(Looks((8, 16)).confidence, 4), Looks((6,)).confidence
        ((8, 16), 0.9706, 0.95)
    """

    sizes: tuple[int, ...]
    error_rate: float = ERROR_RATE

    def __post_init__(self) -> None:
        object.__setattr__(self, "sizes", tuple(self.sizes))
        if len(self.sizes) not in (1, 2) or list(self.sizes) != sorted(set(self.sizes)) or self.sizes[0] < FEWEST:
            raise InputError("looks", f"must be one or two increasing numbers of at least {FEWEST}", self.sizes)
        if not 0 < self.error_rate < 1:
            raise InputError("error_rate", "must lie between 0 and 1", self.error_rate)

    @property
    def confidence(self) -> float:
        """Confidence of the interval at each look."""
        if len(self.sizes) == 1:
            return 1 - self.error_rate
        return _confidence_of_two(self.error_rate, math.sqrt(self.sizes[0] / self.sizes[1]))

    def shared_by(self, claims: int) -> Looks:
        """The same looks with the error rate divided by a number of claims."""
        return replace(self, error_rate=self.error_rate / claims)

    @staticmethod
    def may_miss(size: int) -> int:
        """How many of a look's replicates may be without a value: 1 of 8, 2 of 16, none of 6."""
        return size // 8


def looks_for(claim: Claim, experiment: Experiment, scale: Scale | None = None) -> Looks:
    """The looks a claim is given.

    An arm that may collapse: one look at 16, since collapses are rare enough to be absent among 8. A slow scale: one at
    6. A control that must not be found: one at 8, as "not found" can never end the first of two looks. Else 8 and 16.
    """
    if any(experiment.arms[arm].may_collapse for arm in claim.arms):
        return Looks((16,))
    if scale is not None and scale.slow:
        return Looks((6,))
    return Looks((8,)) if claim.expect == "not found" else Looks((8, 16))


@functools.cache
def _confidence_of_two(error_rate: float, correlation: float) -> float:
    """Confidence c of two intervals that both cover with probability 1 - error_rate.

    The two standardised means are bivariate normal with the given correlation, so P(both within +-z) is the integral
    over the first of the conditional probability of the second (Gauss-Legendre, 64 nodes: exact to 1e-14 here).
    """
    from scipy.optimize import brentq  # here, because it takes longer to import than everything else of a verdict

    nodes, weights = np.polynomial.legendre.leggauss(64)
    rest = math.sqrt(1 - correlation**2)

    def excess(z: float) -> float:
        x = z * nodes
        second = special.ndtr((z - correlation * x) / rest) - special.ndtr((-z - correlation * x) / rest)
        density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
        return float(z * np.sum(weights * density * second)) - (1 - error_rate)

    # One look at the whole rate needs less, two looks at half of it (Bonferroni) need more.
    z = brentq(excess, -special.ndtri(error_rate / 2), -special.ndtri(error_rate / 4), xtol=1e-12)
    return float(1 - 2 * special.ndtr(-z))
