"""What a training run leaves behind: named numbers over the steps, and the guard against losses that are not finite."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from holdfast.errors import HoldfastError, InputError
from holdfast.training.distributed import all_mean, world_size

Columns = dict[str, tuple[list[int], list[float]]]


class Diverged(HoldfastError):
    """The loss became NaN or infinite, or weights did after a loss that was finite.

    Attributes:
        step: the first step (counted from 1) where that was seen.
        steps: planned number of steps.
        value: the loss there, or the metric of these weights.
        what: "loss", or the metric's name.
    """

    def __init__(self, step: int, steps: int, value: float, what: str = "loss") -> None:
        self.step, self.steps, self.value, self.what = step, steps, value, what
        advice = "lower the learning rate, clip the gradients or check the inputs"
        super().__init__(f"the {what} became {value} at step {step} of {steps}; {advice}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.step, self.steps, self.value, self.what)


class History:
    """Collects numbers on their device and fetches them all at once.

    Args:
        steps: planned number of steps.
        device: where losses and parts are computed. On the CPU losses are looked at when they come, elsewhere (and
            with several processes) in `flush`, so that no step waits for the device.

    Attributes:
        columns: name -> (steps, values); steps are counted from 1. Complete after `flush`.
    """

    def __init__(self, steps: int, device: torch.device) -> None:
        self._steps, self._device = steps, device
        self._at_once = device.type == "cpu" and world_size() == 1
        self._dtype = torch.float32 if device.type == "mps" else torch.float64
        self.columns: Columns = {}
        self._losses: list[tuple[int, Tensor]] = []
        self._parts: list[tuple[int, str, Tensor]] = []

    def watch(self, step: int, loss: Tensor) -> None:
        """Guard a loss: raises Diverged, here or in `flush`, if it is not finite."""
        if not self._at_once:
            self._losses.append((step, loss.detach()))
        elif not math.isfinite(value := loss.item()):
            raise Diverged(step, self._steps, value)

    def record(self, step: int, parts: Sequence[Mapping[str, Tensor | float]]) -> None:
        """Keep the parts of a step: one mapping per accumulated batch, of which the mean is kept."""
        for name in parts[0]:
            values = [self._scalar(name, part[name]) for part in parts]
            self._parts.append((step, name, values[0] if len(values) == 1 else torch.stack(values).mean()))

    def add(self, step: int, name: str, value: float) -> None:
        """Keep a number that is on the host, at once."""
        at, column = self.columns.setdefault(name, ([], []))
        at.append(step)
        column.append(value)

    def _scalar(self, name: str, value: Tensor | float) -> Tensor:
        if isinstance(value, Tensor):
            if value.numel() != 1:
                raise InputError(f"parts[{name!r}]", "must be one number", f"shape {tuple(value.shape)}")
            # A copy: the value may be a parameter or a buffer that later steps change in place.
            return value.detach().reshape(()).to(self._device, self._dtype, copy=True)
        return torch.tensor(value, dtype=self._dtype, device=self._device)

    def flush(self) -> None:
        """Fetch what was collected: one wait for the device, and one reduction where there are several processes.

        Raises:
            Diverged: a watched loss was not finite; names the first such step.
        """
        tensors = [loss.to(self._dtype).reshape(()) for _, loss in self._losses] + [t for *_, t in self._parts]
        if not tensors:
            return
        values = all_mean(torch.stack(tensors)).tolist()
        losses, parts, self._losses, self._parts = self._losses, self._parts, [], []
        for (step, _), value in zip(losses, values, strict=False):
            if not math.isfinite(value):
                raise Diverged(step, self._steps, value)
        for (step, name, _), value in zip(parts, values[len(losses) :], strict=True):
            self.add(step, name, value)

    def state_dict(self) -> dict[str, Any]:
        """The columns; call `flush` first."""
        return {
            name: (torch.tensor(at), torch.tensor(column, dtype=torch.float64))
            for name, (at, column) in self.columns.items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from the columns of an earlier run."""
        self.columns = {name: (at.tolist(), column.tolist()) for name, (at, column) in state.items()}


__all__ = ["Columns", "Diverged", "History"]
