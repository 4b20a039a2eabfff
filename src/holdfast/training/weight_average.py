"""Exponential moving average of a module's weights and running statistics."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from holdfast.validation import check_fraction

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class EMA:
    """Average of the weights over the course of training: `a <- d a + (1 - d) w` after every step.

    It starts at a copy of the weights, not at zero, so it needs no correction for its start. In a run of T steps the
    decay is `min(decay, 1 - 5 / T)`: a longer memory than T / 5 steps would mostly remember the initialisation.

    Attributes:
        decay: d for long runs, in [0, 1).

    Example:
        >>> EMA(0.999).over(100_000), EMA(0.999).over(100), EMA(0.999).over(3)
        (0.999, 0.95, 0.0)
    """

    decay: float = 0.999

    def __post_init__(self) -> None:
        check_fraction(self.decay, "decay", one=False)

    def over(self, steps: int) -> float:
        """The decay used in a run of `steps` steps."""
        return min(self.decay, max(0.0, 1 - 5 / steps))


class Average(Generic[M]):
    """A copy of a module that follows it.

    Parameters and floating-point buffers (running statistics of batch norm, prototypes) are averaged, other buffers
    (counters) copied.

    Args:
        module: the module to follow. Its parameters keep their identity; its buffers may be assigned anew.
        decay: d above.

    Attributes:
        module: the averaged copy, in evaluation mode.
    """

    def __init__(self, module: M, decay: float) -> None:
        self.module: M = copy.deepcopy(module).eval()
        self.decay = decay
        pairs = list(zip(self.module.modules(), module.modules(), strict=True))
        self._parameters = list(self.module.parameters()), list(module.parameters())
        # Buffers are looked up by name in every update: a learner may replace one (`self.queue = new`). The modules'
        # own dicts, because attribute access through nn.Module costs several times as much.
        self._buffers = [(mine._buffers, theirs._buffers) for mine, theirs in pairs if theirs._buffers]

    @torch.no_grad()
    def update(self) -> None:
        """Move the copy a step towards the module."""
        averaged: list[Tensor] = [*self._parameters[0]]
        current: list[Tensor] = [*self._parameters[1]]
        copies: list[Tensor] = []
        originals: list[Tensor] = []
        for mine, theirs in self._buffers:
            for name, buffer in theirs.items():
                old = mine.get(name)
                if buffer is None or old is None or old.shape != buffer.shape:
                    mine[name] = None if buffer is None else buffer.detach().clone()
                elif buffer.is_floating_point():
                    averaged.append(old)
                    current.append(buffer)
                else:
                    copies.append(old)
                    originals.append(buffer)
        if averaged:
            torch._foreach_lerp_(averaged, current, 1 - self.decay)
        if copies:
            torch._foreach_copy_(copies, originals)


__all__ = ["EMA", "Average"]
