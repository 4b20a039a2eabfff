"""The arms with a head for each training domain: D3G, its parts, and the broken variant of the controls."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import torch
from torch import Tensor

from holdfast.baselines.unseen_domains import Predictor, Training, loss_of
from holdfast.data.unseen_domains.worlds import Part, World
from holdfast.graphs.neighbours import nearest, nearest_spacing
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.d3g.method import (
    D3GLearner,
    D3GSettings,
    MultiHead,
    relation_from_distance,
    relation_from_graph,
)

CHUNK = 4096  # rows answered at a time


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
            index, _ = nearest(world.metadata, world.metadata[world.known])
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


__all__ = ["ByRelation", "Heads", "MixedHeads", "Nearest", "Permuted", "Uniform"]
