"""Accelerations of bodies by a form that is given: masses of a known law, a free power law, terms of pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.data.synthetic.bodies import (
    NEWTON,
    Law,
    PowerLaw,
    accelerations,
    check_tracks,
    is_proportional,
    pulls,
)
from holdfast.errors import InputError
from holdfast.validation import check_array

LN10 = float(np.log(10))
STARTS = (-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0)  # exponents of r to begin with
LEAST = 1e-10  # of the largest mass, to begin with, where linear least squares gives none
HUGE = 100.0  # log10 of the largest force, so that squares of it are finite


@dataclass(frozen=True, eq=False)
class Masses:
    """Masses of bodies under a law.

    Attributes:
        values: (N,), in units in which the law's constant is what it is; for `NEWTON` G times mass.
        sd: (N,) standard errors, as far as residuals are alike and independent.
        covariance: (N, N).
        error: relative rms of the residuals.
    """

    values: np.ndarray
    sd: np.ndarray
    covariance: np.ndarray
    error: float


def _checked(pos: Any, acc: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions and accelerations, and the rms acceleration (N,) of each body."""
    x, a = check_tracks(pos), check_array(np.asarray(acc, dtype=np.float64), "T N D", name="acc")
    if a.shape != x.shape:
        raise InputError("acc", f"must be of the positions' shape {x.shape}", f"{a.shape}")
    rms = np.sqrt(np.square(a).sum(-1).mean(0))
    if (rms == 0).any():
        raise InputError("acc", "must not be all zero for a body", f"body {int((rms == 0).argmax())}")
    return x, a, rms


def fit_masses(pos: Any, acc: Any, law: Law = NEWTON) -> Masses:
    """Masses of bodies under a law that is proportional to both masses, by linear least squares.

    Each body's rows are divided by its rms acceleration, so that slow bodies count as much as fast ones.

    Args:
        pos: (T, N, D).
        acc: (T, N, D).
        law: (r, m_i, m_j) -> force.

    Raises:
        InputError: the force is not proportional to both masses.

    Example:
        >>> pos = np.random.default_rng(0).normal(size=(9, 3, 3))
        >>> fit_masses(pos, accelerations(pos, NEWTON, np.array([1.0, 0.1, 0.02]))).values.round(9).tolist()
        [1.0, 0.1, 0.02]
    """
    x, a, rms = _checked(pos, acc)
    if not is_proportional(law):
        raise InputError("law", "must be proportional to both masses; fit_power_law takes others", type(law).__name__)
    rows = (pulls(x, law) / rms[:, None, None]).transpose(0, 1, 3, 2).reshape(-1, x.shape[1])
    target = (a / rms[:, None]).ravel()
    size = np.linalg.norm(rows, axis=0)
    found = np.linalg.lstsq(rows / size, target, rcond=None)[0] / size
    left = target - rows @ found
    variance = float(left @ left) / (len(rows) - rows.shape[1])
    scaled = rows / size
    covariance = variance * np.linalg.pinv(scaled.T @ scaled) / np.outer(size, size)
    return Masses(
        found, np.sqrt(np.diag(covariance)), covariance, float(np.sqrt(np.square(left).sum() / (target @ target)))
    )


@dataclass(frozen=True, eq=False)
class PowerFit:
    """A free power law and its masses.

    Attributes:
        law: with exponents of r, m_i and m_j; its constant is 1 or -1, since masses have units of their own.
        masses: (N,).
        error: mean over bodies of the relative squared error, its root.
    """

    law: PowerLaw
    masses: np.ndarray
    error: float


def fit_power_law(pos: Any, acc: Any) -> PowerFit:
    """The law m_i^alpha m_j^beta r^gamma between each pair i > j (equal and opposite), exponents and masses free.

    Nonlinear least squares (trust region, exact Jacobian) of accelerations, each body's divided by its rms, begun at
    alpha = beta = 1, the best gamma there, and the masses that go with it.

    Args:
        pos: (T, N, D).
        acc: (T, N, D).

    Example:
        >>> pos = np.random.default_rng(0).normal(size=(30, 3, 3))
        >>> found = fit_power_law(pos, accelerations(pos, PowerLaw(r=-1.5), np.array([1.0, 0.5, 0.2])))
        >>> [round(x, 4) for x in (found.law.r, found.law.m_i, found.law.m_j)]
        [-1.5, 1.0, 1.0]
    """
    from scipy.optimize import least_squares, minimize_scalar

    x, a, rms = _checked(pos, acc)

    def error(gamma: float) -> float:
        return fit_masses(x, a, PowerLaw(r=gamma)).error

    first = min(STARTS, key=error)
    gamma = minimize_scalar(error, bounds=(first - 1, first + 1), method="bounded").x
    masses = fit_masses(x, a, PowerLaw(r=gamma)).values
    sign = 1.0 if masses[np.abs(masses).argmax()] > 0 else -1.0
    form = _PowerForm(x, a, rms, sign)
    start = np.log10(np.maximum(sign * masses, LEAST * np.abs(masses).max()))
    done = least_squares(form.residuals, [*start, gamma, 1.0, 1.0], form.jacobian, x_scale="jac", max_nfev=100)
    law = PowerLaw(sign, *(float(e) for e in done.x[-3:]))
    return PowerFit(law, 10.0 ** done.x[:-3], float(np.sqrt(2 * done.cost / (len(x) * x.shape[1]))))


class _PowerForm:
    """Residuals of a power law and their derivatives, by parameters (log10 masses, gamma, alpha, beta)."""

    def __init__(self, pos: np.ndarray, acc: np.ndarray, rms: np.ndarray, sign: float) -> None:
        self.i, self.j = np.tril_indices(pos.shape[1], -1)
        self.at_i, self.at_j = (np.eye(pos.shape[1])[:, end] for end in (self.i, self.j))  # (N, E)
        d = pos[:, self.j] - pos[:, self.i]
        r = np.linalg.norm(d, axis=-1)
        self.unit, self.log_r = sign * d / r[..., None], np.log10(r)
        self.target, self.rms = acc / rms[:, None], rms

    def residuals(self, at: np.ndarray) -> np.ndarray:
        on_i, on_j = self._ends(at)
        return (self.at_i @ on_i + self.at_j @ on_j - self.target).ravel()

    def _ends(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What each edge adds to both ends, divided by their rms accelerations: (T, E, D) twice."""
        mass, (gamma, alpha, beta) = at[:-3], at[-3:]
        log_f = gamma * self.log_r + alpha * mass[self.i] + beta * mass[self.j]
        on_i = 10.0 ** np.minimum(log_f - mass[self.i], HUGE) / self.rms[self.i]
        on_j = 10.0 ** np.minimum(log_f - mass[self.j], HUGE) / self.rms[self.j]
        return on_i[..., None] * self.unit, -on_j[..., None] * self.unit

    def jacobian(self, at: np.ndarray) -> np.ndarray:
        mass, (_, alpha, beta) = at[:-3], at[-3:]
        on_i, on_j = self._ends(at)
        columns = []
        for of_i, of_j in zip(self.at_i, self.at_j, strict=True):
            of_force = (alpha * of_i + beta * of_j)[:, None]
            columns.append(
                self.at_i @ (on_i * (of_force - of_i[:, None])) + self.at_j @ (on_j * (of_force - of_j[:, None]))
            )
        for factor in (self.log_r, mass[self.i], mass[self.j]):
            wide = np.broadcast_to(factor, self.log_r.shape)[..., None]
            columns.append(self.at_i @ (on_i * wide) + self.at_j @ (on_j * wide))
        return LN10 * np.stack([column.ravel() for column in columns], 1)


@dataclass(frozen=True, eq=False)
class PairTerms:
    """Accelerations as sparse sums of pair terms (SINDy): no masses, no third law.

    Attributes:
        powers: of the distance.
        coefficients: (N, N, K), of the term r^power of body j in the acceleration of body i.
    """

    powers: tuple[int, ...]
    coefficients: np.ndarray

    def accelerations(self, pos: np.ndarray) -> np.ndarray:
        """(T, N, D) at positions (T, N, D)."""
        terms = np.stack([pulls(pos, PowerLaw(r=power)) for power in self.powers], -1)
        return np.einsum("tijdk,ijk->tid", terms, self.coefficients)


def fit_pair_terms(pos: Any, acc: Any, powers: tuple[int, ...] = (-1, -2, -3), threshold: float = 1e-4) -> PairTerms:
    """Sequentially thresholded least squares, body by body, of terms r^power along the line to every other body.

    Args:
        pos: (T, N, D).
        acc: (T, N, D).
        powers: of the distance.
        threshold: terms whose rms is below this share of the body's rms acceleration are dropped, until none is.

    Source: Brunton, Proctor and Kutz, 2016 (SINDy), with terms of pairs in the library.
    """
    x, a, rms = _checked(pos, acc)
    terms = np.stack([pulls(x, PowerLaw(r=power)) for power in powers], -1)
    times, bodies, _, dims, count = terms.shape
    found = np.zeros((bodies, bodies, count))
    for body in range(bodies):
        rows = terms[:, body].transpose(0, 2, 1, 3).reshape(times * dims, -1)
        target = a[:, body].ravel()
        size = np.sqrt(np.square(rows).sum(0) / times)
        kept = size > 0
        coefficients = np.zeros(rows.shape[1])
        while True:
            coefficients[:] = 0
            scaled = rows[:, kept] / size[kept]
            coefficients[kept] = np.linalg.lstsq(scaled, target, rcond=None)[0] / size[kept]
            weak = kept & (np.abs(coefficients) * size < threshold * rms[body])
            if not weak.any():
                break
            kept &= ~weak
        found[body] = coefficients.reshape(bodies, count)
    return PairTerms(powers, found)


def relative_errors(predicted: np.ndarray, acc: np.ndarray) -> np.ndarray:
    """(N,): rms error of each body's acceleration over the rms of the acceleration, from (T, N, D) twice."""
    return np.sqrt(np.square(predicted - acc).sum((0, 2)) / np.square(acc).sum((0, 2)))


__all__ = [
    "Masses",
    "PairTerms",
    "PowerFit",
    "accelerations",
    "fit_masses",
    "fit_pair_terms",
    "fit_power_law",
    "relative_errors",
]
