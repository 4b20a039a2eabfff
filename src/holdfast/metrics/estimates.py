"""Means over cases with their intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """A mean over rows with a 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: np.ndarray, binary: bool = False) -> Estimate:
        """Mean and interval of values that are independent: Wilson's where they are 0 or 1, else the normal one.

        Example:
            >>> print(Estimate.of(np.array([1.0, 2.0, 3.0, 2.0])), Estimate.of(np.array([1.0, 0.0]), binary=True))
            2.000 [1.200, 2.800] 0.500 [0.095, 0.905]
        """
        mean = float(values.mean())
        if binary:
            z = 1.96**2 / len(values)
            half = ((mean * (1 - mean) * z + z**2 / 4) ** 0.5) / (1 + z)
            centre = (mean + z / 2) / (1 + z)
            return cls(mean, min(mean, centre - half), max(mean, centre + half))
        half = 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else float("inf")
        return cls(mean, mean - half, mean + half)

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


__all__ = ["Estimate"]
