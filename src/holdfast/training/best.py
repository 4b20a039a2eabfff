"""The best of a run: evaluations on the way, and the weights of the best of them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from holdfast.errors import InputError
from holdfast.randomness import derived_seed, seeded
from holdfast.training.distributed import all_mean, world_size
from holdfast.training.history import Diverged
from holdfast.training.learner import Learner
from holdfast.validation import check_integer


@dataclass(frozen=True)
class Best:
    """Keep the weights with which a metric was best, of those after every `every` steps and after the last.

    The metric sees a copy of the learner (of the averaged one where there is an EMA) in evaluation mode, without
    gradients and without autocast. The copy holds the learner's `state_dict()`; its `progress` is the share of the run
    that is done. The global random generators are seeded for an evaluation, alike in every one, and given back. So
    nothing that a metric does to them or to the copy changes what is trained. Each evaluation makes the host wait for
    the device once, and there is memory for two more copies of the weights.

    With several processes each evaluates, and the mean of their numbers decides, so that all keep the same step:
    a metric may be computed from all cases, or from a process's share of them.

    Attributes:
        every: steps between evaluations.
        metric: learner -> one number; infinite ones are allowed, NaN is not.
        higher_is_better: whether the largest or the smallest number is the best; the first of equals stays.
        name: of the numbers in the history; none of the learner's parts may have it.

    Raises:
        InputError: an attribute breaks a rule.

    Example:
        >>> from torch import nn
        >>> from holdfast.data.batches import Batches
        >>> from holdfast.training import Best, Learner, fit
        >>> class Line(Learner):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.net = nn.Linear(1, 1)
        ...     def loss(self, batch, rng):
        ...         return (self.net(batch["x"]) - batch["y"]).square().mean(), {}
        >>> def error(line):
        ...     return (line.net(torch.ones(1, 1)) - 2).abs().item()
        >>> x = torch.linspace(-1, 1, 32)[:, None]
        >>> keep = Best(every=10, metric=error, higher_is_better=False, name="error")
        >>> trained = fit(Line(), Batches({"x": x, "y": 2 * x}, size=8), steps=25, keep=keep)
        >>> steps, errors = trained.history["error"]
        >>> steps, errors[steps.index(trained.best_step)] == min(errors) == error(trained.best)
        ([10, 20, 25], True)
    """

    every: int
    metric: Callable[[Any], float | Tensor]
    higher_is_better: bool = True
    name: str = "metric"

    def __post_init__(self) -> None:
        check_integer(self.every, "every", low=1)
        if not callable(self.metric):
            raise InputError("metric", "must be a function of a learner", type(self.metric).__name__)
        if not isinstance(self.higher_is_better, bool):
            raise InputError("higher_is_better", "must be True or False", self.higher_is_better)
        if not isinstance(self.name, str) or not self.name:
            raise InputError("name", "must be a name", repr(self.name))

    def __str__(self) -> str:
        return f"{'highest' if self.higher_is_better else 'lowest'} {self.name} every {self.every} steps"


class Kept:
    """The best weights so far of one run.

    Args:
        keep: what is evaluated.
        learner: whose weights are evaluated and kept; on its device.
        steps: planned number of steps.
        seed: of the global random generators during evaluations.
        device: the learner's.
    """

    def __init__(self, keep: Best, learner: Learner, steps: int, seed: int, device: torch.device) -> None:
        self.keep, self._source, self._steps, self._device = keep, learner, steps, device
        self._seed = derived_seed(seed, "evaluation")
        self._copy = copy.deepcopy(learner)  # now: after a step its attributes may hold what cannot be copied
        self._step, self._value, self._weights = 0, math.nan, dict[str, Any]()

    def evaluate(self, step: int) -> float:
        """The metric of the learner after a step (from 1); its weights are kept if it is the best so far.

        Raises:
            InputError: the metric is no number, or NaN with weights that are finite.
            Diverged: it is NaN because weights are not finite.
        """
        with seeded(self._seed, self._device), torch.no_grad():
            value = self._shared(self.keep.metric(self._loaded(self._source.state_dict(), step)), step)
        better = value > self._value if self.keep.higher_is_better else value < self._value
        if better or not self._step:
            self._step, self._value = step, value
            state = self._source.state_dict().items()
            self._weights = {name: x.clone() if isinstance(x, Tensor) else copy.deepcopy(x) for name, x in state}
        return value

    def best(self) -> tuple[Learner, int]:
        """The learner with the best weights, in evaluation mode, and the step they are from."""
        return self._loaded(self._weights, self._step), self._step

    def _loaded(self, weights: Mapping[str, Any], step: int) -> Learner:
        self._copy.load_state_dict(weights)
        self._copy.eval().progress = step / self._steps
        return self._copy

    def _shared(self, value: Any, step: int) -> float:
        """The number that a metric returned, averaged over the processes."""
        rule = "must have a metric that returns one number"
        if isinstance(value, Tensor) and value.numel() == 1:
            value = value.item()
        if not isinstance(value, Real) or isinstance(value, bool):
            shape = f" of shape {tuple(value.shape)}" if isinstance(value, Tensor) else ""
            raise InputError("keep", rule, f"{type(value).__name__}{shape} after step {step}")
        number = float(value)
        if world_size() > 1:
            number = all_mean(torch.tensor(number, dtype=torch.float64, device=self._device)).item()
        if math.isnan(number):
            if not all(bool(p.isfinite().all()) for p in self._copy.parameters()):
                raise Diverged(step, self._steps, number, self.keep.name)
            raise InputError("keep", rule, f"NaN after step {step}")
        return number

    def state_dict(self) -> dict[str, Any]:
        """What is kept."""
        return {"step": self._step, "value": self._value, "weights": self._weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what an earlier run kept."""
        self._step, self._value, self._weights = state["step"], state["value"], dict(state["weights"])


__all__ = ["Best", "Kept"]
