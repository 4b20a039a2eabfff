"""How far the weights can be moved in a random direction before the loss is high.

Filter normalisation: Li, Xu, Taylor, Studer, Goldstein, 2018, arXiv 1712.09913. Flatness as in Geiping et al., 2022,
arXiv 2210.06441. Difference: their loop looks at the loss before it moves and so counts one step more than the one at
which the loss has crossed; ours is the crossing step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from holdfast.errors import InputError
from holdfast.layers.modes import evaluating
from holdfast.validation import check_integer, check_positive

Direction = Mapping[str, Tensor]
Loss = Callable[[nn.Module], Tensor]


@torch.no_grad()
def filter_normalised_direction(model: nn.Module, generator: torch.Generator | None = None) -> dict[str, Tensor]:
    """A random direction whose filters are as long as the model's.

    Every tensor is drawn from N(0, 1). Each filter (a slice along the first axis) is brought to the norm of its
    weights; tensors of fewer than two axes (biases, batch norm) do not move.

    Args:
        model: its parameters say shapes and norms.
        generator: of the draws, on the CPU; None = torch's own.

    Returns:
        {name of the parameter: tensor}, with the parameters' shapes, types and devices.

    Example:
        >>> net = nn.Linear(3, 2)
        >>> direction = filter_normalised_direction(net, torch.Generator().manual_seed(0))
        >>> torch.allclose(direction["weight"].norm(dim=1), net.weight.norm(dim=1)), float(direction["bias"].norm())
        (True, 0.0)
    """
    found = {}
    for name, weight in model.named_parameters():
        drawn = torch.randn(weight.shape, generator=generator, dtype=weight.dtype).to(weight.device)
        if weight.ndim < 2:
            found[name] = torch.zeros_like(weight)
            continue
        axes = tuple(range(1, weight.ndim))
        wanted, length = (torch.linalg.vector_norm(t, dim=axes, keepdim=True) for t in (weight, drawn))
        found[name] = drawn * (wanted / (length + 1e-10))
    return found


@dataclass(frozen=True)
class Flatness:
    """How far one has to go.

    Attributes:
        distance: norm of the displacement at which the loss has reached the threshold.
        steps: number of steps that is.
        reached: whether it was reached; if not, distance and steps are those of the end of the walk.
    """

    distance: float
    steps: int
    reached: bool


@torch.no_grad()
def flatness(
    model: nn.Module,
    loss: Callable[[Callable[..., Tensor]], Tensor],
    direction: Direction,
    *,
    step: float = 0.1,
    threshold: float = 1.0,
    max_steps: int = 1000,
) -> Flatness:
    """Walk from the weights along a direction until the loss reaches a threshold.

    Args:
        model: the start; run in evaluation mode.
        loss: (forward) -> scalar loss on data without augmentation; `forward(x)` is the moved model.
        direction: as made by `filter_normalised_direction`; average over several.
        step: length of a step, in units of the direction.
        threshold: of the loss.
        max_steps: where the walk ends in any case.

    Raises:
        InputError: the direction has other names or shapes than the parameters; step or threshold not above 0.

    Example:
        >>> net = nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.zeros_(net.weight)
        >>> walk = flatness(net, lambda f: (f(torch.ones(1, 1)) ** 2).mean(), {"weight": torch.ones(1, 1)}, step=0.3)
        >>> round(walk.distance, 3), walk.steps, walk.reached
        (1.2, 4, True)
    """
    length, level = check_positive(step, "step"), check_positive(threshold, "threshold")
    check_integer(max_steps, "max_steps", low=1)
    start = dict(model.named_parameters())
    shapes = {name: tuple(value.shape) for name, value in start.items()}
    if {name: tuple(value.shape) for name, value in direction.items()} != shapes:
        raise InputError("direction", "must have the names and shapes of the model's parameters", sorted(direction))
    whole = float(torch.stack([value.double().norm() for value in direction.values()]).norm())
    with evaluating(model):
        for k in range(max_steps + 1):
            moved = {name: value + k * length * direction[name] for name, value in start.items()}

            def forward(*inputs: Tensor, moved: dict[str, Tensor] = moved) -> Tensor:
                return functional_call(model, moved, inputs)

            if not float(loss(forward)) < level:  # a loss that is no number is as high as any
                return Flatness(k * length * whole, k, True)
    return Flatness(max_steps * length * whole, max_steps, False)


__all__ = ["Flatness", "filter_normalised_direction", "flatness"]
