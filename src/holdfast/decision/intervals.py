"""The arithmetic of intervals, vectorised: the same functions serve one claim and a simulation of 100,000."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy import special

POWER = 0.8
MOST_REPLICATES = 1000  # more than that counts as "the effect sits at the margin"


class Interval(NamedTuple):
    """Arrays (or floats) of equal shape `(...)`: mean, lower and upper end, standard deviation of the replicates."""

    mean: Any
    lo: Any
    hi: Any
    sd: Any


def t_quantile(confidence: Any, df: Any) -> Any:
    """Half-width in standard errors of a two-sided interval: the (1 + confidence) / 2 quantile of Student's t."""
    return special.stdtrit(df, (1 + np.asarray(confidence)) / 2)


def t_interval(values: np.ndarray, confidence: float, overlap: float = 0.0) -> Interval:
    """Mean +- t * s * sqrt(1/n + overlap).

    Args:
        values: `(..., n)`, finite, n >= 2 replicates along the last axis.
        confidence: of the two-sided interval, for example 0.95.
        overlap: n_test / n_train where replicates re-split one pool, else 0. Nadeau and Bengio (2003), "Inference for
            the generalization error", section 4.1: replicates that share training cases are correlated, and s / sqrt(n)
            would shrink to nothing however often the same pool is split again.

    Returns:
        Interval of arrays `(...)`. Equal values give an interval without width at exactly that value.
    """
    values = np.asarray(values, float)
    n = values.shape[-1]
    equal = np.all(values == values[..., :1], axis=-1)  # rounding of mean and sd must not make a width of 1e-17
    mean = np.where(equal, values[..., 0], values.mean(-1))
    sd = np.where(equal, 0.0, values.std(-1, ddof=1))
    half = t_quantile(confidence, n - 1) * sd * math.sqrt(1 / n + overlap)
    return Interval(mean[()], (mean - half)[()], (mean + half)[()], sd[()])


def welch_interval(a: np.ndarray, b: np.ndarray, confidence: float, overlap: float = 0.0) -> tuple[float, float, float]:
    """Difference of two means that share no replicates: Welch (1947), degrees of freedom of Satterthwaite (1946).

    Args:
        a, b: `(n,)` and `(m,)`, finite, n and m at least 2.
        confidence: of the two-sided interval.
        overlap: n_test / n_train where the replicates of each re-split one pool, as in `t_interval`.

    Returns:
        mean(b) - mean(a), and the ends of its interval.

    Example:
        >>> [round(end, 2) for end in welch_interval(np.array([1.0, 2.0, 3.0]), np.array([3.0, 4.0, 5.0]), 0.95)]
        [2.0, -0.27, 4.27]
    """
    difference = float(np.mean(b) - np.mean(a))
    parts = np.array([np.var(x, ddof=1) * (1 / len(x) + overlap) for x in (a, b)])
    if not parts.sum() > 0:
        return difference, difference, difference
    shares = parts / parts.sum()  # of the variance; the formula in shares, so that tiny variances do not underflow
    df = 1 / np.sum(shares**2 / np.array([len(a) - 1, len(b) - 1]))
    half = float(t_quantile(confidence, df) * math.sqrt(parts.sum()))
    return difference, difference - half, difference + half


def clopper_pearson(wins: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact interval of a share: Clopper and Pearson (1934), by quantiles of the beta distribution.

    Example:
        >>> [round(end, 3) for end in clopper_pearson(8, 8)]
        [0.631, 1.0]
    """
    tail = (1 - confidence) / 2
    lo = 0.0 if wins == 0 else float(special.betaincinv(wins, n - wins + 1, tail))
    hi = 1.0 if wins == n else float(special.betaincinv(wins + 1, n - wins, 1 - tail))
    return lo, hi


def outlying(values: np.ndarray) -> np.ndarray:
    """Which of the values `(n,)` lie beyond 5 MAD of the median, MAD being the median of |value - median|, unscaled.

    For normal values that is 3.4 standard deviations. Where more than half of the values are equal, all others are out.
    """
    away = np.abs(values - np.median(values))
    return away > np.maximum(5 * np.median(away), 1e-12 * np.max(np.abs(values), initial=0.0))


def replicates_needed(distance: float, sd: float, confidence: float, overlap: float = 0.0) -> int | None:
    """How many replicates would decide with a probability of 80 %, if mean and sd stay what they are.

    The smallest n with (t_{(1+confidence)/2} + t_{0.8}) * sd * sqrt(1/n + overlap) <= distance, both quantiles with
    n - 1 degrees of freedom.

    Args:
        distance: of the effect from the nearest edge of the region.

    Returns:
        n, at least 2; None where more than 1000 would be needed or, for re-split pools, no number is enough.
    """
    n = np.arange(2, MOST_REPLICATES + 1)
    quantiles = t_quantile(confidence, n - 1) + special.stdtrit(n - 1, POWER)
    enough = quantiles * sd * np.sqrt(1 / n + overlap) <= distance
    return int(n[np.argmax(enough)]) if enough.any() and distance > 0 else None
