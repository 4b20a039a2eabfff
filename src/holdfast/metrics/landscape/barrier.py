"""The error on the straight line between two networks: are they in one valley?

Frankle, Dziugaite, Roy, Carbin, 2020, arXiv 1912.05671 (linear mode connectivity).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.layers.norm import batch_norms
from holdfast.layers.recalibration import recalibrate_
from holdfast.validation import check_integer


@dataclass(frozen=True, eq=False)
class Barrier:
    """Errors on the line from a to b.

    Attributes:
        alphas: (P,) places on the line, 0 = a, 1 = b.
        values: (P,) errors there; inf where the error was no number.
        barrier: the largest rise above the straight line between the errors of the ends; >= 0, because the ends count.
        argmax: the place it is at.
    """

    alphas: np.ndarray
    values: np.ndarray
    barrier: float
    argmax: float


def error_barrier(
    model_a: nn.Module,
    model_b: nn.Module,
    evaluate: Callable[[nn.Module], float],
    *,
    points: int = 11,
    recalibrate: Iterable[Tensor] | None = None,
) -> Barrier:
    """B(a, b) = max over alpha in [0, 1] of E((1 - alpha) a + alpha b) - ((1 - alpha) E(a) + alpha E(b)).

    Args:
        model_a, model_b: networks of one architecture; not changed.
        evaluate: (network in evaluation mode) -> its error or loss.
        points: places on the line, both ends among them; 11 or more see most barriers.
        recalibrate: batches of inputs that batch-norm statistics are taken from anew at every place, the ends too: in
            between, those of neither network are right. Needed where the networks have batch norm; read once per place.

    Returns:
        The errors and the barrier, in the units of `evaluate`.

    Raises:
        InputError: parameters of other names or shapes, fewer than 3 points, batch norm without `recalibrate`.

    Example:
        >>> a, b = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.constant_(a.weight, -1.0), nn.init.constant_(b.weight, 1.0)
        >>> found = error_barrier(a, b, lambda net: float(1 - net(torch.ones(1, 1)).abs()), points=5)
        >>> found.values.tolist(), found.barrier, found.argmax
        ([0.0, 0.5, 1.0, 0.5, 0.0], 1.0, 0.5)
    """
    check_integer(points, "points", low=3)
    first, second = dict(model_a.named_parameters()), dict(model_b.named_parameters())
    for name in first.keys() ^ second.keys():
        raise InputError("model_b", "must have the parameters of model_a", f"{name!r} is in one of them alone")
    for name, value in first.items():
        if value.shape != second[name].shape:
            shown = f"{name!r} is {tuple(second[name].shape)} beside {tuple(value.shape)}"
            raise InputError("model_b", "must have the shapes of model_a", shown)
    if batch_norms(model_a) and recalibrate is None:
        raise InputError("recalibrate", "must be batches of inputs: the networks have batch norm", None)
    batches = None if recalibrate is None else list(recalibrate)
    alphas = np.linspace(0, 1, points)
    between = copy.deepcopy(model_a).eval()
    values = np.empty(points)
    with torch.no_grad():
        for i, alpha in enumerate(alphas.tolist()):
            for name, value in between.named_parameters():
                value.copy_(first[name].lerp(second[name], alpha))
            if batches is not None:
                recalibrate_(between, batches)
            error = float(evaluate(between.eval()))
            values[i] = math.inf if math.isnan(error) else error
    straight = (1 - alphas) * values[0] + alphas * values[-1]
    with np.errstate(invalid="ignore"):
        rise = values - straight
    rise[np.isnan(rise)] = 0.0  # inf - inf: no higher than its end
    at = int(rise.argmax())
    return Barrier(alphas, values, float(rise[at]), float(alphas[at]))


__all__ = ["Barrier", "error_barrier"]
