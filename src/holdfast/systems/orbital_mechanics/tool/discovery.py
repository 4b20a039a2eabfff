"""From tracks of bodies to a law and masses: train, read the edges, find a formula, fit the masses again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from holdfast.baselines.pairwise import Masses, PowerFit, fit_masses, fit_power_law, relative_errors
from holdfast.data.batches import Batches
from holdfast.data.synthetic.bodies import Law, is_proportional, prepare, simulate
from holdfast.devices import check_device, torch_threads
from holdfast.errors import InputError
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.orbital_mechanics.method import LawLearner, PairwiseLaw, exponents, pairs, share_weights
from holdfast.systems.orbital_mechanics.tool.symbolic import (
    NAMES,
    Candidate,
    FormulaLaw,
    Operon,
    Regressor,
    as_power_law,
    best,
    evaluate,
    operon_regressor,
    scored,
)
from holdfast.training import fit
from holdfast.validation import check_choice, check_integer, check_positive

Progress = Callable[[int, int], None]
CLIP = 1.0  # of the gradient
ROWS = 1000  # drawn for the formula
OPERON = Operon()


@dataclass(frozen=True, eq=False)
class EdgeRows:
    """What the edges of a trained law do at some times; all (T * E,), all logarithms to base 10.

    Attributes:
        log_r, log_m_i, log_m_j, log_f: distance, masses of receiver and sender, size of the force.
        weights: shares of the edge in its ends' accelerations.
        sign: 1 where forces attract, by weight, else -1.
    """

    log_r: np.ndarray
    log_m_i: np.ndarray
    log_m_j: np.ndarray
    log_f: np.ndarray
    weights: np.ndarray
    sign: float

    @property
    def inputs(self) -> np.ndarray:
        """(T * E, 3): log m_i, log m_j, log r."""
        return np.stack([self.log_m_i, self.log_m_j, self.log_r], 1)

    def exponents(self, weighted: bool = True) -> np.ndarray:
        """Exponents (r, m_i, m_j) of the nearest power law."""
        weights = self.weights if weighted else None
        return exponents(self.log_r, self.log_m_i, self.log_m_j, self.log_f, weights)

    def drawn(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Inputs (count, 3) and targets (count,), rows drawn by weight, the bodies swapped in half of them."""
        rows = rng.choice(len(self.weights), count, p=self.weights / self.weights.sum())
        x = self.inputs[rows]
        swap = rng.random(count) < 0.5
        x[swap, 0], x[swap, 1] = x[swap, 1], x[swap, 0]
        return x, self.log_f[rows]


def train_law(
    pos: np.ndarray,
    acc: np.ndarray,
    *,
    equivariance: str = "central",
    third_law: bool = True,
    steps: int = 2500,
    batch: int = 16,
    lr: float = 3e-3,
    scalar_lr: float = 0.1,
    seed: int = 0,
    batch_seed: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> PairwiseLaw:
    """Train an edge network and the masses on accelerations (T, N, D); returned in float64, in evaluation mode.

    Arguments are those of `PairwiseLaw` and `discover_law`; `seed` is of the initialisation, `batch_seed` of the order
    of times and of the augmentation (None = by `seed`).
    """
    i, j = pairs(pos.shape[1])
    log_r = np.log10(np.linalg.norm(pos[:, j] - pos[:, i], axis=-1))
    width = max(float(np.ptp(log_r)), 1e-3)
    with seeded(seed):
        law = PairwiseLaw(
            pos.shape[1],
            equivariance=equivariance,
            third_law=third_law,
            log_r=(float(log_r.min()), float(log_r.min()) + width),
            scale=float(acc.std()),
        )
    order = derived_seed(seed, "batches") if batch_seed is None else batch_seed
    rows = {"pos": torch.from_numpy(pos).float(), "acc": torch.from_numpy(acc / law.scale).float()}
    law.scale, scale = 1.0, law.scale  # targets of size 1 while float32 is used
    with torch_threads(1):  # threads that wait for each other make steps of a small network slower
        fit(
            LawLearner(law, lr, scalar_lr),
            Batches(rows, min(batch, len(pos)), order),
            steps=steps,
            seed=order,
            clip=CLIP,
            device=check_device(device),
            on_step=progress,
            log_every=max(1, steps // 50),
        )
    law.scale = scale
    return law.cpu().double().eval()


@torch.no_grad()
def edge_rows(law: PairwiseLaw, pos: np.ndarray) -> EdgeRows:
    """Distances, masses, forces and shares of all edges at positions (T, N, D)."""
    i, j = pairs(pos.shape[1])
    x = torch.from_numpy(pos)
    d = x[:, j] - x[:, i]
    z_i, z_j = (law.scalars[index].expand(len(x), -1, -1) for index in (i, j))
    vectors = law.scale * law.forces(d, z_i, z_j)
    size, r = vectors.norm(dim=-1).numpy(), d.norm(dim=-1)
    weights = share_weights(size, 10.0 ** law.log_mass.numpy())
    along = ((vectors * d).sum(-1) / r).numpy()
    log_m = [z[..., 0].numpy() for z in (z_i, z_j)]
    floor = np.log10(np.maximum(size, np.finfo(float).tiny))
    log_r, m_i, m_j, log_f = (array.ravel() for array in (r.log10().numpy(), *log_m, floor))
    sign = 1.0 if (weights * along / size).sum() >= 0 else -1.0
    return EdgeRows(log_r, m_i, m_j, log_f, weights.ravel(), sign)


@torch.no_grad()
def law_accelerations(law: PairwiseLaw, pos: np.ndarray) -> np.ndarray:
    """Accelerations (T, N, D) by a trained law."""
    return law(torch.from_numpy(pos)).numpy()


def find_formula(
    rows: EdgeRows, seed: int, regressor: Regressor = OPERON, count: int = ROWS
) -> tuple[list[Candidate], Law]:
    """The Pareto front of formulas for the force, and the law of the one with the highest score.

    The law is a power law with whole or half exponents where the formula is one to within 0.05 everywhere in the range
    of the rows; else the formula as it is.
    """
    x, y = rows.drawn(count, np.random.default_rng(seed))
    front = scored(regressor(x, y, derived_seed(seed, "formula") % 2**31))
    if not front:
        raise InputError("regressor", "must give at least one formula", "none")
    chosen = best(front).formula
    power = as_power_law(chosen, x.min(0), x.max(0), rows.sign)
    return front, power or FormulaLaw(chosen, rows.sign)


@dataclass(frozen=True, eq=False)
class LawResult:
    """A law that was found, and the masses under it.

    Attributes:
        law: of (r, m_i, m_j), positive where bodies attract each other.
        scalars: masses (N,); for a law that is proportional to both masses fitted again with it, else the network's.
        sd: (N,) their standard errors; NaN where they are the network's.
        refit: the fit of the masses, or None where they are the network's.
        pareto: formulas, simplest first; empty with regressor="power".
        network_masses: (N,) of the network, up to a common factor.
        network_errors: (N,) relative error of the network's accelerations, per body.
        power: the free power law, fitted without a network.
        rows: what the edges learned; `rows.exponents()` are those of the nearest power law, (r, m_i, m_j).
        network: the trained law.
    """

    law: Law
    scalars: np.ndarray
    sd: np.ndarray
    refit: Masses | None
    pareto: list[Candidate]
    network_masses: np.ndarray
    network_errors: np.ndarray
    power: PowerFit
    rows: EdgeRows
    network: PairwiseLaw

    @property
    def formula(self) -> str:
        """log10 |F| by log10 masses and distance."""
        return best(self.pareto).formula if self.pareto else ""

    @property
    def formula_sympy(self) -> Any:
        """`formula` as an expression of sympy, expanded."""
        import sympy  # type: ignore[import-untyped]

        return sympy.expand(evaluate(self.formula, sympy.symbols(NAMES)))

    @property
    def score(self) -> float:
        """Of the formula: fall of the logarithm of the loss per node."""
        return best(self.pareto).score if self.pareto else 0.0

    def simulate(self, x0: Any, v0: Any, t: Any, **how: Any) -> tuple[np.ndarray, np.ndarray]:
        """Positions and velocities at times `t` from a start, as `simulate` gives them."""
        return simulate(self.law, self.scalars, x0, v0, t, **how)


def check_regressor(regressor: str | Regressor) -> Regressor | None:
    """The search that is meant by "operon", by "power" (None), or by a callable, before any work is done.

    Raises:
        InputError: another word.
        MissingExtra: pyoperon is wanted and not installed.
    """
    if not isinstance(regressor, str):
        return regressor
    check_choice(regressor, ("operon", "power"), "regressor")
    if regressor == "power":
        return None
    operon_regressor()
    return OPERON


def discover_law(
    t: Any,
    pos: Any,
    vel: Any = None,
    acc: Any = None,
    *,
    regressor: str | Regressor = "operon",
    equivariance: str = "central",
    steps: int = 2500,
    batch: int = 16,
    lr: float = 3e-3,
    scalar_lr: float = 0.1,
    starts: int = 4,
    seed: int = 0,
    device: str = "cpu",
    power: PowerFit | None = None,
    progress: Progress | None = None,
) -> LawResult:
    """Find the law by which bodies pull on each other, and their masses, from tracks.

    Args:
        t: (T,) increasing times; they need not be equally spaced.
        pos: (T, N, D) positions of N >= 2 bodies in 2 or 3 dimensions.
        vel: (T, N, D) velocities, if known: accelerations are then much better.
        acc: (T, N, D) accelerations, if known.
        regressor: "operon" (pyoperon), "power" (the nearest power law, no search), or a callable (inputs, targets,
            seed) -> candidates.
        equivariance: "central" (forces along the line between two bodies), or the paper's "augment", or "none".
        steps: of training.
        batch: times per step.
        lr: learning rate of the network.
        scalar_lr: learning rate of the log masses.
        starts: initialisations that are tried for a quarter of the steps; the best is trained. One in four fails.
        seed: of initialisation, order and search.
        device: "cpu", "cuda", ...
        power: the free power law, if it has been fitted already.
        progress: called with (steps done, steps).

    Raises:
        InputError: times that do not increase, fewer than 3, bodies in one place (says which and when), wrong shapes.
        MissingExtra: pyoperon is wanted and not installed.
        Diverged: the loss became NaN or infinite.

    Example:
        >>> from holdfast.systems.orbital_mechanics import NEWTON, simulate
        >>> t = np.linspace(0, 3, 200)
        >>> x, v = simulate(NEWTON, [1.0, 0.2], [[0, 0, 0], [1.0, 0, 0]], [[0, 0, 0], [0, 1.0, 0.2]], t)
        >>> found = discover_law(t, x, v, regressor="power", steps=20, starts=1)
        >>> round(found.power.law.r, 2)
        -2.0
    """
    x, a = prepare(t, pos, vel, acc)
    search = check_regressor(regressor)
    check_choice(equivariance, ("central", "augment", "none"), "equivariance")
    if equivariance != "central" and x.shape[2] != 3:
        raise InputError("equivariance", "must be central where positions have two coordinates", equivariance)
    for name, value in (("steps", steps), ("batch", batch), ("starts", starts)):
        check_integer(value, name, low=1)
    check_positive(lr, "lr")
    check_positive(scalar_lr, "scalar_lr")
    power = fit_power_law(x, a) if power is None else power
    how: dict[str, Any] = {"equivariance": equivariance, "batch": batch, "lr": lr, "scalar_lr": scalar_lr}
    how["device"] = device
    seed = _best_start(x, a, starts, max(1, steps // 4), seed, progress, **how)
    network = train_law(x, a, steps=steps, seed=seed, progress=progress, **how)
    rows = edge_rows(network, x)
    front, law = ([], _nearest_power(rows)) if search is None else find_formula(rows, seed, search)
    masses = 10.0 ** network.log_mass.detach().numpy()
    refit = fit_masses(x, a, law) if is_proportional(law) else None
    scalars, sd = (masses, np.full(len(masses), np.nan)) if refit is None else (refit.values, refit.sd)
    errors = relative_errors(law_accelerations(network, x), a)
    return LawResult(law, scalars, sd, refit, front, masses, errors, power, rows, network)


def _best_start(
    x: np.ndarray, a: np.ndarray, starts: int, steps: int, seed: int, progress: Progress | None, **how: Any
) -> int:
    """The seed, of `starts` following ones, whose network errs least on every fifth time, which it never saw."""
    held = np.arange(len(x)) % 5 == 4
    if starts == 1 or not held.any():
        return seed

    def error(tried: int) -> float:
        law = train_law(x[~held], a[~held], steps=steps, seed=tried, progress=progress, **how)
        return float(relative_errors(law_accelerations(law, x[held]), a[held]).mean())

    return min(range(seed, seed + starts), key=error)


def _nearest_power(rows: EdgeRows) -> Law:
    """The power law of the weighted exponents, rounded to halves where they are near, with the constant that fits."""
    gamma, alpha, beta = rows.exponents()
    linear = f"{alpha} * log_m_i + {beta} * log_m_j + {gamma} * log_r"
    left = rows.log_f - (alpha * rows.log_m_i + beta * rows.log_m_j + gamma * rows.log_r)
    constant = float(np.average(left, weights=rows.weights))
    x = rows.inputs
    return as_power_law(linear, x.min(0), x.max(0), rows.sign) or FormulaLaw(f"{linear} + {constant}", rows.sign)


__all__ = ["EdgeRows", "LawResult", "check_regressor", "discover_law", "edge_rows", "find_formula", "train_law"]
