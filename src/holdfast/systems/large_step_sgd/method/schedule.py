"""Large steps: how a rate is held and decayed, and when the loss has stabilised."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
        self, optimizer: torch.optim.Optimizer, peak: float, warmup: float = 1.05, hold_frac: float = 0.5,
        decay: Sequence[float] = (10.0, 100.0), *, total_steps: int, last: float = 0.9, last_epoch: int = -1,
    ) -> None:  # fmt: skip
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


__all__ = ["Hold", "LargeStepSchedule", "LossStabilizationDetector"]
