"""The largest learning rate at which a training is stable, by bisection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_fraction, check_integer, check_positive


class StableRate(NamedTuple):
    """What the search found: the largest rate that was stable, the smallest that was not, and all that was tried."""

    lr: float
    unstable: float
    tried: tuple[tuple[float, float], ...]  # (rate, mean loss at the end, NaN after divergence), by rate


def ends(losses: Any) -> tuple[float, float]:
    """Mean loss of the first twentieth and of the last tenth of a run; NaN if one of the losses is not finite."""
    values = np.asarray(losses, dtype=np.float64)
    if not np.isfinite(values).all():
        return float("nan"), float("nan")
    return float(values[: max(1, len(values) // 20)].mean()), float(values[-max(1, len(values) // 10) :].mean())


def find_max_stable_lr(
    step_fn: Callable[[float, int], Any],
    lo: float,
    hi: float,
    n_steps: int,
    *,
    evaluations: int = 6,
    share: float = 0.5,
) -> StableRate:
    """The largest rate at which training is stable, by bisection on a logarithmic scale.

    Stable is a run whose losses are all finite, and which ends below `share` of the loss it began with, or no higher
    than the run at `lo` does: a network whose units a step has killed gives a loss that is finite and stays.

    Args:
        step_fn: (rate, n_steps) -> losses of the steps of a fresh run, NaN where it diverged.
        lo: a rate that is stable.
        hi: one that is not.
        n_steps: of every run.
        evaluations: runs between the two.
        share: see above.

    Raises:
        InputError: every rate is stable, or none is.

    Example:
        >>> found = find_max_stable_lr(lambda lr, n: np.abs(1 - 2 * lr) ** np.arange(n), 0.1, 3.0, 200, evaluations=12)
        >>> round(found.lr, 2)
        1.0
    """
    check_positive(lo, "lo")
    check_integer(n_steps, "n_steps", low=2)
    check_integer(evaluations, "evaluations", low=1)
    check_fraction(share, "share", zero=False)
    if not check_positive(hi, "hi") > lo:
        raise InputError("hi", f"must be above lo = {lo:g}", hi)
    first, last = ends(step_fn(lo, n_steps))
    if not last < first:
        raise InputError("lo", "must be a rate at which training is stable: the loss diverged or did not fall", lo)
    level = max(share * first, last)
    tried = {lo: last, hi: ends(step_fn(hi, n_steps))[1]}
    if tried[hi] <= level:
        raise InputError("hi", "must be a rate at which training diverges: it was stable", hi)
    for _ in range(evaluations):
        middle = float(np.sqrt(lo * hi))
        tried[middle] = ends(step_fn(middle, n_steps))[1]
        lo, hi = (middle, hi) if tried[middle] <= level else (lo, middle)
    return StableRate(lo, hi, tuple(sorted(tried.items())))


__all__ = ["StableRate", "ends", "find_max_stable_lr"]
