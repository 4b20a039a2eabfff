"""Do large steps that decay late lead SGD to sparser features, and to a lower test loss, than small ones do?

    holdfast run large_step_sgd --scale demo     a minute on one core
    holdfast run large_step_sgd --scale small    last measured: ledger/large_step_sgd/small.json

Every arm's rate is a share of the largest stable one, which is searched on the data of the replicate; with images it is
half of that share. The small step gets four times the steps. A rate that is stable in the search and fails later is
lowered by a tenth until it does not.

A replicate of all arms takes about 27 CPU seconds, 19 of them with images; times 24 (tuning, 8 replicates, 8 more) that
is 650. Only sparse regression is tuned, so that a ledger with one look takes about 280.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from holdfast.experiment import (
    All,
    Arm,
    Better,
    Cost,
    Curve,
    Differs,
    Experiment,
    Measurement,
    Metric,
    NotTestable,
    NoWorse,
    PerUnit,
    Run,
    Scalar,
    Scale,
    Tuning,
)
from holdfast.experiment.claims import LogRatio
from holdfast.layers.outputs import Hooks
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.large_step_sgd.method import diagonal, relu
from holdfast.systems.large_step_sgd.method.features import feature_sparsity
from holdfast.systems.large_step_sgd.method.schedule import Hold, ends, find_max_stable_lr
from holdfast.systems.large_step_sgd.problems import Cifar10, PooledDigits, ReluTeacher, Rows, SparseRegression
from holdfast.training.inference import forward_in_batches
from holdfast.training.plain_sgd import train_sgd


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
        """`warmup`: share of T that is warm-up."""
        ramp = warmup / self.times
        return Hold(self.hold, (self.decay,), (), ramp=ramp) if self.hold < 1 else Hold(1.0, (), (), ramp=ramp)


@dataclass(frozen=True)
class Lasso:
    """Least squares with a penalty on the sizes of coefficients, which 5-fold cross-validation chooses."""

    folds: int = 5


@dataclass(frozen=True)
class Draw:
    """Seeds of a replicate: of its data, of the networks, of the order of rows."""

    split: int
    init: int
    order: int


# ---------------------------------------------------------------------------------------------------------- the worlds
class Diagonal:
    """Diagonal linear networks.

    Every world has the bounds of the search, a factor of the rate that it finds, `probe` (losses of a run at a constant
    rate after the warm-up), `train` (losses of the arm's run) and `measure` (what came out of it).
    """

    bounds, near = (0.05, 1.0), 1.0

    def __init__(self, data: Rows, seed: int, scale: Steps) -> None:
        self.data, self.seed, self.scale = data, seed, scale
        self.u = self.v = np.zeros(0)

    def probe(self, rate: float, steps: int) -> np.ndarray:
        held = SGD(hold=1.0).schedule(self.scale.warmup / steps)
        run = partial(diagonal.dln_sgd, self.data.x, self.data.y, rate, steps, held)
        losses: np.ndarray = np.mean([run(derived_seed(self.seed, k)).losses for k in range(3)], axis=0)
        return losses

    def train(self, method: SGD, rate: float) -> np.ndarray:
        T = self.scale.diagonal
        found = diagonal.dln_sgd(
            self.data.x, self.data.y, rate, T * method.times, method.schedule(self.scale.warmup / T),
            derived_seed(self.seed, 0), batch=method.batch, init=(method.init, 0.0), label_noise=method.label_noise,
        )  # fmt: skip
        self.u, self.v = found.u, found.v
        return found.losses

    def measure(self) -> Iterator[Measurement]:
        yield from of_coefficients(self.u * self.v, self.data)
        yield Scalar("Jacobian rank", diagonal.rank(diagonal.jacobian(self.u, self.v, self.data.x)))


def of_coefficients(beta: np.ndarray, data: Rows) -> Iterator[Measurement]:
    """Losses and sparsity of a linear predictor."""
    for name, x, y in (
        ("train loss", data.x, data.y),
        ("validation loss", data.validation_x, data.validation_y),
        ("test loss", data.test_x, data.test_y),
    ):
        yield Scalar(name, max(0.5 * float(np.mean((x @ beta - y) ** 2)), TINY))
    yield Scalar("coordinates", diagonal.active(beta))
    yield Scalar("l1 norm", float(np.abs(beta).sum()))


class Teacher:
    """Two-layer ReLU networks."""

    bounds, near = (0.01, 4.0), 1.0

    def __init__(self, data: Rows, init: int, seed: int, scale: Steps, units: int) -> None:
        self.data, self.seed, self.scale = data, seed, scale
        self.W = 0.5 * np.random.default_rng(init).standard_normal((units, data.x.shape[1]))
        self.start, self.a = self.W, np.zeros(units)

    def _descend(self, rates: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = np.random.default_rng(derived_seed(self.seed, k)).integers(0, len(self.data.x), len(rates))
        return relu.relu_sgd(self.data.x, self.data.y, rows, rates, self.start, np.zeros(len(self.start)))

    def probe(self, rate: float, steps: int) -> np.ndarray:
        rates = diagonal.rates_of(rate, steps, SGD(hold=1.0).schedule(self.scale.warmup / steps))
        losses: np.ndarray = np.mean([self._descend(rates, k)[2] for k in range(3)], axis=0)
        return losses

    def train(self, method: SGD, rate: float) -> np.ndarray:
        T = self.scale.relu
        rates = diagonal.rates_of(rate, T * method.times, method.schedule(self.scale.warmup / T))
        self.W, self.a, losses = self._descend(rates, 0)
        return losses

    def measure(self) -> Iterator[Measurement]:
        d = self.data
        for name, x, y in (("train loss", d.x, d.y), ("test loss", d.test_x, d.test_y)):
            yield Scalar(name, max(float(np.mean((relu.predict(self.W, self.a, x) - y) ** 2)), TINY))
        phi = torch.from_numpy(relu.hidden(self.W, d.x))
        yield Scalar("feature sparsity", 100 * feature_sparsity(phi, 0.99, normalize=True).dedup)
        yield Scalar("Jacobian rank", diagonal.rank(relu.jacobian(self.W, self.a, d.x)))


class Pictures:
    """Networks of torch on images."""

    bounds, near = (0.02, 10.0), 0.5  # on pilots units died later at rates that a short search found stable

    def __init__(self, problem: PooledDigits | Cifar10, draw: Draw, scale: Steps, device: str) -> None:
        self.data, self.problem = problem.load(np.random.default_rng(draw.split)), problem
        self.draw, self.scale, self.device = draw, scale, device
        self.net: nn.Module = self._fresh()

    def _fresh(self) -> nn.Module:
        with seeded(self.draw.init):
            return self.problem.network()

    def _train(self, net: nn.Module, rate: float, steps: int, schedule: Hold) -> np.ndarray:
        rates: Callable[[float], float] = lambda progress: float(schedule(progress))  # noqa: E731
        return train_sgd(
            net, self.data.x, self.data.y, rate, steps,
            schedule=rates, batch=self.scale.batch, seed=self.draw.order, device=self.device,
        )  # fmt: skip

    def probe(self, rate: float, steps: int) -> np.ndarray:
        return self._train(self._fresh(), rate, steps, SGD(hold=1.0).schedule(0.3))

    def train(self, method: SGD, rate: float) -> np.ndarray:
        self.net = self._fresh()
        return self._train(self.net, rate, self.scale.images * method.times, method.schedule(0.1))

    def measure(self) -> Iterator[Measurement]:
        d, net = self.data, self.net.eval()
        yield Scalar("train loss", max(float(F.cross_entropy(forward_in_batches(net, d.x), d.y)), TINY))
        wrong = 100.0 * (forward_in_batches(net, d.test_x).argmax(1) != d.test_y).double()
        yield Scalar("test error", float(wrong.mean()))
        yield PerUnit("test error", wrong.tolist(), list(d.test_id))
        with Hooks(net, [self.problem.block]) as hooks:
            forward_in_batches(net, d.test_x)
        (phi,) = hooks.features().values()
        yield Scalar("feature sparsity", 100 * feature_sparsity(phi).dedup)


def world_of(problem: Any, draw: Draw, scale: Steps, device: str) -> tuple[Diagonal | Teacher | Pictures, int]:
    """The world of a replicate, and how many steps its search takes."""
    if isinstance(problem, PooledDigits | Cifar10):
        return Pictures(problem, draw, scale, device), scale.search
    data = problem.load(np.random.default_rng(draw.split))
    if isinstance(problem, ReluTeacher):
        return Teacher(data, draw.init, draw.order, scale, problem.student), scale.relu
    return Diagonal(data, draw.order, scale), scale.diagonal


def edge(problem: Any, draw: Draw, scale: Steps, device: str) -> float:
    """The largest stable rate on the data of a replicate."""
    world, steps = world_of(problem, draw, scale, device)
    return find_max_stable_lr(world.probe, *world.bounds, steps, evaluations=scale.evaluations).lr


TINY = 1e-20  # below it losses are rounding, and ratios of them mean nothing
LOWER = 0.9


def trial(run: Run[SGD | Lasso, Any, Steps]) -> Iterator[Measurement]:
    """Search the edge, train at a share of it, measure."""
    draw = Draw(run.seed("split"), run.seed("init"), run.seed("batches"))
    if isinstance(run.arm, Lasso):
        yield from _lasso(run.problem.load(np.random.default_rng(draw.split)), run.arm)
        return
    common = {"problem": run.problem, "draw": draw, "scale": run.scale, "device": run.device}
    world, _ = world_of(**common)
    rate = run.arm.fraction * world.near * run.stage("edge", edge, **common)
    while not usable(losses := world.train(run.arm, rate)):
        rate *= LOWER
    yield Scalar("rate", rate)
    yield from world.measure()
    parts = np.array_split(losses, min(len(losses), 40))
    ticks = np.cumsum([len(part) for part in parts])
    yield Curve("loss of the steps", ticks.tolist(), [max(float(part.mean()), TINY) for part in parts])
    yield Cost("steps", len(losses))


def usable(losses: np.ndarray) -> bool:
    """Whether a run stayed finite and did not end above where it began, as a network does whose units are all dead."""
    first, last = ends(losses)
    return last <= max(first, TINY)


def _lasso(data: Rows, arm: Lasso) -> Iterator[Measurement]:
    from sklearn.linear_model import LassoCV

    found = LassoCV(cv=arm.folds, fit_intercept=False, max_iter=20_000).fit(data.x, data.y)
    yield from of_coefficients(found.coef_, data)


# -------------------------------------------------------------------------------------------------- what is declared
SPARSE, RELU, DIGITS = "sparse regression", "ReLU teacher", "digits"
WORLDS = (SPARSE, RELU, DIGITS)
DECAYS = {"decay": (4.0, 8.0, 16.0)}


def _as_large(about: str, problems: tuple[str, ...], reseed: int = 0, **changes: Any) -> Arm:
    return Arm(SGD(**changes), tuned_as="large", problems=problems, reseed=reseed, about=about)


ARMS = {
    "small": Arm(
        SGD(fraction=1 / 8, hold=1.0, times=4),
        space={"fraction": (1 / 8, 1 / 4, 1 / 16)},
        about="a small step, four times as many",
    ),
    "large": Arm(SGD(), space=DECAYS, about="the paper's: close to the edge, divided at 60 %"),
    "large, 10 %": _as_large("divided at 10 %", WORLDS, hold=0.1),
    "small init": Arm(
        SGD(hold=1.0, times=4, batch=None, init=0.01),
        space={"init": (0.01, 0.001, 0.0001)},
        problems=(SPARSE,),
        about="gradient descent from a small start, four times the steps",
    ),
    "label noise": Arm(
        SGD(fraction=0.5, decay=10.0, label_noise=0.1),
        space={"label_noise": (0.1, 0.3, 0.03)},
        problems=(SPARSE,),
        about="half the largest rate, new noise on the labels of every step; divided at 60 %",
    ),
    "LassoCV": Arm(
        Lasso(),
        space={"folds": (5, 10, 3)},
        problems=(SPARSE,),
        deterministic=True,
        about="penalty by cross-validation",
    ),
    "large, all rows": _as_large(
        "broken: gradients of all rows, so there is no noise; the same schedule", (SPARSE,), batch=None
    ),
    "large, other order": _as_large("control: the same data, rows in another order", (SPARSE,), reseed=1),
}
LOSS = partial(Metric, higher_is_better=False)
METRICS = {
    "test loss": LOSS(about="half the mean square; for the ReLU teacher the mean square"),
    "train loss": LOSS(about="the same on the training rows; digits: cross-entropy"),
    "validation loss": LOSS(about="on rows to tune with"),
    "coordinates": LOSS(about="coefficients above 1 % of the largest"),
    "l1 norm": LOSS(about="of the coefficients"),
    "feature sparsity": LOSS("%", about="the paper's coefficient: hidden layer, or last convolution; lower is sparser"),
    "Jacobian rank": LOSS(about="singular values above 1e-4 of the largest"),
    "test error": LOSS("%", about="of 1,000 fixed digits"),
    "rate": Metric(about="the largest of the run"),
}
RATIO = LogRatio()
FITTED = 1e-4


def _fitted(*arms: str, on: str = SPARSE, level: float = FITTED) -> tuple[Better, ...]:
    return tuple(Better(arm, than=level, metric="train loss", on=on, compare=RATIO) for arm in arms)


def _headline(arm: str, **role: Any) -> All:
    return All(
        Better(arm, than="small", metric="test loss", on=SPARSE, compare=RATIO, margin=round(np.log2(5), 4)),
        Better(arm, than="small", metric="coordinates", on=SPARSE, compare=RATIO, margin=1.0),
        requires=_fitted(arm, "small"),
        **role,
    )


CLAIMS = (
    _headline(
        "large",
        role="headline",
        text="a large step that decays at 60 % ends at a fifth of the small step's test loss or less, with at most "
        "half as many coordinates, though the small step takes four times the steps",
        scope="diagonal linear networks, 80 rows of 200 coordinates, 20 of them count, no noise; 40,000 steps",
        published="3.5e-3 at a constant rate, 2.8e-4 with decay at 30 %; active coordinates 200 and 89 (one draw)",
        source="saved output of the authors' notebook",
    ),
    Better(
        "large", than="large, 10 %", metric="test loss", on=SPARSE, compare=RATIO,
        text="holding the large step for 60 % of the steps is better than for 10 % (test loss)",
        published="6.6e-4 at 10 %, 2.8e-4 at 30 % (one draw)", source="saved output of the authors' notebook",
    ),
    Better("large", than="LassoCV", metric="test loss", on=SPARSE, compare=RATIO),
    Better("large", than="small init", metric="test loss", on=SPARSE, compare=RATIO),
    Better("large", than="label noise", metric="test loss", on=SPARSE, compare=RATIO),
    Better(
        "large", than="small", metric="feature sparsity", on=RELU, compare=RATIO, margin=round(np.log2(4 / 3), 4),
        text="with a ReLU teacher the coefficient of feature sparsity is lower by a quarter",
        requires=_fitted("large", "small", on=RELU, level=1e-3),
    ),
    Better(
        "large", than="small", metric="test loss", on=RELU, compare=RATIO, margin=1.0,
        text="with a ReLU teacher the test loss is half or less",
        requires=_fitted("large", "small", on=RELU, level=1e-3),
    ),
    All(
        Better("large", than="small", metric="feature sparsity", on=DIGITS, compare=RATIO),
        NoWorse("large", than="small", metric="test error", on=DIGITS, margin=1.0),
        text="on digits the last convolution's features are sparser, and the test error no worse by 1 point",
        requires=_fitted("large", "small", on=DIGITS, level=0.01),
        published="none; the paper says: sparser features and better generalisation (ResNets on CIFAR)",
        source="abstract",
    ),
    NotTestable(
        "ResNets on CIFAR-10, CIFAR-100 and Tiny ImageNet generalise better and get sparser with longer large steps",
        reason="100 epochs of a ResNet-18 do not fit here; `--scale full` is ready and not yet run",
    ),
    Better("LassoCV", than="small", metric="test loss", on=SPARSE, compare=RATIO, margin=1.0, role="control",
           expect="found", text="the regression is sparse: cross-validated lasso has half the small step's test loss"),
    Differs("large", "large, other order", metric="test loss", on=SPARSE, compare=RATIO, role="control",
            expect="not found"),
    _headline("large, all rows", role="control", expect="not found",
              text="the headline with gradients of all rows in the place of SGD"),
)  # fmt: skip

experiment = Experiment(
    question="Do large steps that decay late lead SGD to sparser features and a lower test loss than small steps?",
    problems={SPARSE: SparseRegression(), RELU: ReluTeacher(), DIGITS: PooledDigits(), "CIFAR-10": Cifar10()},
    arms=ARMS,
    metrics=METRICS,
    scales={
        "smoke": Steps(diagonal=300, relu=300, warmup=20, images=4, search=30, evaluations=1, replicates=1,
                       problems=WORLDS, arms=("small", "large", "LassoCV")),
        "demo": Steps(problems=(SPARSE,), arms=("small", "large", "LassoCV", "large, all rows")),
        "small": Steps(problems=WORLDS),
        "full": Steps(images=19_600, search=600, evaluations=6, batch=256, problems=("CIFAR-10",), slow=True,
                      arms=("small", "large"), status="not yet run"),
    },
    claims=CLAIMS,
    trial=trial,
    tuning=Tuning(metric="validation loss", problem=SPARSE, configurations=3, pilots=2),
    benefit="test loss",
)  # fmt: skip
