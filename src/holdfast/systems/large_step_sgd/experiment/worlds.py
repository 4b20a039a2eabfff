"""How arms step, and the worlds that they step in: diagonal networks, ReLU networks, networks of torch on images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from holdfast.experiment import Measurement, PerUnit, Scalar, Scale
from holdfast.layers.outputs import Hooks
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.large_step_sgd.method import diagonal, relu
from holdfast.systems.large_step_sgd.method.features import feature_sparsity
from holdfast.systems.large_step_sgd.method.schedule import Hold
from holdfast.systems.large_step_sgd.problems import Parts, ReluTeacher, SparseRegression
from holdfast.training.inference import forward_in_batches
from holdfast.training.plain_sgd import train_sgd

TINY = 1e-20  # below it losses are rounding, and ratios of them mean nothing


@dataclass(frozen=True)
class Steps(Scale):
    """How much work.

    Attributes:
        diagonal, relu, images: T, steps of a run of the worlds.
        warmup: steps in which the rate rises linearly from a tenth; of images a tenth of T.
        search: steps of a run of the search with images; the other worlds search with T steps, on 3 orders of rows.
        evaluations: bisections of the search.
        batch: images per step.
    """

    diagonal: int = 40_000
    relu: int = 14_000
    warmup: int = 1000
    images: int = 600
    search: int = 120
    evaluations: int = 9
    batch: int = 32


@dataclass(frozen=True)
class SGD:
    """How an arm steps.

    Attributes:
        fraction: of the largest stable rate.
        hold: share of the steps before the rate is divided; 1 = never.
        decay: what it is divided by.
        times: T is multiplied by it.
        batch: rows a step of the diagonal world; None = all.
        init: of u there.
        label_noise: standard deviation there.
    """

    fraction: float = 0.95
    hold: float = 0.6
    decay: float = 4.0
    times: int = 1
    batch: int | None = 1
    init: float = 0.1
    label_noise: float = 0.0

    def schedule(self, warmup: float) -> Hold:
        """`warmup`: share of T in which the rate rises."""
        return Hold(self.hold, (self.decay,) if self.hold < 1 else (), (), ramp=warmup / self.times)


class Seeds(NamedTuple):
    """Of a replicate: of its data, of the networks, of the order of rows."""

    split: int
    init: int
    order: int


# Every world has `bounds` of the search of its largest stable rate, the factor `near` of what is found, `orders` that
# the search averages, `steps` (T), `search` (steps of its runs), `ramps` (shares of both in which the rate rises),
# `descend` (train afresh in an order of rows: losses of the steps), `measure` (what the last descent came to).
class _OfRows:
    """What the two worlds of numpy have in common."""

    near, orders = 1.0, 3

    def __init__(self, data: Parts, seeds: Seeds, steps: int, warmup: int) -> None:
        self.data, self.seeds, self.steps, self.search = data, seeds, steps, steps
        self.x, self.y = data["train"]
        self.ramps = (warmup / steps, warmup / steps)


class Diagonal(_OfRows):  # linear networks
    bounds = (0.05, 1.0)

    def descend(self, arm: SGD, rate: float, steps: int, schedule: Hold, order: int) -> np.ndarray:
        self.found = diagonal.dln_sgd(
            self.x, self.y, rate, steps, schedule, derived_seed(self.seeds.order, order),
            batch=arm.batch, init=(arm.init, 0.0), label_noise=arm.label_noise,
        )  # fmt: skip
        return self.found.losses

    def measure(self) -> Iterator[Measurement]:
        yield from of_coefficients(self.found.beta, self.data)
        yield Scalar("Jacobian rank", diagonal.rank(diagonal.jacobian(self.found.u, self.found.v, self.x)))


def of_coefficients(beta: np.ndarray, data: Parts) -> Iterator[Measurement]:
    """Losses and sparsity of a linear predictor."""
    for part, (x, y) in data.items():
        yield Scalar(f"{part} loss", max(0.5 * float(np.mean((x @ beta - y) ** 2)), TINY))
    yield Scalar("coordinates", diagonal.active(beta))
    yield Scalar("l1 norm", float(np.abs(beta).sum()))


class Student(_OfRows):  # two-layer ReLU networks
    bounds = (0.01, 4.0)

    def descend(self, arm: SGD, rate: float, steps: int, schedule: Hold, order: int) -> np.ndarray:
        m = ReluTeacher.student
        rows = np.random.default_rng(derived_seed(self.seeds.order, order)).integers(0, len(self.x), steps)
        start = 0.5 * np.random.default_rng(self.seeds.init).standard_normal((m, self.x.shape[1]))
        rates = diagonal.rates_of(rate, steps, schedule)
        self.W, self.a, losses = relu.relu_sgd(self.x, self.y, rows, rates, start, np.zeros(m))
        return losses

    def measure(self) -> Iterator[Measurement]:
        for part, (x, y) in self.data.items():
            if part != "validation":
                yield Scalar(f"{part} loss", max(float(np.mean((relu.predict(self.W, self.a, x) - y) ** 2)), TINY))
        phi = torch.from_numpy(relu.hidden(self.W, self.x))
        yield Scalar("feature sparsity", 100 * feature_sparsity(phi, 0.99, normalize=True).dedup)
        yield Scalar("Jacobian rank", diagonal.rank(relu.jacobian(self.W, self.a, self.x)))


class Pictures:  # networks of torch
    bounds, near, orders = (0.02, 10.0), 0.5, 1  # on pilots units died later at rates that a short search found stable
    ramps = (0.1, 0.3)

    def __init__(self, problem: Any, seeds: Seeds, scale: Steps, device: str) -> None:
        self.data, self.problem = problem.load(np.random.default_rng(seeds.split)), problem
        self.seeds, self.batch, self.device = seeds, scale.batch, device
        self.steps, self.search = scale.images, scale.search

    def descend(self, arm: SGD, rate: float, steps: int, schedule: Hold, order: int) -> np.ndarray:
        with seeded(self.seeds.init):
            self.net: nn.Module = self.problem.network()
        return train_sgd(
            self.net, self.data.x, self.data.y, rate, steps, schedule=lambda progress: float(schedule(progress)),
            batch=self.batch, seed=self.seeds.order, device=self.device,
        )  # fmt: skip

    def measure(self) -> Iterator[Measurement]:
        d, net = self.data, self.net.eval()
        yield Scalar("train loss", max(float(F.cross_entropy(forward_in_batches(net, d.x), d.y)), TINY))
        with Hooks(net, [self.problem.block]) as hooks:
            wrong = 100.0 * (forward_in_batches(net, d.test_x).argmax(1) != d.test_y).double()
        yield Scalar("test error", float(wrong.mean()))
        yield PerUnit("test error", wrong.tolist(), list(d.test_id))
        (phi,) = hooks.features().values()
        yield Scalar("feature sparsity", 100 * feature_sparsity(phi).dedup)


World = Diagonal | Student | Pictures


def world_of(problem: Any, seeds: Seeds, scale: Steps, device: str) -> World:
    """The world of a replicate."""
    if isinstance(problem, SparseRegression):
        return Diagonal(problem.load(np.random.default_rng(seeds.split)), seeds, scale.diagonal, scale.warmup)
    if isinstance(problem, ReluTeacher):
        return Student(problem.load(np.random.default_rng(seeds.split)), seeds, scale.relu, scale.warmup)
    return Pictures(problem, seeds, scale, device)


__all__ = ["SGD", "TINY", "Seeds", "Steps", "of_coefficients", "world_of"]
