"""Stored copies, orbits, and probes of a trained network (sections 4 and 5 of arXiv 2210.06441).

Differences: flatness counts the step at which the threshold is crossed (the reference one more) and is averaged over
several directions; the noise of the gradient is that of batches of the training set without augmentation, in evaluation
mode, and always rescaled (the reference can leave that out). Copies of one sample lie next to each other, and are drawn
again when asked for, not kept in a database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad
from torch.utils.data import Dataset

from holdfast.data.augment import Transform
from holdfast.errors import InputError
from holdfast.layers.modes import evaluating
from holdfast.metrics.landscape.directions import filter_normalised_direction
from holdfast.metrics.landscape.directions import flatness as walk
from holdfast.metrics.landscape.noise import GradientNoise
from holdfast.metrics.landscape.noise import gradient_noise as noise_of
from holdfast.validation import check_choice, check_integer, check_same_length

View = Callable[[Tensor], Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]
Batches = Iterable[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Moved:
    """A move by whole pixels, down and to the right; what comes in is 0."""

    down: int
    right: int

    def __call__(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        padded = F.pad(images, [abs(self.right)] * 2 + [abs(self.down)] * 2)
        top, left = abs(self.down) - self.down, abs(self.right) - self.right
        return padded[..., top : top + height, left : left + width]


GROUPS: dict[str, tuple[View, ...]] = {
    "hflip": (Moved(0, 0), partial(torch.flip, dims=(-1,))),
    "rot4": tuple(partial(torch.rot90, k=quarters, dims=(-2, -1)) for quarters in range(4)),
}
CROSS: tuple[View, ...] = tuple(Moved(*by) for by in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)))  # no group


class OrbitModel(nn.Module):
    """A network made invariant: its logits averaged over the orbit of each image.

    Args:
        model: images (N, C, H, W) to logits (N, K).
        group: "hflip", "rot4" (square images), or the views themselves; invariance is exact for groups.
        reduce: "mean" of logits, or "max" over the views.

    Example:
        >>> net = OrbitModel(nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), "rot4")
        >>> x = torch.rand(2, 1, 4, 4)
        >>> torch.allclose(net(x), net(x.rot90(1, (2, 3))), atol=1e-6)
        True
    """

    def __init__(
        self, model: nn.Module, group: str | Sequence[View] = "hflip", reduce: Literal["mean", "max"] = "mean"
    ) -> None:
        super().__init__()
        if isinstance(group, str):
            group = GROUPS[check_choice(group, tuple(GROUPS), "group")]
        if not group:
            raise InputError("group", "must have at least one view", "none")
        check_choice(reduce, ("mean", "max"), "reduce")
        self.model, self.group, self.reduce = model, tuple(group), reduce

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) to (N, K)."""
        views = torch.cat([view(images) for view in self.group])
        logits = self.model(views).unflatten(0, (len(self.group), len(images)))
        return logits.mean(0) if self.reduce == "mean" else logits.amax(0)


def stored_copies(images: Tensor, transform: Transform, rounds: int, seed: int = 0, original: bool = False) -> Tensor:
    """Copies drawn once and kept: volume without fresh draws.

    Args:
        images: (N, C, H, W).
        transform: what draws a copy.
        rounds: r, copies per image.
        seed: of the draws.
        original: the first copy is the image itself.

    Returns:
        (r N, C, H, W); the copies of one image are neighbours.

    Raises:
        InputError: rounds below 1.
    """
    check_integer(rounds, "rounds", low=1)
    rng = torch.Generator(images.device).manual_seed(seed)
    drawn = [images if original and k == 0 else transform(images, rng) for k in range(rounds)]
    return torch.stack(drawn, 1).flatten(0, 1)


class RepeatedAugmentation(Dataset[tuple[Tensor, Any]]):
    """A data set of r stored copies of every sample.

    Args:
        dataset: a sequence of (image (C, H, W), label).
        transform: what draws a copy.
        rounds: r.
        seed: of the draws: copy k of sample i is the same whenever it is asked for.

    Example:
        >>> from holdfast.data.augment import Noise
        >>> data = RepeatedAugmentation([(torch.zeros(1, 2, 2), 7)], Noise(), rounds=3)
        >>> len(data), data[2][1], bool((data[2][0] == data[2][0]).all()), bool((data[2][0] == data[1][0]).all())
        (3, 7, True, False)
    """

    def __init__(self, dataset: Sequence[tuple[Tensor, Any]], transform: Transform, rounds: int, seed: int = 0) -> None:
        self.dataset, self.transform = dataset, transform
        self.rounds, self.seed = check_integer(rounds, "rounds", low=1), check_integer(seed, "seed", low=0)

    def __len__(self) -> int:
        return self.rounds * len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        image, label = self.dataset[index // self.rounds]
        state = int(np.random.SeedSequence((self.seed, index)).generate_state(1, np.uint64)[0] >> 1)
        rng = torch.Generator(image.device).manual_seed(state)
        return self.transform(image[None], rng)[0], label


# ------------------------------------------------------------------------------------------------------------ probes
def flatness(
    model: nn.Module,
    loss_fn: Loss,
    loader: Batches,
    *,
    step: float = 0.1,
    threshold: float = 1.0,
    n_directions: int = 5,
    generator: torch.Generator | None = None,
) -> float:
    """How far the weights can move before the training loss reaches a threshold, averaged over random directions.

    Args:
        model: trained; run in evaluation mode.
        loss_fn: (outputs, targets) -> mean loss.
        loader: batches (x, y) of the training data without augmentation, gone through at every step: a DataLoader, or
            `[(x, y)]`.
        step: in units of the filter-normalised direction.
        threshold: of the loss, averaged over samples.
        n_directions: how many are averaged.
        generator: of the directions.

    Returns:
        Mean norm of the displacement; a walk that never gets there counts with its end.

    Raises:
        InputError: no sample; what `metrics.landscape.directions.flatness` raises.
    """
    count = check_integer(n_directions, "n_directions", low=1)
    total = sum(check_same_length(x=x, y=y) for x, y in loader)
    if not total:
        raise InputError("loader", "must have at least one sample, whenever it is gone through", "none")

    def mean_loss(forward: Callable[..., Tensor]) -> Tensor:
        return torch.stack([loss_fn(forward(x), y) * (len(x) / total) for x, y in loader]).sum()

    directions = (filter_normalised_direction(model, generator) for _ in range(count))
    return sum(walk(model, mean_loss, d, step=step, threshold=threshold).distance for d in directions) / count


def gradient_noise(model: nn.Module, loss_fn: Loss, loader: Batches) -> GradientNoise:
    """Signal and noise of the gradients of batches of one size; batches of another size than the first are left out.

    Each parameter's gradient is rescaled to the length of its weights, so that layers count alike; a gradient of
    length 0 stays 0.

    Args:
        model: run in evaluation mode.
        loss_fn: (outputs, targets) -> mean loss.
        loader: batches (x, y) of the training data without augmentation, at least two.

    Raises:
        InputError: fewer than two batches.
    """
    weights = {name: value.detach() for name, value in model.named_parameters()}

    def of_batch(named: dict[str, Tensor], rows: Tensor, targets: Tensor) -> Tensor:
        return loss_fn(functional_call(model, named, (rows,)), targets)

    found: list[Tensor] = []
    size = 1
    with evaluating(model):
        for x, y in loader:
            size = size if found else check_same_length(x=x, y=y)
            if len(x) != size:
                continue
            parts = grad(of_batch)(weights, x, y)
            scaled = [g * (weights[name].norm() / (g.norm() + 1e-10)) for name, g in parts.items()]
            found.append(torch.cat([part.flatten() for part in scaled]))
    return noise_of(found, size)


__all__ = ["CROSS", "GROUPS", "OrbitModel", "RepeatedAugmentation", "flatness", "gradient_noise", "stored_copies"]
