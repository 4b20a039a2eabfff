"""Large steps: how a rate is held and decayed, where the edge of stability is, when the loss has stabilised."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.optim.lr_scheduler import LRScheduler

from holdfast.errors import InputError
from holdfast.validation import check_fraction, check_integer, check_number, check_positive


@dataclass(frozen=True)
class Hold:
    """Progress in [0, 1) -> factor of the first rate: large for a share of the training, then divided.

    Attributes:
        hold: share of the training before the first division.
        decay: what the rate is then divided by, one number for every stage.
        breaks: where the later stages begin; one fewer than `decay`.
        growth: w of the exponential warm-up: the rate grows by w with every hundredth of the training while it is held.
        ramp: share of the training in which the rate rises linearly from a tenth.

    Example:
        >>> Hold(hold=0.5, decay=(10.0, 100.0), breaks=(0.9,))(np.array([0.0, 0.5, 0.95])).tolist()
        [1.0, 0.1, 0.01]
    """

    hold: float = 0.5
    decay: tuple[float, ...] = (10.0, 100.0)
    breaks: tuple[float, ...] = (0.9,)
    growth: float = 1.0
    ramp: float = 0.0

    def __call__(self, progress: Any) -> np.ndarray:
        p = np.asarray(progress, dtype=np.float64)
        stage = np.searchsorted((self.hold, *self.breaks)[: len(self.decay)], p, side="right")
        factor = self.growth ** (100 * np.minimum(p, self.hold)) / np.array((1.0, *self.decay))[stage]
        if self.ramp:
            factor = factor * np.minimum(1.0, 0.1 + 0.9 * p / self.ramp)
        return factor

    @property
    def highest(self) -> float:
        """Factor at the end of the hold."""
        return float(self.growth ** (100 * self.hold))


class LargeStepSchedule(LRScheduler):
    """A rate that grows to `peak`, is large for a share of the training, and is then divided.

    The reference's piecewise_05epochs with warm-up base w and first rate lr0 has peak = lr0 w^50.

    Args:
        optimizer: whose groups all get the rate.
        peak: the highest rate; at most 0.95 of what `find_max_stable_lr` finds is a good choice.
        warmup: w: the rate grows by w in every hundredth of the training while it is held; 1 = no warm-up.
        hold_frac: share of the training before the first division.
        decay: what the peak is divided by, from `hold_frac` on and from `last` on.
        total_steps: of the training.
        last: share of the training before the second division.

    Raises:
        InputError: an argument breaks a rule.

    Example:
        >>> sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        >>> schedule = LargeStepSchedule(sgd, peak=1.0, warmup=1.0, total_steps=10)
        >>> rates = []
        >>> for _ in range(10):
        ...     rates.append(sgd.param_groups[0]["lr"]); sgd.step(); schedule.step()
        >>> rates
        [1.0, 1.0, 1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.1, 0.01]
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        peak: float,
        warmup: float = 1.05,
        hold_frac: float = 0.5,
        decay: Sequence[float] = (10.0, 100.0),
        *,
        total_steps: int,
        last: float = 0.9,
        last_epoch: int = -1,
    ) -> None:
        check_positive(peak, "peak")
        check_number(warmup, "warmup", low=1)
        check_fraction(hold_frac, "hold_frac", zero=False)
        check_integer(total_steps, "total_steps", low=1)
        if len(decay) != 2 or not all(value >= 1 for value in decay):
            raise InputError("decay", "must be two numbers of at least 1", decay)
        if not hold_frac <= check_fraction(last, "last"):
            raise InputError("last", "must be at least hold_frac", last)
        self.peak, self.warmup, self.hold_frac, self.decay, self.last = peak, warmup, hold_frac, tuple(decay), last
        self.total_steps = total_steps
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:  # type: ignore[override]  # torch's stubs allow tensors
        """The rate of every group at this step."""
        rule = Hold(self.hold_frac, self.decay, (self.last,), self.warmup)
        done = min(self.last_epoch, self.total_steps - 1) / self.total_steps
        rate = self.peak / rule.highest * float(rule(done))
        return [rate] * len(self.optimizer.param_groups)


# --------------------------------------------------------------------------------------------------- the largest step
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


# -------------------------------------------------------------------------------------------------------- the plateau
class LossStabilizationDetector:
    """Whether the loss hovers: the mean of the last `window` losses and that of the `window` before differ little.

    Args:
        window: losses of each half.
        tol: largest difference, as a share of the earlier mean.

    Example:
        >>> hovers = LossStabilizationDetector(window=2, tol=0.1)
        >>> [hovers.update(loss) for loss in (8.0, 4.0, 2.0, 1.0, 1.0, 1.0, 1.0)]
        [False, False, False, False, False, False, True]
    """

    def __init__(self, window: int = 100, tol: float = 0.05) -> None:
        self.window, self.tol = check_integer(window, "window", low=1), check_positive(tol, "tol")
        self._seen: deque[float] = deque(maxlen=2 * window)

    def update(self, loss: float) -> bool:
        """Take the loss of a step. False until there are 2 windows, and while one of their losses is not finite."""
        self._seen.append(float(loss))
        if len(self._seen) < 2 * self.window:
            return False
        values = np.array(self._seen)
        before, now = values[: self.window].mean(), values[self.window :].mean()
        return bool(np.abs(now - before) <= self.tol * np.abs(before))


__all__ = [
    "Hold",
    "LargeStepSchedule",
    "LossStabilizationDetector",
    "StableRate",
    "ends",
    "find_max_stable_lr",
]
