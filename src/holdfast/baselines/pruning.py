"""Other ways to a sparse network: pruning once, gradually while it trains, and before it trains.

Han, Pool, Tran, Dally, 2015, arXiv 1506.02626 (magnitude, once); Zhu and Gupta, 2017, arXiv 1710.01878 (gradually);
Lee, Ajanthan, Torr, 2019, arXiv 1810.02340 (SNIP, at initialisation).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

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
    kept = torch.zeros(len(flat), dtype=torch.bool)
    kept[flat.argsort(descending=True, stable=True)[:count]] = True
    parts = kept.split([value.numel() for value in scores.values()])
    return {name: part.view(value.shape) for (name, value), part in zip(scores.items(), parts, strict=True)}


def gradual_density(step: int, start: int, end: int, density: float) -> float:
    """The density of gradual pruning at a step: from 1 at `start` by a cubic curve to `density` at `end`.

    d(t) = density + (1 - density) (1 - (t - start) / (end - start))^3.

    Example:
        >>> [round(gradual_density(t, 10, 20, 0.1), 4) for t in (0, 10, 15, 20, 30)]
        [1.0, 1.0, 0.2125, 0.1, 0.1]
    """
    check_integer(start, "start", low=0)
    check_integer(end, "end", low=start + 1)
    check_fraction(density, "density", zero=False)
    over = min(max((step - start) / (end - start), 0.0), 1.0)
    return density + (1 - density) * (1 - over) ** 3


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


__all__ = ["gradual_density", "keep_largest", "snip_scores"]
