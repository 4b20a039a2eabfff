"""How errors fall with size: power laws with an offset, monotone curves, what size would have given an error.

A learning curve e(n) is read backwards: which n has error e? `PowerLaw` answers by a formula, beyond the largest size
too; `MonotoneCurve` answers between the sizes that were measured and nowhere else. Both take many curves at a time, so
that a bootstrap of a thousand draws is one call.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_array, check_integer

STARTS = ((0.3, 0.0), (0.3, 0.9), (1.0, 0.0), (1.0, 0.5), (1.0, 0.9), (2.0, 0.9))  # exponent; offset / least error
STEPS = 80
MOST_EXPONENT = 10.0


@dataclass(frozen=True, eq=False)
class PowerLaw:
    """e(n) = a n^(-c) + b with a > 0, c >= 0, b >= 0.

    Attributes:
        a, c, b: (...,) float64, one of each per curve.
        residual: (...,) root mean square of log e - log fit.
    """

    a: np.ndarray
    c: np.ndarray
    b: np.ndarray
    residual: np.ndarray

    def __call__(self, n: Any) -> np.ndarray:
        """The error (..., K) at sizes (K,)."""
        sizes = np.asarray(n, np.float64)
        return self.a[..., None] * sizes ** -self.c[..., None] + self.b[..., None]

    def inverse(self, error: Any) -> np.ndarray:
        """The size with this error: ((e - b) / a)^(-1 / c).

        Args:
            error: (..., K) errors, for the curves (...,).

        Returns:
            (..., K) float64; infinite where no size reaches the error (e <= b, or a flat curve above it).

        Example:
            >>> law = fit_power_law([100, 200, 400, 800], [0.14, 0.09, 0.065, 0.0525])
            >>> law.inverse([0.09, 0.04]).round(1).tolist()
            [200.0, inf]
        """
        above = np.asarray(error, np.float64) - self.b[..., None]
        a, c = self.a[..., None], self.c[..., None]
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            size = (above / a) ** (-1 / c)
        flat = np.where(above >= a, 0.0, np.inf)  # c = 0: every size has the error a + b, or none
        return np.where(above <= 0, np.inf, np.where(c > 0, size, flat))


def fit_power_law(sizes: Any, errors: Any) -> PowerLaw:
    """Least squares on log e, by projected Levenberg-Marquardt from several starts, all curves at a time.

    The offset stays at or below the least error that was seen: a curve does not lie above its own measurements.

    Args:
        sizes: (K,) sizes, ascending, K >= 4, over at least a factor of 2.
        errors: (..., K) errors > 0, averaged over repetitions.

    Returns:
        The laws (...,).

    Raises:
        InputError: fewer than 4 sizes, sizes that do not ascend, errors that are not above 0.

    Source: Geiping et al., 2022, arXiv 2210.06441 (the law); the fit is ours, theirs is not public.

    Example:
        >>> n = np.array([100, 200, 400, 800])
        >>> law = fit_power_law(n, 9.0 * n ** -0.9 + 0.05)
        >>> [round(float(x), 6) for x in (law.a, law.c, law.b)]
        [9.0, 0.9, 0.05]
    """
    n, e = _checked(sizes, errors, least=4)
    # In units of the geometric mean size the three parameters are of like scale, and n cancels from the result.
    centre = math.exp(np.log(n).mean())
    x, flat = np.log(n / centre), e.reshape(-1, len(n))
    best = _fit(x, np.log(flat), flat.min(1))
    shape = e.shape[:-1]
    scale, c, b, cost = (part.reshape(shape) for part in best)
    return PowerLaw(np.exp(scale + c * math.log(centre)), c, b, np.sqrt(cost / len(n)))


def _fit(x: np.ndarray, y: np.ndarray, top: np.ndarray) -> tuple[np.ndarray, ...]:
    """(log scale, c, b, sum of squares), each (M,): the best of all starts for every curve y (M, K) of log errors."""
    starts = np.asarray(STARTS)
    c = np.repeat(starts[None, :, 0], len(y), 0)
    b = starts[None, :, 1] * top[:, None]
    middle = np.exp(y).mean(1)[:, None] - b
    p = np.stack([np.log(np.maximum(middle, 1e-300)), c, b / top[:, None]], -1)  # (M, S, 3)
    low, high = np.array([-np.inf, 0.0, 0.0]), np.array([np.inf, MOST_EXPONENT, 1.0])
    damping = np.full(p.shape[:2], 1e-3)
    residual, slope = _residuals(p, x, y, top)
    cost = (residual**2).sum(-1)
    for _ in range(STEPS):
        gradient = np.einsum("msk,mskp->msp", residual, slope)
        normal = np.einsum("mskp,mskq->mspq", slope, slope)
        # A parameter at its bound that wants to leave it stays there, and the others move without it.
        stuck = ((p <= low) & (gradient > 0)) | ((p >= high) & (gradient < 0))
        free = ~stuck
        normal = normal * free[..., None] * free[..., None, :]
        diagonal = np.einsum("mspp->msp", normal)
        diagonal += np.where(free, damping[..., None] * np.maximum(diagonal, 1e-12), 1.0)
        step = np.linalg.solve(normal, (gradient * free)[..., None])[..., 0]
        trial = np.clip(p - step, low, high)
        new_residual, new_slope = _residuals(trial, x, y, top)
        new_cost = (new_residual**2).sum(-1)
        better = new_cost < cost
        p = np.where(better[..., None], trial, p)
        residual = np.where(better[..., None], new_residual, residual)
        slope = np.where(better[..., None, None], new_slope, slope)
        cost = np.where(better, new_cost, cost)
        damping = np.clip(np.where(better, damping * 0.2, damping * 5), 1e-12, 1e8)
    chosen = cost.argmin(1)
    rows = np.arange(len(y))
    scale, c, share = p[rows, chosen].T
    return scale, c, share * top, cost[rows, chosen]


def _residuals(p: np.ndarray, x: np.ndarray, y: np.ndarray, top: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log fit - log error (M, S, K) and its derivatives by (log scale, c, b / top): (M, S, K, 3)."""
    power = np.exp(np.clip(p[..., :1] - p[..., 1:2] * x, -300, 300))
    offset = p[..., 2:] * top[:, None, None]
    value = power + offset
    slope = np.stack([power, -x * power, np.broadcast_to(top[:, None, None], value.shape)], -1) / value[..., None]
    return np.log(value) - y[:, None, :], slope


@dataclass(frozen=True, eq=False)
class Reading:
    """Sizes read off a curve.

    Attributes:
        size: (..., K) float64.
        censored: (..., K) int64: -1 where the error is above the curve's first value (size = the smallest measured), 1
            where it is below its last (size = the largest measured), else 0.
    """

    size: np.ndarray
    censored: np.ndarray


@dataclass(frozen=True, eq=False)
class MonotoneCurve:
    """A falling curve through measured errors: isotonic regression, between sizes linear in log n.

    It assumes no form, extrapolates nothing, and its readings are never infinite.

    Args:
        sizes: (K,) sizes, ascending, K >= 2.
        errors: (..., K) errors, averaged over repetitions; equal weights.

    Raises:
        InputError: fewer than 2 sizes, sizes that do not ascend, errors that are not above 0.

    Example:
        >>> curve = MonotoneCurve([100, 200, 400, 800], [0.20, 0.10, 0.12, 0.05])
        >>> curve.falling.round(2).tolist()
        [0.2, 0.11, 0.11, 0.05]
        >>> reading = curve.inverse([0.25, 0.155, 0.01])
        >>> reading.size.round(1).tolist(), reading.censored.tolist()
        ([100.0, 141.4, 800.0], [-1, 0, 1])
    """

    sizes: Any
    errors: Any

    def __post_init__(self) -> None:
        n, e = _checked(self.sizes, self.errors, least=2)
        object.__setattr__(self, "sizes", n)
        object.__setattr__(self, "errors", e)

    @property
    def falling(self) -> np.ndarray:
        """(..., K): the falling sequence nearest to the errors in least squares.

        By the min-max formula: at k the least over starts i <= k of the greatest mean over i .. j, j >= k, turned over
        for falling curves; K is small, so all means are made at once.
        """
        e = self.errors
        k = e.shape[-1]
        total = np.concatenate([np.zeros((*e.shape[:-1], 1)), np.cumsum(e, -1)], -1)
        first, last = np.arange(k)[:, None], np.arange(k)[None, :]
        with np.errstate(divide="ignore", invalid="ignore"):
            means = (total[..., last + 1] - total[..., first]) / (last - first + 1)
        best = np.empty_like(e)
        for at in range(k):
            best[..., at] = means[..., : at + 1, at:].max(-1).min(-1)
        return best

    def inverse(self, error: Any) -> Reading:
        """The size at which the curve has this error; on a level part the smallest such size.

        Args:
            error: (..., M) errors, for the curves (...,).
        """
        wanted = np.asarray(error, np.float64)
        fit, logs = self.falling, np.log(self.sizes)
        shape = np.broadcast_shapes(wanted.shape[:-1], fit.shape[:-1])
        wanted = np.broadcast_to(wanted, (*shape, wanted.shape[-1]))
        fit = np.broadcast_to(fit, (*shape, fit.shape[-1]))
        # The first size whose value is at or below the error ends the piece that holds the answer. Means of level parts
        # are right to some digits only, and so is "at".
        end = (fit[..., None, :] > wanted[..., None] * (1 + 1e-12)).sum(-1)
        right = np.clip(end, 1, fit.shape[-1] - 1)
        above, below = np.take_along_axis(fit, right - 1, -1), np.take_along_axis(fit, right, -1)
        share = np.clip((above - wanted) / np.where(above > below, above - below, 1.0), 0, 1)
        size = np.exp(logs[right - 1] + share * (logs[right] - logs[right - 1]))
        censored = np.where(end == fit.shape[-1], 1, np.where(wanted > fit[..., :1] * (1 + 1e-12), -1, 0))
        size = np.where(censored == 1, self.sizes[-1], np.where(end == 0, self.sizes[0], size))
        return Reading(size, censored)


def resampled_means(runs: Sequence[Any], draws: int, rng: np.random.Generator) -> np.ndarray:
    """Bootstrap of a learning curve: the runs of every size drawn anew with replacement, and averaged.

    Args:
        runs: per size the errors (R_k,) of its repetitions; sizes may have different numbers of them.
        draws: number of curves.
        rng: of the draws.

    Returns:
        (draws, K) means.

    Raises:
        InputError: a size without runs, values that are not finite.
    """
    count = check_integer(draws, "draws", low=1)
    columns = [np.asarray(run, np.float64).reshape(-1) for run in runs]
    if not columns or not all(len(column) for column in columns):
        raise InputError("runs", "must have at least one run at every size", [len(column) for column in columns])
    columns = [check_array(column, "R", name="runs") for column in columns]
    return np.stack([c[rng.integers(0, len(c), (count, len(c)))].mean(1) for c in columns], 1)


def _checked(sizes: Any, errors: Any, least: int) -> tuple[np.ndarray, np.ndarray]:
    n = check_array(np.asarray(sizes, np.float64), "K", name="sizes", low=0)
    e = np.asarray(errors, np.float64)
    if len(n) < least:
        raise InputError("sizes", f"must be at least {least}", len(n))
    if n[0] <= 0 or not (np.diff(n) > 0).all():
        raise InputError("sizes", "must be above 0 and ascend", n.tolist())
    if e.ndim < 1 or e.shape[-1] != len(n):
        raise InputError("errors", f"must have one value for each of the {len(n)} sizes", e.shape)
    if not (np.isfinite(e) & (e > 0)).all():
        raise InputError("errors", "must be finite and above 0", float(e[~(np.isfinite(e) & (e > 0))][0]))
    return n, e


__all__ = ["MonotoneCurve", "PowerLaw", "Reading", "fit_power_law", "resampled_means"]
