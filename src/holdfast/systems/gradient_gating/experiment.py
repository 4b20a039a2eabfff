"""Does a gate on the rate of change keep deep graph networks from smoothing, and does that help to classify nodes?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
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
from holdfast.systems.gradient_gating.problems import ACTIVATIONS, BlockGraph, Grid, Labelled, Task, published
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

    steps: int = 100
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
    share: bool = True
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
    x = task.x.to(run.device)
    learner = WholeGraph(net, x, task.edge_index, task.y, cross_entropy, arm.lr, arm.weight_decay)
    done = fit(
        learner,
        Batches({"node": task.train}, len(task.train), derived_seed(run.seed("batches"), "nodes")),
        steps=scale.steps,
        seed=run.seed("batches"),
        device=run.device,
        keep=Best(scale.every, partial(_accuracy, nodes=task.val), name="validation accuracy"),
        on_step=run.step,
    )
    with torch.no_grad():
        yield Scalar("validation accuracy", _accuracy(done.best, task.val))
        yield Scalar("accuracy", _accuracy(done.best, task.test))
        if isinstance(arm, Gated):
            yield from _rates(done.best)


def _accuracy(learner: WholeGraph, nodes: Tensor) -> float:
    right = learner.outputs().argmax(1) == learner.target
    return 100 * float(right[nodes.to(right.device)].double().mean())


def _rates(learner: WholeGraph) -> Iterator[Measurement]:
    found = rates_and_energies(learner.net, learner.x, learner.edge_index)
    means = [float(tau.mean()) for tau, _ in found]
    yield Scalar("mean rate", sum(means) / len(means))
    yield Curve("mean rate of each layer", list(range(1, len(means) + 1)), means, x_label="layer")


# -------------------------------------------------------------------------------------------------- what is declared
GRIDS, BLOCKS, EVEN = ("grid, relu", "grid, tanh"), "block graph", "block graph, even"
WEBKB = ("texas", "wisconsin", "cornell")
RATES: dict[str, Any] = {"lr": (0.01, 0.003), "share": (True, False)}
ARMS = {
    "MLP": Arm(MLP(), space={"lr": (0.01, 0.003), "dropout": (0.2, 0.5)}, problems=(BLOCKS, EVEN, *WEBKB)),
    "GCN": Arm(Plain(), space=RATES),
    "residual GCN": Arm(Plain(update=ResidualLayer), space=RATES),
    "residual GCN, tanh": Arm(Plain(update=ResidualLayer, activation="tanh"), space=RATES),
    "SAGE": Arm(Plain(conv="sage"), space=RATES),
    "residual SAGE": Arm(Plain(conv="sage", update=ResidualLayer), space=RATES),
    "G2-GCN": Arm(Gated(), space=RATES),
    "G2-SAGE": Arm(Gated(conv="sage"), space=RATES),
    "G2-GCN, 1 - tau": Arm(Gated(gating=Inverted), tuned_as="G2-GCN"),
    "G2-GCN, mean rate": Arm(Gated(gating=SameForAll), tuned_as="G2-GCN"),
    "G2-GCN, other seeds": Arm(Gated(), tuned_as="G2-GCN", reseed=1),
}
