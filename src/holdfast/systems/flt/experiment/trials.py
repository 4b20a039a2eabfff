"""The arms and their trial: one network, positions that come in in different ways, and what is measured."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from holdfast.baselines.neighbour_means import NeighbourMeans
from holdfast.data.batches import Batches
from holdfast.data.characters import next_token_windows
from holdfast.data.point_problems import Parts, PointProblem
from holdfast.data.point_sets import PointSets
from holdfast.data.text_problems import TextProblem
from holdfast.experiment import Curve, Measurement, PerUnit, Run, Scalar, Scale
from holdfast.layers.positions import sinusoids
from holdfast.metrics.determination import R2
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.flt.method import fourier_factors, phases
from holdfast.systems.flt.net import FLTAttention, FLTEncoder, FLTEncoderLayer, FourierRPE
from holdfast.training import fit
from holdfast.training.next_token import NextToken, perplexity
from holdfast.training.point_regression import PointLearner, PointRegressor, answers, point_batches

WIDTH, HEADS = 32, 2


@dataclass(frozen=True)
class Steps(Scale):
    """Training budget.

    Attributes:
        steps, batch: of Adam.
        held: sets each for validation and test.
        layers, width: of the language model.
    """

    steps: int = 500
    batch: int = 16
    held: int = 100
    layers: int = 6
    width: int = 512


# ---------------------------------------------------------------------------------------------------------------- arms
@dataclass(frozen=True)
class Nowhere:
    """Tokens do not know where they are."""

    def rpe(self, dim: int, heads: int) -> FourierRPE | None:
        """The bias of attention."""
        return None

    def seen(self, sets: PointSets, seed: int) -> PointSets:
        """The sets as the network is given them."""
        return sets

    def added(self, length: int, width: int) -> Tensor | None:
        """To the embeddings of a text."""
        return None


@dataclass(frozen=True)
class Coordinates(Nowhere):
    """Positions are inputs: centred coordinates of points, sinusoids of words."""

    def seen(self, sets: PointSets, seed: int) -> PointSets:
        return dataclasses.replace(sets, x=torch.cat([sets.x, sets.pos], 2))

    def added(self, length: int, width: int) -> Tensor | None:
        return sinusoids(torch.arange(length), width)


@dataclass(frozen=True)
class Fourier(Nowhere):
    """FLT: positions are in the bias alone.

    Attributes:
        frequencies, components, scale, kind: R, T, and the rest of `FourierRPE`.
    """

    frequencies: int = 16
    components: int = 8
    scale: float = 1.0
    kind: str = "gmm"

    def rpe(self, dim: int, heads: int) -> FourierRPE | None:
        return FourierRPE(dim, self.frequencies, self.kind, self.components, heads, self.scale)


@dataclass(frozen=True)
class FourierAndCoordinates(Fourier, Coordinates):
    """Both."""


@dataclass(frozen=True)
class Permuted(Fourier):
    """Broken: points of a set have each other's positions."""

    def seen(self, sets: PointSets, seed: int) -> PointSets:
        order = torch.rand(sets.real.shape, generator=torch.Generator().manual_seed(derived_seed(seed, "permuted")))
        order = order.masked_fill(~sets.real, 2).argsort(1)  # padding stays last
        return dataclasses.replace(sets, pos=sets.pos.gather(1, order[..., None].expand_as(sets.pos)))


@dataclass(frozen=True)
class Transformer:
    """A network with one layer of attention over the points of a set.

    Attributes:
        positions: how they come in.
        exact: all N^2 scores and a softmax in place of FAVOR+.
        lr: of Adam.
    """

    positions: Nowhere = field(default_factory=Fourier)
    exact: bool = False
    lr: float = 3e-3

    def attention(self, dim: int, features: int, width: int, heads: int, causal: bool = False) -> FLTAttention:
        """The layer, drawn from the global generator."""
        return FLTAttention(width, heads, self.positions.rpe(dim, heads), features, causal, exact=self.exact)


@dataclass(frozen=True)
class Neighbours:
    """No network: `NeighbourMeans`, the number of neighbours chosen on training sets."""


# ----------------------------------------------------------------------------------------------------------- one trial
def trial(run: Run[Any, PointProblem | TextProblem, Steps]) -> Iterator[Measurement]:
    """Train the arm and measure it on sets, or on text, that it has not seen."""
    if isinstance(run.problem, TextProblem):
        yield from _words(run, run.problem)
        return
    parts = run.problem.load(run.rng("split"), run.scale.steps * run.scale.batch, run.scale.held)
    if isinstance(run.arm, Neighbours):
        neighbours = NeighbourMeans().fit(parts.train[:1000])
        yield from _measured(parts, neighbours.predict, run.problem.fixed_test)
        return
    positions, seed = run.arm.positions, run.seed("init")
    train = positions.seen(parts.train, seed)
    with seeded(seed):
        attention = run.arm.attention(parts.train.pos.shape[2], int(run.point["features"]), WIDTH, HEADS)
        net = PointRegressor(train.x.shape[2], WIDTH, attention)
    learner = PointLearner(net, run.arm.lr, not bool(train.real.all()))
    batches = point_batches(train, run.scale.batch, run.seed("batches"))
    trained = fit(learner, batches, steps=run.scale.steps, seed=seed, device=run.device, on_step=run.step)
    yield Curve("training loss", *trained.history["loss"])
    yield from _measured(parts, lambda sets: answers(net, positions.seen(sets, seed)), run.problem.fixed_test)
    if attention.rpe is not None:
        yield Scalar("strength", float(attention.rpe.strength().detach().mean()))
        yield Scalar("error slope", error_slope(attention.rpe.cpu(), parts.test.pos[0], run.seed("augment")))


def _measured(parts: Parts, predict: Any, cases: bool) -> Iterator[Measurement]:
    for name, sets in (("R2", parts.test), ("validation R2", parts.validation), ("R2, larger cube", parts.larger)):
        if sets is not None:
            found = sets.cases(predict(sets))
            yield Scalar(name, R2().of_cases(np.array(found)))
            if cases and name == "R2":
                yield PerUnit(name, found, parts.test_id)


@torch.no_grad()
def error_slope(rpe: FourierRPE, pos: Tensor, seed: int, draws: int = 8) -> float:
    """Log-log slope in R of the root mean square of N1 N2^T - f over the pairs of positions (N, d) and over draws."""
    generator = torch.Generator().manual_seed(seed)
    wanted = rpe.bias_exact(pos[:, None] - pos)
    counts, errors = (64, 256, 1024, 4096), []
    for count in counts:
        squares = []
        for _ in range(draws):
            xi, rho, odd = rpe.spectrum.ratios(rpe.spectrum.draw(count, generator))
            n1, n2 = fourier_factors(phases(xi, pos[None]), rho, odd)
            squares.append((n1 @ n2.transpose(2, 3) - wanted).square().mean())
        errors.append(math.sqrt(float(torch.stack(squares).mean())))
    return float(np.polyfit(np.log(counts), np.log(errors), 1)[0])


def _words(run: Run[Transformer, Any, Steps], problem: TextProblem, length: int = 256) -> Iterator[Measurement]:
    (train, valid, test), vocabulary = problem.texts()
    scale, heads = run.scale, 8
    length = min(length, *(len(ids) - 1 for ids in (train, valid, test)))
    with seeded(run.seed("init")):
        features = int(run.point["features"])
        attentions = [run.arm.attention(1, features, scale.width, heads, causal=True) for _ in range(scale.layers)]
        encoder = FLTEncoder([FLTEncoderLayer(attention, scale.width) for attention in attentions])
        added = run.arm.positions.added(length, scale.width)
        learner = NextToken(vocabulary, scale.width, encoder, added, run.arm.lr)
    x, y = next_token_windows(train, length)
    batches = Batches({"x": x, "y": y}, min(scale.batch, len(x)), run.seed("batches"))
    fit(learner, batches, steps=scale.steps, seed=run.seed("init"), device=run.device, on_step=run.step)
    for name, ids in (("perplexity", test), ("validation perplexity", valid)):
        yield Scalar(name, perplexity(learner, ids, length, run.device))


__all__ = [
    "Coordinates",
    "Fourier",
    "FourierAndCoordinates",
    "Neighbours",
    "Nowhere",
    "Permuted",
    "Steps",
    "Transformer",
    "error_slope",
    "trial",
]
