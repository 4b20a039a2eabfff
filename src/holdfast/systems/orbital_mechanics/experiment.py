"""Is the law that a network learns between Sun and planets Newton's, where its masses were not told?

    holdfast run orbital_mechanics --scale demo     about four minutes on one core
    holdfast run orbital_mechanics --scale small    last measured: see ledger/orbital_mechanics/small.json

A replicate draws 1,200 epochs of one solar system afresh, and the initialisation; all arms see the same epochs. What
comes before JD 2453000 is trained on (its last tenth validates), what comes after is the test. Known to be easy for who
knows the form: least squares and a free power law stand beside the network, as ceilings rather than as rivals.

A replicate of all arms takes about 45 s of one core; times 16, since networks may collapse, and 160 s of tuning: 880 s.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.baselines.pairwise import fit_masses, fit_pair_terms, fit_power_law, relative_errors
from holdfast.data.solar_system import Bodies, Horizons, SolarSystem, Tracks
from holdfast.data.synthetic.bodies import NEWTON, Law, accelerations, is_proportional, simulate
from holdfast.experiment import Arm, Curve, Experiment, Measurement, Metric, Run, Scalar, Scale, Tuning
from holdfast.experiment.claims import Better, Differs, NotTestable
from holdfast.systems.orbital_mechanics.tool.discovery import (
    OPERON,
    EdgeRows,
    edge_rows,
    find_formula,
    law_accelerations,
    train_law,
)
from holdfast.systems.orbital_mechanics.tool.symbolic import Operon

TRUE = np.array([-2.0, 1.0, 1.0])  # exponents of r, m_i, m_j
LOST = 100.0  # AU, an error that counts no further


@dataclass(frozen=True)
class Steps(Scale):
    """How much work.

    Attributes:
        epochs: drawn.
        steps, batch: of training.
        search: for the formula.
        years: of the roll-out.
    """

    epochs: int = 1200
    steps: int = 2500
    batch: int = 16
    search: Operon = OPERON
    years: float = 2.0


Trial = Run[Any, Bodies, Steps]
Parts = Mapping[str, Tracks]  # name of an error -> epochs that it is measured on


class Method(ABC):
    """An arm."""

    @abstractmethod
    def measure(self, run: Trial, train: Tracks, parts: Parts) -> Iterator[Measurement]:
        """What it learns from `train`, and its errors on `parts`."""


# --------------------------------------------------------------------------------------------------------- the network
def network_of(
    problem: Bodies, split: int, init: int, batches: int, epochs: int, steps: int, batch: int, scalar_lr: float,
    equivariance: str, third_law: bool,
) -> dict[str, np.ndarray]:  # fmt: skip
    """A trained network's masses, edges on the training epochs, and errors per body: a stage, shared by arms."""
    train, *others = problem.load(np.random.default_rng(split), epochs).split()
    law = train_law(
        train.pos, train.acc, equivariance=equivariance, third_law=third_law, steps=steps, batch=batch,
        scalar_lr=scalar_lr, seed=init, batch_seed=batches,
    )  # fmt: skip
    rows = edge_rows(law, train.pos)
    return {
        "log_mass": law.log_mass.detach().numpy(),
        "errors": np.stack([relative_errors(law_accelerations(law, part.pos), part.acc) for part in others]),
        "rows": np.stack([rows.log_r, rows.log_m_i, rows.log_m_j, rows.log_f, rows.weights]),
        "sign": np.array(rows.sign),
    }


@dataclass(frozen=True)
class Network(Method):
    """An edge network with learned masses.

    Attributes:
        scalar_lr: learning rate of the masses.
        equivariance, third_law: of the law.
        weighted: whether exponents are fitted to edges by their share of an acceleration, or to all alike.
        formula: whether a formula is searched for, and masses are fitted again with it.
    """

    scalar_lr: float = 0.1
    equivariance: str = "central"
    third_law: bool = True
    weighted: bool = True
    formula: bool = False

    def measure(self, run: Trial, train: Tracks, parts: Parts) -> Iterator[Measurement]:
        scale = run.scale
        found = run.stage(
            "network", network_of, problem=run.problem, split=run.seed("split"), init=run.seed("init"),
            batches=run.seed("batches"), epochs=scale.epochs, steps=scale.steps, batch=scale.batch,
            scalar_lr=self.scalar_lr, equivariance=self.equivariance, third_law=self.third_law,
        )  # fmt: skip
        log_r, log_m_i, log_m_j, log_f, weights = np.asarray(found["rows"])
        rows = EdgeRows(log_r, log_m_i, log_m_j, log_f, weights, float(found["sign"]))
        yield _exponents(rows.exponents(self.weighted))
        if not self.weighted:
            yield Scalar("exponent error, unweighted", float(np.abs(rows.exponents(False) - TRUE).max()))
        for name, errors in zip(parts, np.asarray(found["errors"]), strict=True):
            yield Scalar(name, float(errors.mean()))
        gm, log_mass = run.problem.masses(), np.asarray(found["log_mass"])
        off = (log_mass - log_mass[0])[1:] - np.log10(gm / gm[0])[1:]
        yield Scalar("network mass error", float(np.median(np.abs(off))))
        if not self.formula:
            return
        front, law = find_formula(rows, run.seed("formula"), scale.search)
        yield Curve("loss of the formulas", [c.complexity for c in front], [c.loss for c in front])
        yield Scalar("formula is Newton's", float(law == NEWTON))
        masses = fit_masses(train.pos, train.acc, law).values if is_proportional(law) else 10.0**log_mass
        yield _masses(run.problem, masses)
        yield _roll_out(run, law, masses)


def _exponents(found: np.ndarray) -> Scalar:
    return Scalar("exponent error", float(np.abs(found - TRUE).max()))


def _masses(problem: Bodies, masses: np.ndarray) -> Scalar:
    gm = problem.masses()
    return Scalar("mass error", float(np.abs(masses / masses[0] / (gm / gm[0]) - 1).max()))


def _roll_out(run: Trial, law: Law, masses: np.ndarray) -> Scalar:
    """Largest distance of a body from where it was, from a start in the test span; at most `LOST`."""
    there = run.problem.onward(run.scale.years)
    # The energy of a wrong law has no floor, and an adaptive step would shrink without end.
    integrator = "dop853" if law == NEWTON else "leapfrog"
    with np.errstate(over="ignore", invalid="ignore"):
        pos, _ = simulate(law, masses, there.pos[0], there.vel[0], there.jd - there.jd[0], integrator, 0.25)
        away = np.linalg.norm(pos - there.pos, axis=-1).max()
    return Scalar("roll-out error", float(min(away, LOST)) if np.isfinite(away) else LOST)


# ---------------------------------------------------------------------------------------------------------- baselines
def _errors(predict: Callable[[Tracks], np.ndarray], parts: Parts) -> Iterator[Measurement]:
    for name, part in parts.items():
        yield Scalar(name, float(relative_errors(predict(part), part.acc).mean()))


@dataclass(frozen=True)
class PowerLawFit(Method):
    """The free power law: exponents and masses by least squares of accelerations."""

    def measure(self, run: Trial, train: Tracks, parts: Parts) -> Iterator[Measurement]:
        found = fit_power_law(train.pos, train.acc)
        yield _exponents(np.array([found.law.r, found.law.m_i, found.law.m_j]))
        yield _masses(run.problem, found.masses)
        yield from _errors(lambda part: accelerations(part.pos, found.law, found.masses), parts)


@dataclass(frozen=True)
class LeastSquares(Method):
    """Newton's law is known; masses by linear least squares."""

    def measure(self, run: Trial, train: Tracks, parts: Parts) -> Iterator[Measurement]:
        masses = fit_masses(train.pos, train.acc).values
        yield _masses(run.problem, masses)
        yield from _errors(lambda part: accelerations(part.pos, NEWTON, masses), parts)
        yield _roll_out(run, NEWTON, masses)


@dataclass(frozen=True)
class Terms(Method):
    """SINDy: sparse sums of r^-1, r^-2 and r^-3 along every pair, without masses."""

    threshold: float = 1e-4

    def measure(self, run: Trial, train: Tracks, parts: Parts) -> Iterator[Measurement]:
        found = fit_pair_terms(train.pos, train.acc, threshold=self.threshold)
        yield from _errors(lambda part: found.accelerations(part.pos), parts)


@dataclass(frozen=True)
class Persistence(Method):
    """Every acceleration is that of the epoch before."""

    def measure(self, run: Trial, train: Tracks, parts: Parts) -> Iterator[Measurement]:
        for name, part in parts.items():
            yield Scalar(name, float(relative_errors(part.acc[:-1], part.acc[1:]).mean()))


def trial(run: Run[Method, Bodies, Steps]) -> Iterator[Measurement]:
    """Fit the arm to the training epochs, and measure what it found."""
    train, validation, test = run.problem.load(np.random.default_rng(run.seed("split")), run.scale.epochs).split()
    yield from run.arm.measure(run, train, {"validation error": validation, "acceleration error": test})


# -------------------------------------------------------------------------------------------------- what is declared
ON = "solar system"
RATES: Mapping[str, Any] = {"scalar_lr": (0.1, 0.03, 0.01)}
ONE = "one solar system, ten bodies, accelerations without noise; fresh epochs and initialisation"


# Some initialisations end with masses that fit accelerations badly (some 3 in 10): decided at n = 16.
def _network(about: str, **changes: Any) -> Arm:
    return Arm(Network(**changes), space=RATES, may_collapse=True, about=about)


def _as_tuned(about: str, reseed: int = 0, **changes: Any) -> Arm:
    return Arm(Network(**changes), tuned_as="edge network", reseed=reseed, may_collapse=True, about=about)


ARMS = {
    "edge network": _network("central forces, masses learned; then a formula", formula=True),
    "edge network, unweighted": _as_tuned("broken: all edges count alike, as in the paper", weighted=False),
    "augmented": _network("the paper's network of angles, rotated frames, noise", equivariance="augment"),
    "without third law": _network("each end's force is a function of its own", third_law=False),
    "power law": Arm(PowerLawFit(), deterministic=True, about="free exponents and masses, by least squares"),
    "least squares": Arm(LeastSquares(), deterministic=True, about="Newton's law is told; only masses are fitted"),
    "pair terms": Arm(
        Terms(), space={"threshold": (1e-4, 1e-3, 1e-5)}, deterministic=True, about="SINDy: sparse terms, no masses"
    ),
    "persistence": Arm(Persistence(), deterministic=True, about="the acceleration of the epoch before"),
    "edge network, other seeds": _as_tuned("control: the same epochs, other start and batches", reseed=1),
}
METRICS = {
    "exponent error": Metric(higher_is_better=False, about="largest error of the exponents of r, m_i, m_j"),
    "exponent error, unweighted": Metric(about="the same with all edges alike: how far off that is"),
    "formula is Newton's": Metric(about="1 where the formula of the highest score has slopes within 0.05 of Newton's"),
    "mass error": Metric(higher_is_better=False, about="largest relative error of a mass, the Sun's = 1"),
    "network mass error": Metric("dex", higher_is_better=False, about="median over bodies, before the formula"),
    "acceleration error": Metric(higher_is_better=False, about="relative rms on the test epochs, mean over bodies"),
    "validation error": Metric(higher_is_better=False, about="the same on validation epochs; arms are tuned by it"),
    "roll-out error": Metric("AU", higher_is_better=False, about="largest over bodies and two years"),
}
EXPONENTS: dict[str, Any] = {"metric": "exponent error", "on": ON}


def _headline(arm: str, **options: Any) -> Better:
    return Better(arm, than=0.05, **EXPONENTS, **options)


CLAIMS = (
    _headline(
        "edge network",
        role="headline",
        text="the law that the network learned, edges weighted by their share of an acceleration, has Newton's "
        "exponents to within 0.05",
        scope=ONE,
        published="none; the paper says: Newton's law is the formula that symbolic regression finds",
        source="abstract",
    ),
    Better(
        "edge network, unweighted", than=0.3, metric="exponent error, unweighted", on=ON,
        text="fitted to all edges alike, as in the paper, exponents are off by at least 0.3",
    ),
    Better(
        "edge network", than=2 / 3, metric="formula is Newton's", on=ON,
        text="the formula of the highest score is Newton's law in more than two thirds of all replicates",
        published="nine of ten searches", source="plotting data of the reference code",
    ),
    Better(
        "edge network", than=1e-3, metric="mass error", on=ON,
        text="with the formula that was found, every mass is right to 1e-3 (the Sun's = 1)",
    ),
    Better(
        "edge network", than=1e-3, metric="roll-out error", on=ON,
        text="with formula and masses that were found, bodies are within 1e-3 AU of their places for two years",
    ),
    Better("edge network", than="power law", **EXPONENTS),
    Better("edge network", than="augmented", **EXPONENTS),
    Better("edge network", than="without third law", **EXPONENTS),
    Better("edge network", than="pair terms", metric="acceleration error", on=ON),
    NotTestable(
        text="31 bodies over 30 years, every 30 minutes: Newton's law is the best formula, and masses come out",
        reason="the tables of JPL Horizons are a download of gigabytes, and training takes a GPU",
    ),
    Better("power law", than=0.05, role="control", expect="found", **EXPONENTS),
    Differs("edge network", "edge network, other seeds", role="control", expect="not found", **EXPONENTS),
    _headline(
        "edge network, unweighted", role="control", expect="not found",
        text="the headline with the unweighted fit in its place",
    ),
)  # fmt: skip

SHORT = ("edge network", "edge network, unweighted", "power law", "least squares")
experiment = Experiment(
    question="Is the law that a network learns between Sun and planets Newton's, where its masses were not told?",
    problems={ON: SolarSystem(), "31 bodies": Horizons()},
    arms=ARMS,
    metrics=METRICS,
    scales={
        "smoke": Steps(epochs=60, steps=5, search=Operon(population=20, generations=2), years=0.05, replicates=1,
                       problems=(ON,)),
        "pilot": Steps(search=Operon(population=20, generations=2), years=0.05, replicates=2, problems=(ON,)),
        "demo": Steps(problems=(ON,), arms=SHORT),
        "small": Steps(problems=(ON,)),
        "full": Steps(epochs=532_000, steps=1_000_000, problems=("31 bodies",), slow=True, status="not yet run",
                      arms=(*SHORT, "augmented")),
    },
    claims=CLAIMS,
    trial=trial,
    tuning=Tuning("validation error", problem=ON, configurations=3, pilots=2, scale="pilot"),
    benefit="exponent error",
)  # fmt: skip
