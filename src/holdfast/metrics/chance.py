"""Whether a classifier does better than guessing: its right answers against those of the best constant answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from holdfast.errors import InputError

LEVEL = 0.01  # how often a guess would be taken for knowledge


@dataclass(frozen=True)
class AgainstChance:
    """`right` of `n` answers, where always naming the most frequent class is right with probability `chance`.

    Raises:
        InputError: right is not in [0, n], n < 1, or chance is not in (0, 1].

    Example:
        >>> from holdfast.metrics.chance import AgainstChance
        >>> AgainstChance(52, 100, chance=0.5).beaten, AgainstChance(70, 100, chance=0.5).beaten
        (False, True)
    """

    right: int
    n: int
    chance: float

    def __post_init__(self) -> None:
        if self.n < 1:
            raise InputError("n", "must be at least 1", self.n)
        if not 0 <= self.right <= self.n:
            raise InputError("right", f"must lie in [0, {self.n}]", self.right)
        if not 0 < self.chance <= 1:
            raise InputError("chance", "must lie in (0, 1]", self.chance)

    @property
    def share(self) -> float:
        """right / n."""
        return self.right / self.n

    @property
    def beaten(self) -> bool:
        """Whether guessing is right so often with a probability of at most 1 %: exact, one-sided, binomial."""
        from scipy.stats import binom

        return bool(binom.sf(self.right - 1, self.n, self.chance) <= LEVEL)


def at_best(predicted: np.ndarray, shares: np.ndarray) -> AgainstChance:
    """How many predictions without labels can be right at best, if the classes are as frequent as is believed.

    Of class k no more are right than are predicted, and no more than there are: sum_k min(predicted_k, n share_k). One
    class for everything is at chance by this, and one for nearly everything is not told from it.

    Args:
        predicted: how often each class was predicted, (K,) counts.
        shares: of the classes, (K,), that sum to 1.

    Example:
        >>> import numpy as np
        >>> at_best(np.array([98, 2]), np.array([0.5, 0.5]))
        AgainstChance(right=52, n=100, chance=0.5)
    """
    n = int(np.sum(predicted))
    right = int(np.floor(np.minimum(predicted, n * np.asarray(shares)).sum() + 1e-9))
    return AgainstChance(right, n, float(np.max(shares)))


__all__ = ["LEVEL", "AgainstChance", "at_best"]
