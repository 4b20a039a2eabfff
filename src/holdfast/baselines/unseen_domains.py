"""One network for all domains, with and without their metadata, and GroupDRO: what one does without special methods.

Each learns from the training domains of a `World` and answers for any domain of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.baselines.robust import GroupDROLoss
from holdfast.data.batches import Batches
from holdfast.data.unseen_domains.worlds import Part, World, balanced_rows
from holdfast.graphs.laplacian import laplacian_eigenvectors
from holdfast.layers.small_convnet import SmallConvNet
from holdfast.losses.per_example import LossFn, cross_entropy, squared_error
from holdfast.randomness import seeded
from holdfast.training import fit
from holdfast.training.inference import forward_in_batches
from holdfast.training.learner import Learner, Parts


@dataclass(frozen=True)
class Training:
    """What arms share in a replicate.

    Attributes:
        steps, batch, width: of the scale.
        init, batches: seeds.
        device: for the training.
        on_step: told about progress.
    """

    steps: int
    batch: int
    width: int
    init: int
    batches: int
    device: str
    on_step: Callable[[int, int], None] | None = None

    def encoder(self, x: Tensor) -> tuple[nn.Module, int]:
        """A network for rows or images like x, and the width of its output."""
        if x.ndim == 4:
            return _ImageEncoder(x.shape[1]), SmallConvNet.num_features
        return two_layers(x.shape[1], self.width), self.width

    def run(self, learner: Learner, part: Part) -> None:
        """Train on a part, in which every domain is seen equally often."""
        rows = balanced_rows(part.domain)
        tensors = {"x": part.x[rows], "y": part.y[rows], "domain": part.domain[rows]}
        source = Batches(tensors, min(self.batch, len(rows)), self.batches)
        fit(learner, source, steps=self.steps, seed=self.init, device=self.device, on_step=self.on_step)


def two_layers(inputs: int, width: int) -> nn.Sequential:
    """(B, inputs) -> (B, width), each layer with ReLU."""
    return nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())


class _ImageEncoder(nn.Module):
    """Features of images whose pixels are bytes or fractions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.net = SmallConvNet(channels)
        del self.net.head

    def forward(self, x: Tensor) -> Tensor:
        return self.net.features(x.float() / 255 if x.dtype == torch.uint8 else x)


def loss_of(world: World) -> tuple[LossFn, int]:
    """The loss per example, and how many outputs there are."""
    if world.num_classes:
        return cross_entropy, world.num_classes
    return squared_error, world.train.y.shape[1]


class Predictor(Protocol):
    """What an arm has learned: outputs (N, C) for examples of any domains of the world."""

    def __call__(self, part: Part) -> Tensor: ...


# ------------------------------------------------------------------------------------------------------- one for all
def as_input(world: World, coordinates: int) -> Tensor:
    """(D, m) of each domain, for a network's input: its metadata, else its place in the graph by eigenvectors."""
    if world.metadata is not None:
        return world.metadata
    assert world.adjacency is not None
    vectors, _ = laplacian_eigenvectors(world.adjacency.numpy(), coordinates)
    return torch.from_numpy(vectors * np.sqrt(len(vectors))).float()


class Pooled(Learner):
    """One network for all domains; `weigh` makes one loss of the losses and domains of a batch."""

    def __init__(self, net: nn.Module, loss_fn: LossFn, weigh: Callable[[Tensor, Tensor], Tensor], lr: float) -> None:
        super().__init__()
        self.net, self.loss_fn, self.weigh, self.lr = net, loss_fn, weigh, lr

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.Adam(self.net.parameters(), lr=self.lr)]

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, Parts]:
        return self.weigh(self.loss_fn(self.net(batch["x"]), batch["y"]), batch["domain"]), {}


def plain_mean(losses: Tensor, domain: Tensor) -> Tensor:
    """ERM: every example counts the same."""
    return losses.mean()


@dataclass(frozen=True)
class ERM:
    """One network, all domains the same.

    Attributes:
        lr: of Adam.
    """

    lr: float = 2e-3

    def inputs(self, world: World, part: Part) -> Tensor:
        """What the network sees of examples."""
        return part.x

    def weigh(self, domains: int) -> Callable[[Tensor, Tensor], Tensor]:
        """How the losses of a batch become one."""
        return plain_mean

    def learn(self, world: World, training: Training) -> Predictor:
        """Train on the world's training domains."""
        loss_fn, outputs = loss_of(world)
        x = self.inputs(world, world.train)
        with seeded(training.init):
            encoder, width = training.encoder(x)
            net = nn.Sequential(encoder, nn.Linear(width, outputs))
        place = torch.searchsorted(world.known, world.train.domain)
        training.run(Pooled(net, loss_fn, self.weigh(len(world.known)), self.lr), Part(x, world.train.y, place))
        return lambda part: forward_in_batches(net, self.inputs(world, part))


@dataclass(frozen=True)
class GroupDRO(ERM):
    """ERM with weights of the training domains that rise with their losses (arXiv 1911.08731).

    Attributes:
        eta: step of the weights.
    """

    eta: float = 0.01

    def weigh(self, domains: int) -> Callable[[Tensor, Tensor], Tensor]:
        return GroupDROLoss(domains, self.eta)


@dataclass(frozen=True)
class ERMWithMetadata(ERM):
    """ERM whose input has the domain's metadata, or its Laplacian eigenvectors where there is a graph alone.

    Attributes:
        scale: of the metadata beside the other inputs.
        coordinates: eigenvectors.
    """

    scale: float = 3.0
    coordinates: int = 4

    def inputs(self, world: World, part: Part) -> Tensor:
        return torch.cat([part.x, self.scale * as_input(world, self.coordinates)[part.domain]], 1)


__all__ = [
    "ERM",
    "ERMWithMetadata",
    "GroupDRO",
    "Pooled",
    "Predictor",
    "Training",
    "as_input",
    "loss_of",
    "plain_mean",
    "two_layers",
]
