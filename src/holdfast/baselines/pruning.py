"""Other ways to a sparse network: pruning once, gradually while it trains, and before it trains.

Han, Pool, Tran, Dally, 2015, arXiv 1506.02626 (magnitude, once); Zhu and Gupta, 2017, arXiv 1710.01878 (gradually);
Lee, Ajanthan, Torr, 2019, arXiv 1810.02340 (SNIP, at initialisation).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.validation import check_fraction, check_integer


def keep_largest(scores: Mapping[str, Tensor], density: float) -> dict[str, Tensor]:
    """Masks that keep the share of largest scores, over all tensors together; equal scores are kept in their order.

    Args:
        scores: {name: scores of any shape}; with magnitudes it is one-shot pruning.
        density: share that is kept, in (0, 1].

    Returns:
        {name: booleans}; exactly ceil(density * size) of them are True.

    Raises:
        InputError: a density outside (0, 1], scores that are NaN.

    Example:
        >>> {n: m.tolist() for n, m in keep_largest({"w": torch.tensor([3.0, 1.0, 2.0, 2.0])}, 0.5).items()}
        {'w': [True, False, True, False]}
    """
    check_fraction(density, "density", zero=False)
    flat = torch.cat([value.reshape(-1).double() for value in scores.values()])
    if bool(flat.isnan().any()):
        raise InputError("scores", "must be numbers", "NaN")
    count = math.ceil(density * len(flat) - 1e-9)
    kept = torch.zeros(len(flat), dtype=torch.bool, device=flat.device)
    kept[flat.argsort(descending=True, stable=True)[:count]] = True
    parts = kept.split([value.numel() for value in scores.values()])
    return {name: part.view(value.shape) for (name, value), part in zip(scores.items(), parts, strict=True)}


@dataclass(frozen=True)
class Gradual:
    """Gradual magnitude pruning: the mask after each step of a training, for `training.masked.train_masked`.

    The density falls from 1 at `start` by a cubic curve to `density` at `end`, in moves of `every` steps:
    d(t) = density + (1 - density) (1 - (t - start) / (end - start))^3.

    Args:
        density: share of the weights that is kept at the end.
        start, end: steps.
        every: steps between moves; the last is made at `end`.

    Raises:
        InputError: a density outside (0, 1], end not after start.

    Example:
        >>> plan = Gradual(0.1, start=10, end=20)
        >>> [round(plan.density_at(t), 4) for t in (0, 10, 15, 20, 30)]
        [1.0, 1.0, 0.2125, 0.1, 0.1]
        >>> plan(12, {"w": torch.rand(9)}) is None  # nothing moves at step 12
        True
    """

    density: float
    start: int
    end: int
    every: int = 10

    def __post_init__(self) -> None:
        check_fraction(self.density, "density", zero=False)
        check_integer(self.start, "start", low=0)
        check_integer(self.end, "end", low=self.start + 1)
        check_integer(self.every, "every", low=1)

    def density_at(self, step: int) -> float:
        """Share that is kept after a step."""
        over = min(max((step - self.start) / (self.end - self.start), 0.0), 1.0)
        return self.density + (1 - self.density) * (1 - over) ** 3

    def __call__(self, step: int, weights: Mapping[str, Tensor]) -> dict[str, Tensor] | None:
        if not self.start < step <= self.end or ((step - self.start) % self.every and step != self.end):
            return None
        return keep_largest({name: w.abs() for name, w in weights.items()}, self.density_at(step))


def snip_scores(
    model: nn.Module, loss: Callable[[nn.Module], Tensor], names: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Connection sensitivity |g * w| of every weight, from one batch at initialisation; `keep_largest` makes the mask.

    Args:
        model: not changed; gradients it has are left alone.
        loss: model -> scalar loss of the batch.
        names: the tensors it is wanted for (a mask, or their weights).
    """
    weights = [model.get_parameter(name) for name in names]
    gradients = torch.autograd.grad(loss(model), weights)
    return {n: (g * w).abs().detach() for n, w, g in zip(names, weights, gradients, strict=True)}


__all__ = ["Gradual", "keep_largest", "snip_scores"]
