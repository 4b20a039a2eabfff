"""The arms: D3G, its parts, and what one would do instead. Each learns from a world and answers for unseen domains."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.baselines.robust import GroupDROLoss
from holdfast.data.batches import Batches
from holdfast.graphs.laplacian import laplacian_eigenvectors
from holdfast.layers.small_convnet import SmallConvNet
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.d3g.method import (
    D3GLearner,
    D3GSettings,
    LossFn,
    MultiHead,
    cross_entropy,
    nearest_domain,
    nearest_spacing,
    relation_from_distance,
    relation_from_graph,
    squared_error,
)
from holdfast.systems.d3g.problems import Part, World
from holdfast.systems.d3g.tool.table import balanced_rows
from holdfast.training import fit
from holdfast.training.inference import forward_in_batches
from holdfast.training.learner import Learner, Parts

CHUNK = 4096  # rows answered at a time


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
        layers = [nn.Linear(x.shape[1], self.width), nn.ReLU(), nn.Linear(self.width, self.width), nn.ReLU()]
        return nn.Sequential(*layers), self.width

    def run(self, learner: Learner, part: Part) -> None:
        """Train on a part, in which every domain is seen equally often."""
        rows = balanced_rows(part.domain)
        tensors = {"x": part.x[rows], "y": part.y[rows], "domain": part.domain[rows]}
        source = Batches(tensors, min(self.batch, len(rows)), self.batches)
        fit(learner, source, steps=self.steps, seed=self.init, device=self.device, on_step=self.on_step)


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


# ------------------------------------------------------------------------------------------------------ one head each
@dataclass(frozen=True)
class ByRelation:
    """D3G: the heads of related domains count more."""

    def seen(self, world: World, seed: int) -> World:
        """The world as the method is told about it."""
        return world

    def weights(self, learner: D3GLearner, world: World, relation: Tensor) -> Tensor:
        """Of the heads for every domain of the world (D, K), given a^g of all (D, D)."""
        return learner.weights(relation[:, world.known], world.metadata)


@dataclass(frozen=True)
class Uniform(ByRelation):
    """All heads count the same."""

    def weights(self, learner: D3GLearner, world: World, relation: Tensor) -> Tensor:
        return torch.full((len(relation), len(world.known)), 1 / len(world.known))


@dataclass(frozen=True)
class Nearest(ByRelation):
    """The head of the nearest training domain alone; in a graph the mean of those that are fewest edges away."""

    def weights(self, learner: D3GLearner, world: World, relation: Tensor) -> Tensor:
        if world.adjacency is None:
            assert world.metadata is not None
            index, _ = nearest_domain(world.metadata, world.metadata[world.known])
            return torch.eye(len(world.known))[index]
        from scipy.sparse.csgraph import shortest_path

        hops = torch.from_numpy(shortest_path(relation.numpy(), unweighted=True))[:, world.known]
        return (hops == hops.min(1, keepdim=True).values).float()


@dataclass(frozen=True)
class Permuted(ByRelation):
    """Broken on purpose: the training domains have each other's metadata, or places in the graph."""

    def seen(self, world: World, seed: int) -> World:
        order = torch.randperm(
            len(world.known), generator=torch.Generator().manual_seed(derived_seed(seed, "permuted"))
        )
        rows = [world.metadata, world.adjacency]
        count = next(len(found) for found in rows if found is not None)
        place = torch.arange(count)
        place[world.known] = world.known[order]
        metadata = None if world.metadata is None else world.metadata[place]
        adjacency = None if world.adjacency is None else world.adjacency[place][:, place]
        return dataclasses.replace(world, metadata=metadata, adjacency=adjacency)


def fixed_relation(world: World, sigma: float | None) -> Tensor:
    """a^g of all domains (D, D): the graph where there is one, else by distance."""
    if world.adjacency is not None:
        return relation_from_graph(world.adjacency)
    assert world.metadata is not None
    width = nearest_spacing(world.metadata[world.known]) if sigma is None else sigma
    return relation_from_distance(world.metadata, width)


@dataclass(frozen=True, eq=False)
class MixedHeads:
    """A trained learner, and the weights of its heads for every domain of the world (D, K)."""

    learner: D3GLearner
    weights: Tensor

    @torch.no_grad()
    def __call__(self, part: Part) -> Tensor:
        outputs = [
            self.learner(x, self.weights[d]) for x, d in zip(part.x.split(CHUNK), part.domain.split(CHUNK), strict=True)
        ]
        return torch.cat(outputs)


@dataclass(frozen=True)
class Heads:
    """A head for each training domain.

    Attributes:
        settings: lambda, beta and the rest of the training.
        lr: of Adam.
        sigma: of the relation by distance; None = the spacing of the training domains.
        mixing: where the weights of the heads come from.
    """

    settings: D3GSettings = field(default_factory=D3GSettings)
    lr: float = 2e-3
    sigma: float | None = 0.45
    mixing: ByRelation = field(default_factory=ByRelation)

    def learn(self, world: World, training: Training) -> Predictor:
        """Train encoder, heads and what of the relation is learned."""
        world = self.mixing.seen(world, training.init)
        loss_fn, outputs = loss_of(world)
        relation = fixed_relation(world, self.sigma)
        known = world.known
        metadata = None if world.metadata is None else world.metadata[known]
        settings = dataclasses.replace(self.settings, lr=self.lr)
        with seeded(training.init):
            encoder, width = training.encoder(world.train.x)
            heads = MultiHead(width, len(known), outputs)
            learner = D3GLearner(encoder, heads, relation[known][:, known], settings, loss_fn, metadata)
        place = torch.searchsorted(known, world.train.domain)
        training.run(learner, Part(world.train.x, world.train.y, place))
        return MixedHeads(learner, self.mixing.weights(learner.cpu(), world, relation))


__all__ = [
    "ERM",
    "ByRelation",
    "ERMWithMetadata",
    "GroupDRO",
    "Heads",
    "MixedHeads",
    "Nearest",
    "Permuted",
    "Predictor",
    "Training",
    "Uniform",
    "as_input",
]
