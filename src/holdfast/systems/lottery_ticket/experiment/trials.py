"""The arms: ways to a sparse network, and what a trial measures of theirs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.baselines.pruning import Gradual, keep_largest, snip_scores
from holdfast.data.drawn_images import DrawnImages
from holdfast.experiment import Curve, Measurement, PerUnit, Scalar, Scale
from holdfast.experiment.run import Run
from holdfast.layers.weight_masks import MaskDict, random_mask_like
from holdfast.metrics.landscape.barrier import error_barrier
from holdfast.metrics.landscape.spectrum import hessian_spectrum
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.lottery_ticket.method import IMP, MagnitudePruner, max_prune_fraction
from holdfast.systems.lottery_ticket.problems import Classified
from holdfast.training.inference import forward_in_batches
from holdfast.training.masked import MaskedTraining, error_rate, train_masked

FRACTION, LEVELS = 0.4, 7
AT = {".13": 4, ".078": 5, ".03": 7}  # density -> level of IMP: .6^4, .6^5, .6^7
MATCHING = 1.0  # points above the dense error
FULL = MaskedTraining()
WELL = 0.05  # nats that the training loss may rise, for the limit of one pruning


@dataclass(frozen=True)
class Steps(Scale):
    """Training budget.

    Attributes:
        training: of every network.
        rewind: tau, in steps.
        probes: of the Hessian's spectrum; 0 = no spectrum.
    """

    training: MaskedTraining = FULL
    rewind: int = 20
    probes: int = 2


# -------------------------------------------------------------------------------------------------------------- arms
@dataclass(frozen=True)
class World:
    """One trial's data, network and training, shared by all arms of a replicate."""

    problem: Classified
    data: DrawnImages
    scale: Steps
    lr: float
    init: int
    noise: int

    def network(self, seed: int | None = None) -> nn.Module:
        """A fresh network; the same for every arm unless a seed is given."""
        with seeded(self.init if seed is None else seed):
            return self.problem.network()

    def train(
        self, net: nn.Module, mask: Mapping[str, Tensor], start: int = 0, stop: int | None = None, **how: Any
    ) -> MaskDict:
        """Train in place under a mask."""
        training = replace(self.scale.training, lr=self.lr)
        rows = {"x": self.data.x, "y": self.data.y}
        return train_masked(net, MaskDict(mask), rows, training, seed=self.noise, start=start, stop=stop, **how)

    def prunable(self, net: nn.Module) -> MaskDict:
        """All ones."""
        return MaskDict({n: m for n, m in MaskDict.ones(net).items() if n not in self.problem.unpruned})

    def rewound(self) -> nn.Module:
        """The network after tau steps."""
        net = self.network()
        if self.scale.rewind:
            self.train(net, self.prunable(net), 0, self.scale.rewind)
        return net


class Sparse(ABC):
    """A way to a sparse network."""

    lr: float

    @abstractmethod
    def networks(self, world: World, run: Run) -> Iterator[tuple[str, nn.Module]]:
        """(density, trained network), for the densities of `AT`."""


@dataclass(frozen=True)
class Dense(Sparse):
    """The dense network: it stands beside the sparse ones at each density."""

    lr: float = 0.1

    def networks(self, world: World, run: Run) -> Iterator[tuple[str, nn.Module]]:
        net = _loaded(world, levels_of(run, self.lr), 0)
        yield from ((name, net) for name in AT)


@dataclass(frozen=True)
class Tickets(Sparse):
    """Iterative magnitude pruning with rewinding."""

    lr: float = 0.1

    def networks(self, world: World, run: Run) -> Iterator[tuple[str, nn.Module]]:
        levels = levels_of(run, self.lr)
        yield from ((name, _loaded(world, levels, level)) for name, level in AT.items())


@dataclass(frozen=True)
class Masked(Sparse):
    """A mask that is made of IMP's, on rewound or on new weights.

    Attributes:
        mask: (mask of IMP, random generator) -> mask.
        fresh: whether the weights are initialised anew, with another seed.
        other: whether IMP's mask is that of another replicate.
    """

    mask: Callable[[MaskDict, torch.Generator], MaskDict]
    fresh: bool = False
    other: bool = False
    lr: float = 0.1

    def networks(self, world: World, run: Run) -> Iterator[tuple[str, nn.Module]]:
        levels = levels_of(run, self.lr, other=self.other)
        generator = torch.Generator().manual_seed(derived_seed(world.noise, "mask"))
        for name, level in AT.items():
            net = world.network(derived_seed(world.init, "fresh")) if self.fresh else world.rewound()
            start = 0 if self.fresh else world.scale.rewind
            world.train(net, self.mask(_mask(world, levels, level), generator), start)
            yield name, net


@dataclass(frozen=True)
class OneShot(Sparse):
    """The smallest weights of the dense network go at once; the others are rewound and trained."""

    lr: float = 0.1

    def networks(self, world: World, run: Run) -> Iterator[tuple[str, nn.Module]]:
        dense = _loaded(world, levels_of(run, self.lr), 0)
        sizes = {n: dense.get_parameter(n).detach().abs() for n in world.prunable(dense)}
        for name, level in AT.items():
            net = world.rewound()
            world.train(net, keep_largest(sizes, (1 - FRACTION) ** level), world.scale.rewind)
            yield name, net


@dataclass(frozen=True)
class WhileTraining(Sparse):
    """Gradual magnitude pruning with the cubic schedule, in one training.

    Attributes:
        begin, end: shares of the training between which it prunes.
    """

    lr: float = 0.1
    begin: float = 0.1
    end: float = 0.8

    def networks(self, world: World, run: Run) -> Iterator[tuple[str, nn.Module]]:
        for name, level in AT.items():
            net = world.network()
            steps = world.scale.training.steps
            plan = Gradual((1 - FRACTION) ** level, round(self.begin * steps), round(self.end * steps))
            world.train(net, world.prunable(net), remask=plan)
            yield name, net


@dataclass(frozen=True)
class Snip(Sparse):
    """Connection sensitivity of 512 images at initialisation."""

    lr: float = 0.1

    def networks(self, world: World, run: Run) -> Iterator[tuple[str, nn.Module]]:
        first = world.network()
        x, y = world.data.x[:512], world.data.y[:512]
        scores = snip_scores(first, lambda net: F.cross_entropy(net(x), y), world.prunable(first))
        for name, level in AT.items():
            net = world.network()
            world.train(net, keep_largest(scores, (1 - FRACTION) ** level))
            yield name, net


def as_it_is(mask: MaskDict, generator: torch.Generator) -> MaskDict:
    """IMP's mask."""
    return mask


def shuffled(mask: MaskDict, generator: torch.Generator) -> MaskDict:
    """As many weights of every layer, drawn at random."""
    return random_mask_like(mask, per_layer=True, generator=generator)


# --------------------------------------------------------------------------------------------------- levels of IMP
def imp_levels(problem: Classified, seed: int, noise: int, init: int, rewind: int, training: MaskedTraining) -> Any:
    """The levels of IMP as arrays: "<level>/<tensor>" and "mask<level>/<tensor>". A stage, shared by arms.

    Args:
        seed: of the data's stream.
        noise, init: seeds of the order of the batches and of the weights.
    """
    scale = Steps(training=training, rewind=rewind)
    world = World(problem, problem.load(np.random.default_rng(seed)), scale, training.lr, init, noise)

    def train(net: nn.Module, mask: MaskDict, start: int, stop: int | None, _: int) -> dict[str, float]:
        world.train(net, mask, start, stop)
        return {}

    pruner = MagnitudePruner(FRACTION, exclude=problem.unpruned)
    found: dict[str, Any] = {}
    for level in IMP(world.network, train, LEVELS, rewind, pruner).run(init):
        found |= {f"{level.index}/{name}": value.numpy() for name, value in level.weights.items()}
        found |= {f"mask{level.index}/{name}": kept.numpy() for name, kept in level.mask.items()}
    return found


def levels_of(run: Run, lr: float, other: bool = False) -> Mapping[str, Any]:
    """IMP's levels in this replicate, or in one that shares nothing with it but the pool."""
    seeds = [run.seed(name) for name in ("split", "batches", "init")]
    if other:
        seeds = [derived_seed(seed, "another replicate") for seed in seeds]
    split, noise, init = seeds
    training = replace(run.scale.training, lr=lr)
    return run.stage(
        "levels of IMP", imp_levels, problem=run.problem, seed=split, noise=noise, init=init, rewind=run.scale.rewind,
        training=training,
    )  # fmt: skip


def _mask(world: World, levels: Mapping[str, Any], level: int) -> MaskDict:
    names = world.prunable(world.network())
    return MaskDict({n: torch.as_tensor(levels[f"mask{level}/{n}"], dtype=torch.bool) for n in names})


def _loaded(world: World, levels: Mapping[str, Any], level: int) -> nn.Module:
    net = world.network()
    net.load_state_dict({n: torch.as_tensor(levels[f"{level}/{n}"]) for n in net.state_dict()})
    return net.eval()


# --------------------------------------------------------------------------------------------------------- one trial
def trial(run: Run[Sparse, Classified, Steps]) -> Iterator[Measurement]:
    """Errors of the arm's networks at three densities; for the dense network and for IMP also the landscape."""
    data = run.problem.load(np.random.default_rng(run.seed("split")))
    world = World(run.problem, data, run.scale, run.arm.lr, run.seed("init"), run.seed("batches"))
    for done, (name, net) in enumerate(run.arm.networks(world, run), start=1):
        wrong = (forward_in_batches(net, data.test_x).argmax(1) != data.test_y).double() * 100
        yield Scalar(f"error at {name}", float(wrong.mean()))
        if name != ".03":
            yield PerUnit(f"error at {name}", wrong.tolist(), data.test_id)
        if name == ".078":
            yield Scalar("validation error", 100 * error_rate(net, data.validation_x, data.validation_y))
        run.step(done, len(AT))
    if isinstance(run.arm, Tickets):
        yield from _valley(world, levels_of(run, run.arm.lr))
    if isinstance(run.arm, Dense) and run.scale.probes:
        yield from _dense_landscape(world, levels_of(run, run.arm.lr))


def _barrier(world: World, a: nn.Module, b: nn.Module) -> float:
    found = error_barrier(
        a,
        b,
        lambda net: 100 * error_rate(net, world.data.x, world.data.y),
        recalibrate=world.data.x.split(512),
    )
    return found.barrier


def _valley(world: World, levels: Mapping[str, Any]) -> Iterator[Measurement]:
    """Errors of all levels, and barriers (training error, points) between successive ones."""
    nets = [_loaded(world, levels, level) for level in range(LEVELS + 1)]
    errors = [100 * error_rate(net, world.data.test_x, world.data.test_y) for net in nets]
    barriers = [_barrier(world, a, b) for a, b in pairwise(nets)]
    matching = [b for b, error in zip(barriers, errors[1:], strict=True) if error <= errors[0] + MATCHING]
    if matching:  # else there is nothing that could speak for the claim or against it
        yield Scalar("barrier, matching levels", max(matching))
    yield Scalar("barrier at .03", barriers[-1])
    densities = [(1 - FRACTION) ** level for level in range(LEVELS + 1)]
    yield Curve("test error along levels", densities, errors, x_label="density")
    yield Curve("barrier to the level before", densities[1:], barriers, x_label="density")


def _dense_landscape(world: World, levels: Mapping[str, Any]) -> Iterator[Measurement]:
    """Barriers between dense networks of other inits and of other noise; the predicted limit of one pruning."""
    dense = _loaded(world, levels, 0)
    stranger = world.network(derived_seed(world.init, "stranger"))
    ones = world.prunable(dense)
    world.train(stranger, ones)
    yield Scalar("barrier, two initialisations", _barrier(world, dense, stranger))
    twin = world.rewound()
    replace(world, noise=derived_seed(world.noise, "other noise")).train(twin, ones, world.scale.rewind)
    yield Scalar("barrier, two noises", _barrier(world, dense, twin))
    x, y = world.data.x, world.data.y
    frozen = {n: torch.zeros_like(p, dtype=torch.bool) for n, p in dense.named_parameters() if n not in ones}
    spectrum = hessian_spectrum(
        dense,
        lambda forward: F.cross_entropy(forward(x), y),
        mask={**frozen, **ones},
        method="lanczos",
        steps=40,
        probes=world.scale.probes,
        generator=torch.Generator().manual_seed(world.noise % 2**31),
    )
    weights = torch.cat([dense.get_parameter(n).detach().reshape(-1) for n in ones])
    limit = max_prune_fraction(spectrum.eigenvalues, spectrum.weights, weights, WELL)
    yield Scalar("predicted limit", 100 * limit.alpha_star)
