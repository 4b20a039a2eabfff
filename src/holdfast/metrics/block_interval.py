"""The interval of a mean whose values depend on their neighbours: the moving-block bootstrap (Künsch 1989)."""

from __future__ import annotations

import numpy as np

from holdfast.validation import check_fraction, check_integer

DRAWS = 2000


def block_interval(
    values: np.ndarray, block: int, *, confidence: float = 0.95, draws: int = DRAWS, seed: int = 0
) -> tuple[float, float]:
    """Interval of a mean: percentiles of the moving-block bootstrap.

    Args:
        values: `(N,)` in order of time.
        block: neighbours redrawn together, at most N (Künsch 1989).
        confidence: share of the draws inside the interval.
        draws: number of redrawn series.
        seed: of the draws.

    Example:
        >>> low, high = block_interval(np.arange(20.0), block=4)
        >>> low < 9.5 < high
        True
    """
    block = check_integer(block, "block", low=1, high=len(values))
    tail = 50 * (1 - check_fraction(confidence, "confidence", zero=False, one=False))
    starts = np.random.default_rng(seed).integers(0, len(values) - block + 1, (draws, -(-len(values) // block)))
    rows = (starts[:, :, None] + np.arange(block)).reshape(draws, -1)[:, : len(values)]
    low, high = np.percentile(values[rows].mean(1), [tail, 100 - tail])
    return float(low), float(high)


__all__ = ["DRAWS", "block_interval"]
