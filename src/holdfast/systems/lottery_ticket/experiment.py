"""Does iterative magnitude pruning with rewinding find sparse networks that train as well as the dense one?

    holdfast run lottery_ticket --scale demo     a few minutes on 2 cores
    holdfast run lottery_ticket --scale small    last measured: ledger/lottery_ticket/small.json

A replicate of all arms takes about SECONDS CPU seconds; times 24 (tuning, 8 replicates, 8 more) that is TOTAL.

Arms share data, initialisation, order of the batches and the weights after tau = 20 steps, and are measured at three
densities of the two prunable layers. Controls take their masks from the levels of IMP. Every arm that is tuned chooses
its learning rate by its error at density .078 on images that are in no other part.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.baselines.pruning import keep_largest, snip_scores
from holdfast.experiment import Arm, Curve, Experiment, Measurement, Metric, PerUnit, Scalar, Scale, Tuning
from holdfast.experiment.claims import All, Better, Differs, NotTestable, NoWorse
from holdfast.experiment.run import Run
from holdfast.metrics.landscape.barrier import error_barrier
from holdfast.metrics.landscape.spectrum import hessian_spectrum
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.lottery_ticket.method import (
    IMP,
    MagnitudePruner,
    MaskDict,
    max_prune_fraction,
    random_mask_like,
)
from holdfast.systems.lottery_ticket.problems import Cifar10, Classified, Images, PooledDigits
from holdfast.systems.lottery_ticket.tool.training import MaskedTraining, error_rate, gradual, train_masked
from holdfast.training.inference import forward_in_batches

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
    data: Images
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
class Gradual(Sparse):
    """Gradual magnitude pruning with the cubic schedule, in one training."""

    lr: float = 0.1

    def networks(self, world: World, run: Run) -> Iterator[tuple[str, nn.Module]]:
        for name, level in AT.items():
            net = world.network()
            density = gradual(world.scale.training, (1 - FRACTION) ** level)
            world.train(net, world.prunable(net), density=density)
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
    found = {}
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
    return run.stage(  # type: ignore[no-any-return]
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
    # With no level that matches there is no such pair, and the claim about them has nothing to be refuted by.
    yield Scalar("barrier, matching levels", max(matching, default=0.0))
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


# -------------------------------------------------------------------------------------------------------- the claims
RATES = {"lr": (0.1, 0.2, 0.05)}
ARMS = {
    "dense": Arm(Dense(), tuned_as="IMP", about="never pruned"),
    "IMP": Arm(Tickets(), space=RATES, about="the paper's method: prune 40 %, rewind to step 20, train, again"),
    "shuffled": Arm(Masked(shuffled), tuned_as="IMP", about="IMP's number of weights in every layer, at random"),
    "new weights": Arm(Masked(as_it_is, fresh=True), tuned_as="IMP", about="IMP's mask on another initialisation"),
    "one-shot": Arm(OneShot(), space=RATES, about="the smallest weights of the dense network go at once, rewound"),
    "gradual": Arm(Gradual(), space=RATES, about="pruned while it trains, cubic schedule"),
    "SNIP": Arm(Snip(), space=RATES, about="pruned at initialisation by connection sensitivity"),
    "IMP, mask of another run": Arm(
        Masked(as_it_is, other=True),
        tuned_as="IMP",
        about="broken: what IMP found from other weights and data",
    ),
    "IMP, other seeds": Arm(
        Tickets(), tuned_as="IMP", reseed=1, about="control: the same data, other initialisation and batches"
    ),
}
ERROR = partial(Metric, "%", higher_is_better=False)
METRICS = {
    "error at .13": ERROR(about="on the test images, 13 % of the prunable weights kept"),
    "error at .078": ERROR(about="on the test images, 7.8 % kept"),
    "error at .03": ERROR(about="on the test images, 2.8 % kept"),
    "validation error": ERROR(about="at .078, on images set aside for tuning"),
    "barrier, matching levels": Metric(
        "points", higher_is_better=False, about="largest rise of the training error between levels, the second matching"
    ),
    "barrier at .03": Metric("points", about="rise of the training error between the last two levels"),
    "barrier, two initialisations": Metric("points", about="between two dense networks"),
    "barrier, two noises": Metric("points", about="between two dense networks from step 20 on"),
    "predicted limit": Metric("%", about="largest prunable share of the dense network by the Hessian's spectrum"),
}
ON = "digits"


def _headline(arm: str, **role: Any) -> All:
    at = partial(dict, on=ON)
    return All(
        Better(arm, than="shuffled", margin=10, **at(metric="error at .078")),
        Better(arm, than="new weights", margin=3, **at(metric="error at .078")),
        NoWorse(arm, than="gradual", margin=1, **at(metric="error at .078")),
        NoWorse(arm, than="dense", margin=1, **at(metric="error at .13")),
        **role,
    )


CLAIMS = (
    _headline(
        "IMP",
        role="headline",
        text="IMP with rewinding finds sparse networks that train: at density .078 by 10 points better than its layers "
        "shuffled, by 3 than its mask on new weights, no worse than gradual pruning by 1; at .13 than dense by 1",
        scope="one pool of 4,000 MNIST digits at 14x14, perceptron with 25,000 weights, 400 steps",
        published="none; the paper says: sparse networks of matching accuracy (ResNets on CIFAR and ImageNet)",
        source="abstract",
    ),
    Better("IMP", than="one-shot", metric="error at .03", on=ON),
    Better("IMP", than="SNIP", metric="error at .078", on=ON),
    Better(
        "IMP", than=1.0, metric="barrier, matching levels", on=ON,
        text="levels that match are linearly connected: barrier at most 1 point",
        published="barrier 0", source="abstract",
    ),
    Better(
        "IMP", than=2.0, metric="barrier at .03", on=ON,
        text="a level that does not match is behind a barrier of at least 2 points",
        published="none; the paper says: connected if and only if matching", source="abstract",
        requires=(Better("dense", than="IMP", margin=1, metric="error at .03", on=ON),),
    ),
    Better(
        "dense", than=100 * FRACTION, metric="predicted limit", on=ON,
        text="the Hessian's spectrum allows to prune more than the 40 % that go at once",
    ),
    NotTestable(
        "On ResNets with CIFAR and ImageNet, successive levels are linearly connected if and only if they match",
        reason="ten trainings of a ResNet-20 on 50,000 images do not fit here; on the perceptron barriers are small "
        "with and without matching",
    ),
    Better("dense", than=2.0, metric="barrier, two initialisations", on=ON, role="control", expect="found",
           text="two dense networks of different initialisation are behind a barrier of at least 2 points"),
    Differs("IMP", "IMP, other seeds", metric="error at .078", on=ON, role="control", expect="not found"),
    _headline("IMP, mask of another run", role="control", expect="not found",
              text="the headline with the mask of another run in IMP's place"),
)  # fmt: skip

SHORT = MaskedTraining(steps=130)
experiment = Experiment(
    question="Does iterative magnitude pruning find sparse networks that train as well as the dense one?",
    problems={ON: PooledDigits(), "CIFAR-10": Cifar10()},
    arms=ARMS,
    metrics=METRICS,
    scales={
        "smoke": Steps(training=MaskedTraining(steps=3), rewind=1, probes=1, replicates=1, problems=(ON,),
                       arms=("dense", "IMP", "shuffled", "one-shot", "gradual", "SNIP")),
        "pilot": Steps(training=SHORT, rewind=7, probes=0, replicates=2, problems=(ON,)),
        "demo": Steps(problems=(ON,), probes=0,
                      arms=("dense", "IMP", "shuffled", "new weights", "gradual", "IMP, mask of another run")),
        "small": Steps(problems=(ON,)),
        "full": Steps(
            training=MaskedTraining(steps=62_500, batch=128, momentum=0.9, weight_decay=1e-4, drops=(0.5, 0.75)),
            rewind=2000, problems=("CIFAR-10",), slow=True, status="not yet run",
            arms=("dense", "IMP", "shuffled", "new weights", "gradual"),
        ),
    },
    claims=CLAIMS,
    trial=trial,
    tuning=Tuning(metric="validation error", problem=ON, configurations=3, pilots=2, scale="pilot"),
    benefit="error at .078",
)  # fmt: skip
