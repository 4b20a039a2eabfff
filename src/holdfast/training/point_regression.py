"""A number for every point of a set: a network around any mixer of points, its loss, its answers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from holdfast.data.batches import Batches
from holdfast.data.point_sets import PointSets
from holdfast.training.learner import Learner, Parts


class PointRegressor(nn.Module):
    """A number for every point of a set: a linear embedding, a mixer, and a head that reads [mixed ; embedded].

    Args:
        features: numbers per point.
        width: E.
        mixer: (x, pos, key_padding_mask) -> x, padding `(B, N)` bool, true for padding, or None.
    """

    def __init__(self, features: int, width: int, mixer: nn.Module) -> None:
        super().__init__()
        self.embed, self.mixer = nn.Linear(features, width), mixer
        self.head = nn.Sequential(nn.Linear(2 * width, 2 * width), nn.ReLU(), nn.Linear(2 * width, 1))

    def forward(self, x: Tensor, pos: Tensor, padding: Tensor | None = None) -> Tensor:
        """`(B, N)` from features `(B, N, F)`, positions `(B, N, d)`, and padding."""
        h = self.embed(x)
        found: Tensor = self.head(torch.cat([self.mixer(h, pos, padding), h], 2))[..., 0]
        return found


class PointLearner(Learner):
    """Mean squared error over points that are real.

    Args:
        net: (x, pos, padding) -> (B, N).
        lr: of Adam.
        padded: whether any set is.
    """

    def __init__(self, net: nn.Module, lr: float, padded: bool) -> None:
        super().__init__()
        self.net, self.lr, self.padded = net, lr, padded

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.Adam(self.net.parameters(), self.lr)]

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, Parts]:
        real = batch["real"]
        found = self.net(batch["x"], batch["pos"], ~real if self.padded else None)
        return ((found - batch["y"]).square() * real).sum() / real.sum(), {}


def point_batches(sets: PointSets, size: int, seed: int) -> Batches:
    """What a `PointLearner` learns from."""
    tensors = {"x": sets.x, "pos": sets.pos, "y": sets.y, "real": sets.real}
    return Batches(tensors, min(size, len(sets)), seed)


@torch.no_grad()
def answers(net: nn.Module, sets: PointSets, size: int = 50) -> Tensor:
    """(S, N), on the CPU, computed on the network's device, `size` sets at a time."""
    place = next(net.parameters()).device
    padded = not bool(sets.real.all())
    out = []
    for start in range(0, len(sets), size):
        part = sets[start : start + size]
        padding = (~part.real).to(place) if padded else None
        out.append(net(part.x.to(place), part.pos.to(place), padding).cpu())
    return torch.cat(out)


__all__ = ["PointLearner", "PointRegressor", "answers", "point_batches"]
