"""Does a gate on the rate of change keep deep graph networks from smoothing, and does that help to classify nodes?

    holdfast run gradient_gating --scale demo     about three minutes on one core
    holdfast run gradient_gating --scale small    last measured: see ledger/gradient_gating/small.json

On the grid nothing is trained: 256 layers with one set of Glorot weights, float64, and the quotient says how much
neighbours still differ, whatever the scale. A field that is 0 everywhere counts as 1e-12 (GCN: in none of 100 pilots).
On labelled graphs every arm has the same encoder, decoder, width, number of layers, steps of Adam, split and start; a
step is over the whole graph, and the weights with the best accuracy on the validation nodes are measured on the test
nodes. Layers share their weights, or do not, as each arm chose on pilots.

A replicate of all arms takes about 40 s of one core; times 24: 960 s.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from holdfast.data.batches import Batches
from holdfast.experiment import (
    All,
    Arm,
    Better,
    Curve,
    Differs,
    Experiment,
    LogRatio,
    Measurement,
    Metric,
    NotTestable,
    NoWorse,
    Run,
    Scalar,
    Scale,
    Tuning,
)
from holdfast.graphs.smoothness import rayleigh_quotient
from holdfast.layers.graph_convs import Kind, conv_graph, graph_conv
from holdfast.layers.node_network import NodeNetwork, PlainLayer, ResidualLayer, repeated
from holdfast.losses.per_example import cross_entropy
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.gradient_gating.method import GradientGating, rates_and_energies
from holdfast.systems.gradient_gating.problems import (
    ACTIVATIONS,
    BlockGraph,
    Grid,
    Labelled,
    Task,
    own_graph,
    published,
)
from holdfast.training import Best, fit
from holdfast.training.whole_graph import WholeGraph

FLOOR = 1e-12  # of the quotient: what a field that is 0 everywhere counts as


@dataclass(frozen=True)
class Budget(Scale):
    """Training budget.

    Attributes:
        steps: of Adam, each over the whole graph.
        width: of the networks.
        every: steps between looks at the validation accuracy, by which the weights are chosen.
    """

    steps: int = 60
    width: int = 32
    every: int = 5


# -------------------------------------------------------------------------------------------------------------- arms
@dataclass(frozen=True)
class Network(ABC):
    """What all arms have.

    Attributes:
        lr, weight_decay: of Adam.
        dropout: before encoder and decoder.
        share: whether all layers have one set of weights; on the grid they always have.
        activation: of the layers; on the grid the problem says which.
        conv: kind of the convolutions.
    """

    lr: float = 0.01
    weight_decay: float = 5e-4
    dropout: float = 0.2
    share: bool = False
    activation: str = "relu"
    conv: Kind = "gcn"

    @abstractmethod
    def layer(self, width: int, activation: str, bias: bool = True) -> nn.Module:
        """One layer that keeps the width."""

    def network(self, task: Task, width: int, depth: int) -> NodeNetwork:
        """Encoder, layers, decoder."""
        layers = repeated(partial(self.layer, width, self.activation), depth, share=self.share)
        return NodeNetwork(task.x.shape[1], task.num_classes, width, layers, self.conv, self.dropout, self.dropout)


class MLP(Network):
    """Encoder and decoder alone: it looks at no edge."""

    def layer(self, width: int, activation: str, bias: bool = True) -> nn.Module:
        return nn.Identity()

    def network(self, task: Task, width: int, depth: int) -> NodeNetwork:
        return super().network(task, width, depth=0)


@dataclass(frozen=True)
class Plain(Network):
    """activation(conv(x)).

    Attributes:
        update: what a layer does with its convolution.
    """

    update: type[PlainLayer] = PlainLayer

    def layer(self, width: int, activation: str, bias: bool = True) -> nn.Module:
        return self.update(graph_conv(self.conv, width, bias=bias), ACTIVATIONS[activation])


@dataclass(frozen=True)
class Gated(Network):
    """Gradient gating.

    Attributes:
        p: exponent of the gate.
        separate: whether the gate has a convolution of its own.
        gating: the layer.
    """

    p: float = 2.0
    separate: bool = True
    gating: type[GradientGating] = GradientGating

    def layer(self, width: int, activation: str, bias: bool = True) -> nn.Module:
        make = partial(graph_conv, self.conv, width, bias=bias)
        return self.gating(make(), make() if self.separate else None, self.p, ACTIVATIONS[activation])


class Inverted(GradientGating):
    """Broken: 1 - tau in place of tau; where neighbours agree, the layer's value is taken."""

    def rates(self, features: Tensor, edge_index: Tensor) -> Tensor:
        return 1 - super().rates(features, edge_index)


class SameForAll(GradientGating):
    """Every node and channel moves at the mean rate."""

    def rates(self, features: Tensor, edge_index: Tensor) -> Tensor:
        tau = super().rates(features, edge_index)
        return tau.mean().expand_as(tau)


# --------------------------------------------------------------------------------------------------------- one trial
def trial(run: Run[Network, Grid | Labelled, Budget]) -> Iterator[Measurement]:
    """How smooth the features of the grid become, or how many test nodes a trained network gets right."""
    if isinstance(run.problem, Grid):
        yield from _smoothed(run.arm, run.problem, run)
    else:
        yield from _trained(run.arm, run.problem, run)


@torch.no_grad()
def _smoothed(arm: Network, grid: Grid, run: Run) -> Iterator[Measurement]:
    x, edges = grid.draw(run.rng("split"))
    with seeded(run.seed("init")):
        layer = arm.layer(grid.channels, grid.activation, bias=False).double()
        for weight in layer.parameters():
            if weight.ndim == 2:
                nn.init.xavier_uniform_(weight)
    graph, found = conv_graph(arm.conv, edges, x), []
    for _ in range(grid.depth):
        x = layer(x, edges, graph=graph)
        found.append(max(float(rayleigh_quotient(x, edges).nan_to_num(0.0)), FLOOR))
    yield Scalar("Rayleigh quotient", found[-1])
    depths = [2**k for k in range(grid.depth.bit_length())]
    yield Curve("quotient along depth", depths, [found[d - 1] for d in depths], x_label="layers")


def _trained(arm: Network, problem: Labelled, run: Run) -> Iterator[Measurement]:
    scale, task = run.scale, problem.task(run.rng("split"))
    with seeded(run.seed("init")):
        net = arm.network(task, scale.width, problem.depth)
    learner = WholeGraph(net, task.x, task.edge_index, task.y, cross_entropy, arm.lr, arm.weight_decay)
    done = fit(
        learner,
        Batches({"node": task.train}, len(task.train), derived_seed(run.seed("batches"), "nodes")),
        steps=scale.steps,
        seed=run.seed("batches"),
        device=run.device,
        keep=Best(scale.every, partial(_accuracy, nodes=task.val), name="validation accuracy"),
        on_step=run.step,
    )
    yield Scalar("validation accuracy", _accuracy(done.best, nodes=task.val))
    yield Scalar("accuracy", _accuracy(done.best, nodes=task.test))
    if isinstance(arm, Gated):
        yield from _rates(done.best)


@torch.no_grad()
def _accuracy(learner: Any, nodes: Tensor) -> float:
    right = learner.outputs().argmax(1) == learner.target
    return 100 * float(right[nodes.to(right.device)].double().mean())


def _rates(learner: Any) -> Iterator[Measurement]:
    found = rates_and_energies(learner.net, learner.x, learner.edge_index)
    means = [float(tau.mean()) for tau, _ in found]
    yield Scalar("mean rate", sum(means) / len(means))
    yield Curve("mean rate of each layer", list(range(1, len(means) + 1)), means, x_label="layer")


# -------------------------------------------------------------------------------------------------- what is declared
GRIDS, BLOCKS, EVEN = ("grid, relu", "grid, tanh"), "block graph", "block graph, even"
FILES = ("texas", "wisconsin", "cornell")
ROMAN, SNAP = "roman-empire", "snap-patents"
MOST, SOME = (*GRIDS, BLOCKS), (*GRIDS, BLOCKS, *FILES)
RATES: dict[str, Any] = {"lr": (0.01, 0.003), "share": (False, True)}
ARMS = {
    "MLP": Arm(
        MLP(),
        space={"lr": (0.01, 0.003), "dropout": (0.2, 0.5)},
        problems=(BLOCKS, EVEN, *FILES, ROMAN, SNAP),
        about="looks at no edge",
    ),
    "GCN": Arm(Plain(), space=RATES, problems=MOST, about="layers without further measures"),
    "residual GCN": Arm(
        Plain(update=ResidualLayer, activation="tanh"),
        space=RATES,
        problems=(*SOME, EVEN),
        about="x + tanh(conv(x)); on the grid with the grid's activation",
    ),
    "residual GCN, relu": Arm(Plain(update=ResidualLayer), space=RATES, problems=(BLOCKS,), about="x + relu(conv(x))"),
    "SAGE": Arm(Plain(conv="sage"), space=RATES, problems=(*SOME, ROMAN, SNAP), about="GraphSAGE, mean of neighbours"),
    "residual SAGE": Arm(
        Plain(conv="sage", update=ResidualLayer, activation="tanh"),
        space=RATES,
        problems=MOST,
        about="x + tanh(conv(x))",
    ),
    "G2-GCN": Arm(
        Gated(), space=RATES, problems=(*SOME, EVEN, ROMAN, SNAP), about="gradient gating, a gate with its own layer"
    ),
    "G2-SAGE": Arm(Gated(conv="sage"), space=RATES, problems=(*SOME, ROMAN, SNAP), about="the same around GraphSAGE"),
    "G2-GCN, mean rate": Arm(
        Gated(gating=SameForAll), tuned_as="G2-GCN", problems=MOST, about="all nodes move at the mean rate"
    ),
    "G2-GCN, 1 - tau": Arm(Gated(gating=Inverted), tuned_as="G2-GCN", problems=MOST, about="broken: the gate inverted"),
    "G2-GCN, other seeds": Arm(
        Gated(), tuned_as="G2-GCN", problems=(BLOCKS,), reseed=1, about="control: the same, other start"
    ),
}
ACCURACY: dict[str, Any] = {"metric": "accuracy", "on": BLOCKS}


def _headline(arm: str, **options: Any) -> All:
    """It does not smooth, and that is worth something."""
    return All(
        Better(arm, than="GCN", metric="Rayleigh quotient", on=GRIDS, margin=3, compare=LogRatio()),
        Better(arm, than="GCN", margin=5, **ACCURACY),
        NoWorse(arm, than="residual GCN", margin=2, **ACCURACY),
        NoWorse(arm, than="MLP", margin=2, **ACCURACY),
        **options,
    )


CLAIMS = (
    _headline(
        "G2-GCN",
        role="headline",
        scope="untrained layers on a 10 x 10 grid at depth 256; generated block graphs of 400 nodes at depth 32",
        published="none; the paper says: the Dirichlet energy stays about constant to 1,000 layers on a 10 x 10 grid",
        source="card of this system, from memory",
    ),
    _headline("G2-GCN, 1 - tau", role="control", expect="not found"),
    Differs("G2-GCN", "G2-GCN, other seeds", role="control", expect="not found", **ACCURACY),
    Better("MLP", than="GCN", margin=5, role="control", expect="found", **ACCURACY),
    Better(
        "residual GCN",
        than="GCN",
        metric="Rayleigh quotient",
        on="grid, tanh",
        margin=3,
        compare=LogRatio(),
        text="residual layers with tanh do not smooth the grid either",
    ),
    Better(
        "G2-GCN, mean rate",
        than="GCN",
        metric="Rayleigh quotient",
        on=GRIDS,
        margin=3,
        compare=LogRatio(),
        text="nor does one rate for all nodes, the mean of the gate",
    ),
    Better("G2-GCN", than="G2-GCN, mean rate", margin=1, **ACCURACY),
    Better("G2-GCN", than="residual GCN", margin=1, **ACCURACY),
    Better("G2-SAGE", than="SAGE", margin=5, **ACCURACY),
    NoWorse("G2-SAGE", than="residual SAGE", margin=2, **ACCURACY),
    NoWorse("G2-GCN", than="MLP", margin=2, metric="accuracy", on=EVEN),
    Better("G2-GCN", than="residual GCN", margin=5, metric="accuracy", on=FILES),
    NoWorse("G2-GCN", than="MLP", margin=2, metric="accuracy", on=FILES),
    Better("G2-SAGE", than="SAGE", metric="accuracy", on=FILES),
    NotTestable(
        text="69.50 % on snap-patents and 63.30 % on arXiv-year",
        reason="millions of nodes: hours on a GPU; the loader is tested and the preset is there",
    ),
)


def own(paths: Sequence[Path], columns: Mapping[str, str]) -> Experiment:
    """The claims about published graphs, on a graph of the user's."""
    name = "your graph"
    claims = [claim.rebind((name,)) for claim in CLAIMS if claim.problems and set(claim.problems) <= set(FILES)]
    needed = ("MLP", "residual GCN", "SAGE", "G2-GCN", "G2-SAGE")
    return replace(
        experiment,
        problems={name: own_graph(paths, columns.get("label", "label"))},
        arms={arm: replace(ARMS[arm], problems=None) for arm in needed},
        scales={name: replace(scale, arms=None, problems=None) for name, scale in experiment.scales.items()},
        claims=[replace(claims[0], role="headline"), *claims[1:]],
        tuning=None,
    )


experiment = Experiment(
    question="Does a gate on the rate of change keep deep graph networks from smoothing, and does that help?",
    problems={
        "grid, relu": Grid("relu"),
        "grid, tanh": Grid("tanh"),
        BLOCKS: BlockGraph(),
        EVEN: BlockGraph(mixing="even"),
        "texas": published(path="texas", nodes=183),
        "wisconsin": published(path="wisconsin", nodes=251),
        "cornell": published(path="cornell", nodes=183),
        ROMAN: published(path="roman_empire.npz", form="npz", nodes=22_662, depth=5, train=0.5, val=0.25),
        SNAP: published(path="snap_patents.mat", form="mat", nodes=2_923_922, depth=6, train=0.5, val=0.25),
    },
    arms=ARMS,
    metrics={
        "Rayleigh quotient": Metric(about="Dirichlet energy over mean square norm, last layer; at least 1e-12"),
        "accuracy": Metric("%", about="on the test nodes, weights of the best validation accuracy"),
        "validation accuracy": Metric("%", about="on the validation nodes; epochs and settings are chosen by it"),
        "mean rate": Metric(about="mean tau over layers, nodes and channels; about 0 = the network is an MLP"),
    },
    scales={
        "smoke": Budget(steps=2, width=8, replicates=1, problems=("grid, relu", BLOCKS), arms=("MLP", "GCN", "G2-GCN")),
        "demo": Budget(arms=("MLP", "GCN", "residual GCN", "G2-GCN", "G2-GCN, 1 - tau"), problems=(*GRIDS, BLOCKS)),
        "small": Budget(problems=(*GRIDS, BLOCKS, EVEN, *FILES)),
        "full": Budget(
            steps=1000,
            width=512,
            every=10,
            problems=(ROMAN, SNAP),
            arms=("MLP", "SAGE", "G2-GCN", "G2-SAGE"),
            slow=True,
            status="not yet run",
        ),
    },
    claims=CLAIMS,
    trial=trial,
    tuning=Tuning("validation accuracy", problem=(BLOCKS, *FILES), configurations=4, pilots=2),
    own=own,
    roles=("label",),
    benefit="accuracy",
)
