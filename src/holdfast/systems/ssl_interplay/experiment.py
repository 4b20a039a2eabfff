"""Does each downstream task have its own best lambda, and what does one lambda for all cost?   arXiv 2302.02774

    holdfast run ssl_interplay --scale demo      about two minutes of one core
    holdfast run ssl_interplay --scale small     last measured: ledger/ssl_interplay/small.json

All features are eigenfunctions of T - lambda K^{-1}, found in closed form for every lambda of a grid. A linear probe
(ridge, without intercept) is fitted to rows with labels; its own penalty and lambda are chosen on validation rows (the
reference chose on the test rows), errors are those of the test rows over the mean square of the target. "Single
lambda" is the one with the best mean error over the two targets, on the same validation rows. Lambda is given on the
scale of the reference's scripts (sum over views, no mean over points).

A replicate of all arms takes about 15 s of one core; times 24: 360 s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from holdfast.baselines.simclr import SimCLR
from holdfast.data.batches import Batches
from holdfast.experiment import (
    All,
    Arm,
    Better,
    Curve,
    Differs,
    Experiment,
    Interaction,
    Measurement,
    Metric,
    NotTestable,
    NoWorse,
    PerUnit,
    Run,
    Scalar,
    Scale,
)  # fmt: skip
from holdfast.experiment.claims import Place
from holdfast.layers.perceptron import Perceptron
from holdfast.randomness import seeded
from holdfast.systems.ssl_interplay.method.features import (
    Kernel,
    cholesky_features,
    exponential_kernel,
    ntk_kernel,
    rbf_kernel,
    squared_distances,
)
from holdfast.systems.ssl_interplay.method.spectrum import Moments, eigenpairs, interplay_path, views_loss
from holdfast.systems.ssl_interplay.problems import (
    Arrays,
    Digits,
    HalfMoons,
    Interplay,
    ReluFeatures,
    Sphere,
    Task,
    own_arrays,
)  # fmt: skip
from holdfast.training import fit

PENALTIES = np.logspace(-5, 0, 10)  # of the probe, per row with labels
LANDMARKS = 500  # of Nystroem, where there are more points than MOST
MOST = 1000
NO_KERNEL = 1e-9  # lambda of "no K": small beside every eigenvalue that T can have


@dataclass(frozen=True)
class Grid(Scale):
    """How much work.

    Attributes:
        lambdas: on the grid from 10^-2 to 10^1.2, the scripts'.
        simclr_steps: of the network that SimCLR trains.
        lbfgs_steps: iterations of L-BFGS.
    """

    lambdas: int = 20
    simclr_steps: int = 400
    lbfgs_steps: int = 3000

    def grid(self) -> np.ndarray:
        """On the scale of the scripts."""
        return np.logspace(-2, 1.2, self.lambdas)


# -------------------------------------------------------------------------------------------------------------- arms
@dataclass(frozen=True)
class ClosedForm:
    """The method: eigenfunctions of T - lambda K^{-1}.

    Attributes:
        shuffled: broken: every view but the first belongs to another input.
        alone: None, or "T" (no K: lambda about 0) or "K" (no T: kernel principal components).
    """

    shuffled: bool = False
    alone: str = ""


@dataclass(frozen=True)
class KernelRidge:
    """Ridge regression with the kernel itself, on the rows with labels alone."""


@dataclass(frozen=True)
class Network:
    """A network with one hidden layer, trained by SimCLR on the same views; the probe reads its hidden layer."""

    hidden: int = 256


@dataclass(frozen=True)
class LBFGS:
    """psi = Phi W with W trained on the loss by L-BFGS in double precision."""


# --------------------------------------------------------------------------------------------------------- one trial
def trial(run: Run[Any, Any, Grid]) -> Iterator[Measurement]:
    """Errors of the probe over the grid of lambdas; or how near a trained model comes to the closed form."""
    if isinstance(run.problem, ReluFeatures):
        yield from _solved(run.arm, run.problem, run)
        return
    task = run.problem.draw(run.rng("split"))
    if isinstance(run.arm, ClosedForm):
        found = closed_form(run.arm, run.problem, task, run)
    elif isinstance(run.arm, KernelRidge):
        kernel = _kernel(run.problem, task)
        factor, phi = cholesky_features(kernel(task.probe, task.probe))
        pivots = task.probe[factor.pivots]
        found = [(None, [phi, *(factor(kernel(x, pivots)) for x in (task.validation, task.test))])]
    else:
        found = [(None, simclr(run.arm, run.problem, task, run))]
    yield from measured(found, task, run)


def closed_form(
    arm: ClosedForm, problem: Interplay, task: Task, run: Run
) -> list[tuple[float | None, list[np.ndarray]]]:
    """(lambda, features of probe, validation and test rows) for every lambda."""
    n, m, d = task.views.shape
    views = task.views.copy()
    if arm.shuffled:
        rng = run.rng("shuffle")
        for v in range(1, m):
            views[:, v] = views[rng.permutation(n), v]
    points, groups = views.reshape(-1, d), np.repeat(np.arange(n), m)
    kernel = _kernel(problem, task)
    chosen = points if len(points) <= MOST else points[run.rng("landmarks").permutation(len(points))[:LANDMARKS]]
    factor, _ = cholesky_features(kernel(chosen, chosen))
    pivots = chosen[factor.pivots]
    moments = Moments.of([(factor(kernel(points, pivots)), groups)])
    parts = [factor(kernel(x, pivots)) for x in (task.probe, task.validation, task.test)]
    if arm.alone == "K":
        spread, axes = np.linalg.eigh(moments.covariance())
        return [(None, [phi @ axes[:, -problem.k :] / np.sqrt(spread[-1]) for phi in parts])]
    scale = m * len(points)  # lambda of the scripts in ours
    regs = [NO_KERNEL] if arm.alone == "T" else run.scale.grid() / scale
    return [
        (reg * scale, [phi @ pairs.weights[:, : pairs.active] for phi in parts])
        for reg, pairs in zip(regs, interplay_path(moments, regs, problem.k), strict=True)
    ]


def _kernel(problem: Interplay, task: Task) -> Kernel:
    if problem.kernel == "ntk":
        return ntk_kernel
    width = problem.width or float(np.sqrt(np.median(squared_distances(task.probe, task.views[:, 0]))))
    return partial(exponential_kernel if problem.kernel == "exponential" else rbf_kernel, gamma=1 / width**2)


def simclr(arm: Network, problem: Interplay, task: Task, run: Run) -> list[np.ndarray]:
    """The hidden layer's features of probe, validation and test rows."""
    views = torch.from_numpy(task.views).float()
    with seeded(run.seed("init")):
        learner = SimCLR(Perceptron(views.shape[2], arm.hidden), _one_view)
    size = min(128, len(views))
    fit(learner, Batches({"x": views}, size, run.seed("batches")), steps=run.scale.simclr_steps, on_step=run.step)
    with torch.no_grad():
        rows = (task.probe, task.validation, task.test)
        found = [learner.encoder(torch.from_numpy(x).float()).double().numpy() for x in rows]
    scale = np.sqrt((found[0] ** 2).mean())
    return [x / scale for x in found]


def _one_view(images: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """One of the views (B, m, d) of each input."""
    which = torch.randint(images.shape[1], (len(images),), generator=generator, device=images.device)
    return images[torch.arange(len(images), device=images.device), which]


# -------------------------------------------------------------------------------------------------- what is measured
def measured(found: list[tuple[float | None, list[np.ndarray]]], task: Task, run: Run) -> Iterator[Measurement]:
    """Errors of the probe: of each target with its own lambda, and of both with a single one."""
    grid = [reg for reg, _ in found if reg is not None]
    table = {name: [probed(phi, task, name) for _, phi in found] for name in task.probe_y}
    validation = {name: np.array([v for v, _, _ in rows]) for name, rows in table.items()}
    own_best = {name: int(v.argmin()) for name, v in validation.items()}
    if isinstance(run.problem, Sphere):
        single = int(np.mean(list(validation.values()), 0).argmin())
        errors = {name: np.array([e for _, e, _ in rows]) for name, rows in table.items()}
        for name in table:
            yield Scalar(f"error, {name}", float(errors[name][own_best[name]]))
            if len(grid) > 1:
                yield Scalar(f"best lambda, {name}", float(np.log10(grid[own_best[name]])))
                yield Curve(f"test error, {name}", grid, errors[name].tolist(), x_label="lambda")
        gain = np.mean([errors[name][single] - errors[name][own_best[name]] for name in table])
        yield Scalar("gain of own lambdas", float(gain))
        if len(grid) > 1:
            active = np.array([phi[0].shape[1] for _, phi in found])
            yield Scalar("largest rise of the rank", float(np.diff(active).max()))
            yield Curve("active features", grid, active.tolist(), x_label="lambda")
    elif isinstance(run.problem, HalfMoons):
        best = own_best["quarter"]
        yield Scalar("error, all labels", float(table["quarter"][best][1]))
        few = replace(task, probe=task.probe[:30], probe_y={"quarter": task.probe_y["quarter"][:30]})
        phi = found[best][1]
        yield Scalar("error, 30 labels", float(probed([phi[0][:30], *phi[1:]], few, "quarter")[1]))
    else:
        (name,) = table
        best = free_choice([phi[0].shape[1] for _, phi in found], run.problem.k) if len(grid) > 1 else own_best[name]
        right = 100.0 * (table[name][best][2].argmax(1) == task.test_y[name].argmax(1))
        yield Scalar("accuracy", float(right.mean()))
        yield PerUnit("accuracy", right.tolist(), list(range(len(right))))


def free_choice(active: list[int], k: int) -> int:
    """Which lambda needs no labels: the largest that leaves all k features alive (the smallest if none does).

    Args:
        active: features that are alive, by rising lambda.
    """
    alive = [i for i, a in enumerate(active) if a >= k]
    return max(alive, default=0)


def probed(phi: list[np.ndarray], task: Task, name: str) -> tuple[float, float, np.ndarray]:
    """Errors on validation and test rows of the best ridge probe, and its test predictions."""
    a, y = phi[0], task.probe_y[name]
    if not a.shape[1]:
        return 1.0, 1.0, np.zeros_like(task.test_y[name])
    # With fewer rows than features in the smaller of its two forms: the values of A A^T are those of A^T A.
    left, spread, right = np.linalg.svd(a, full_matrices=False)
    inside = left.T @ y
    best: tuple[float, float, np.ndarray] | None = None
    for penalty in PENALTIES:
        weights = right.T @ ((spread / (spread**2 + len(a) * penalty))[:, None] * inside)
        held = phi[1] @ weights
        error = _relative(held, task.validation_y[name])
        if best is None or error < best[0]:
            predicted = phi[2] @ weights
            best = error, _relative(predicted, task.test_y[name]), predicted
    assert best is not None
    return best


def _relative(predicted: np.ndarray, y: np.ndarray) -> float:
    return float(((predicted - y) ** 2).sum() / (y**2).sum())


def _solved(arm: ClosedForm | LBFGS, problem: ReluFeatures, run: Run) -> Iterator[Measurement]:
    views = problem.draw(run.rng("split"))
    n, m, _ = views.shape
    flat = views.reshape(n * m, -1)
    pairs = eigenpairs(Moments.of([(flat, np.repeat(np.arange(n), m))]), problem.reg, problem.k)
    closed, minimum = pairs.solution(), pairs.minimum()
    if isinstance(arm, ClosedForm):
        weights = torch.from_numpy(closed)
    else:
        start = 0.1 * torch.from_numpy(run.rng("init").normal(size=closed.shape))
        weights = trained(torch.from_numpy(views), problem.reg, start, run.scale.lbfgs_steps)
    loss = float(total_loss(torch.from_numpy(views), weights, problem.reg))
    products = [flat @ (w @ w.T) @ flat.T for w in (weights.numpy(), closed)]
    yield Scalar("loss above the minimum", loss - minimum)
    yield Scalar("relative gap", float(np.linalg.norm(products[0] - products[1]) / np.linalg.norm(products[1])))


def total_loss(views: torch.Tensor, weights: torch.Tensor, reg: float) -> torch.Tensor:
    """The method's loss of psi = Phi W: views (n, m, D), weights (D, k); the factor 2 makes lambda that of T_lambda."""
    return views_loss(views @ weights) + 2 * reg * weights.square().sum()


def trained(views: torch.Tensor, reg: float, start: torch.Tensor, steps: int) -> torch.Tensor:
    """W after L-BFGS."""
    weights = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [weights], max_iter=steps, tolerance_grad=1e-12, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = total_loss(views, weights, reg)
        loss.backward()
        return loss

    optimizer.step(closure)
    return weights.detach()


# -------------------------------------------------------------------------------------------------- what is declared
SPHERE, DIGITS, RELU, FILE = "sphere", "digits", "relu features", "arrays"
MOONS, FEW = "half moons", "half moons, 30 inputs"
INTERPLAY, SHUFFLED = "interplay", "interplay, views shuffled"
PCA, LAPLACIAN, RIDGE, SIMCLR, TRAINED = "kernel PCA", "Laplacian", "kernel ridge", "SimCLR", "trained by L-BFGS"
ARMS = {
    INTERPLAY: Arm(ClosedForm(), about="closed form, lambda chosen on validation rows (digits: without labels)"),
    SHUFFLED: Arm(ClosedForm(shuffled=True), problems=(SPHERE, DIGITS), about="broken: views of other inputs"),
    PCA: Arm(ClosedForm(alone="K"), problems=(SPHERE, MOONS, FEW, DIGITS, FILE), about="no T: principal components"),
    LAPLACIAN: Arm(ClosedForm(alone="T"), problems=(SPHERE, MOONS, FEW, DIGITS, FILE), about="no K: lambda about 0"),
    RIDGE: Arm(
        KernelRidge(), problems=(SPHERE, MOONS, FEW, DIGITS, FILE), about="the kernel on the labelled rows alone"
    ),
    SIMCLR: Arm(Network(), problems=(DIGITS, FILE), about="a network with one hidden layer, trained on the views"),
    TRAINED: Arm(LBFGS(), problems=(RELU,), about="the same loss, minimised by gradients"),
    "interplay, other seeds": Arm(
        ClosedForm(), problems=(DIGITS,), reseed=1, about="control: the same, other landmarks"
    ),
}


def _headline(arm: str, **options: Any) -> All:
    """The best lambdas lie apart, and that matters."""
    return All(
        Interaction(
            arm, here=Place(metric="best lambda, y1"), there=Place(metric="best lambda, y3"), on=SPHERE, margin=2
        ),
        Better(arm, than=0.0, metric="gain of own lambdas", on=SPHERE, margin=0.1),
        **options,
    )


ERRORS = ("30 labels", "all labels")
CLAIMS = (
    _headline(
        INTERPLAY, role="headline",
        scope="300 points on a sphere in 8 dimensions, cyclic shifts, 20 features, lambda from 10^-2 to 10^1.2",
        published="none; the paper shows a figure: one target wants small lambda, the other large",
        source="notebook downstream_trade_off of the reference code",
    ),
    *(
        Better(INTERPLAY, than=other, metric=f"error, {y}", on=SPHERE)
        for other in (PCA, LAPLACIAN, RIDGE) for y in ("y1", "y3")
    ),
    Better(
        INTERPLAY, than=0.5, metric="largest rise of the rank", on=SPHERE,
        text="the number of active features does not rise with lambda",
    ),
    Better(TRAINED, than=1e-4, metric="relative gap", on=RELU, text="gradients find the closed form, by 1e-4"),
    NoWorse(INTERPLAY, than=TRAINED, metric="loss above the minimum", on=RELU, margin=1e-8),
    *(
        Interaction(
            INTERPLAY, here=Place(problem=MOONS), there=Place(problem=FEW), metric=f"error, {labels}",
            text=f"the error falls with the inputs that have views ({labels})",
        )
        for labels in ERRORS
    ),
    Interaction(
        INTERPLAY, here=Place(metric="error, all labels"), there=Place(metric="error, 30 labels"), on=MOONS,
        text="the error falls with the labels",
    ),
    *(NoWorse(INTERPLAY, than=other, metric="accuracy", on=DIGITS, margin=1) for other in (PCA, LAPLACIAN, SIMCLR)),
    NotTestable(
        "the same with a neural network, training time in place of 1 / lambda",
        reason="5,000 passes of a network in 100 trials each: hours of one core",
    ),
    _headline(SHUFFLED, role="control", expect="not found"),
    Differs(INTERPLAY, "interplay, other seeds", metric="accuracy", on=DIGITS, role="control", expect="not found"),
    Better(INTERPLAY, than=SHUFFLED, metric="error, y3", on=SPHERE, margin=0.1, role="control", expect="found"),
)  # fmt: skip


def own(paths: Sequence[Path], columns: Mapping[str, str]) -> Experiment:
    """Whether the features are better than what one would use instead, on rows of the user's."""
    name, others = "your rows", (RIDGE, PCA, LAPLACIAN, SIMCLR)
    claims = [Better(INTERPLAY, than=other, metric="accuracy", on=name) for other in others]
    return replace(
        experiment,
        problems={name: own_arrays(paths)},
        arms={arm: replace(ARMS[arm], problems=None) for arm in (INTERPLAY, *others)},
        scales={key: replace(scale, arms=None, problems=None) for key, scale in experiment.scales.items()},
        claims=[replace(claims[0], role="headline"), *claims[1:]],
        benefit="accuracy",
    )


experiment = Experiment(
    question="Does each downstream task have its own best lambda, and what does one lambda for all cost?",
    problems={
        SPHERE: Sphere(), MOONS: HalfMoons(), FEW: HalfMoons(inputs=30), DIGITS: Digits(), RELU: ReluFeatures(),
        FILE: Arrays(),
    },
    arms=ARMS,
    metrics={
        "gain of own lambdas": Metric(about="mean test error with a single lambda, minus that with each target's own"),
        "best lambda, y1": Metric("decades", about="log10, best on validation rows for the target that is not smooth"),
        "best lambda, y3": Metric("decades", about="log10, best on validation rows for the invariant target"),
        "error, y1": Metric(higher_is_better=False, about="degree 1, not invariant; over the mean square"),
        "error, y3": Metric(higher_is_better=False, about="degree 3, invariant; over the mean square"),
        "largest rise of the rank": Metric(higher_is_better=False, about="of the active features, along lambda"),
        "error, 30 labels": Metric(higher_is_better=False, about="of the quarter, over the mean square"),
        "error, all labels": Metric(higher_is_better=False, about="of the quarter, 300 labels"),
        "accuracy": Metric("%", about="of a linear probe, on test rows"),
        "relative gap": Metric(higher_is_better=False, about="of Psi Psi^T to the closed form, Frobenius"),
        "loss above the minimum": Metric(higher_is_better=False, about="k minus the sum of the squares of theta"),
    },
    scales={
        "smoke": Grid(
            lambdas=2, simclr_steps=3, lbfgs_steps=20, replicates=1, arms=(INTERPLAY, TRAINED),
            problems=(SPHERE, FEW, DIGITS, RELU),
        ),
        "demo": Grid(arms=(INTERPLAY, SHUFFLED, PCA, LAPLACIAN, RIDGE), problems=(SPHERE,)),
        "small": Grid(problems=(SPHERE, MOONS, FEW, DIGITS, RELU)),
        "full": Grid(
            problems=(FILE,), arms=(INTERPLAY, PCA, LAPLACIAN, RIDGE, SIMCLR), simclr_steps=20_000,
            status="not yet run",
        ),
    },
    claims=CLAIMS,
    trial=trial,
    own=own,
    benefit="gain of own lambdas",
)  # fmt: skip
