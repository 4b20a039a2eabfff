"""Bodies that act on each other in pairs by a given law: accelerations, and motion from a start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.data.series.derivatives import check_times
from holdfast.errors import InputError
from holdfast.validation import check_array, check_choice, check_positive

Law = Callable[[Any, Any, Any], Any]  # (r, m_i, m_j) -> force, positive where bodies attract each other


@dataclass(frozen=True)
class PowerLaw:
    """The force constant r^r m_i^m_i m_j^m_j; positive attracts.

    Example:
        >>> PowerLaw()(2.0, 3.0, 4.0)
        3.0
    """

    constant: float = 1.0
    r: float = -2.0
    m_i: float = 1.0
    m_j: float = 1.0

    def __call__(self, r: Any, m_i: Any, m_j: Any) -> Any:
        return self.constant * r**self.r * m_i**self.m_i * m_j**self.m_j


NEWTON = PowerLaw()  # masses are then G times mass


def is_proportional(law: Law) -> bool:
    """Whether the force is proportional to both masses, so that accelerations are linear in the masses.

    Example:
        >>> is_proportional(NEWTON), is_proportional(PowerLaw(m_i=0.5))
        (True, False)
    """
    r = np.array([0.3, 1.7, 40.0])
    one = np.asarray(law(r, 1.0, 1.0))
    return all(np.allclose(law(r, a, b), a * b * one, rtol=1e-9, atol=0) for a, b in ((2.0, 3.0), (0.5, 40.0)))


def check_tracks(pos: Any, name: str = "pos", times: Any = None, bodies: Sequence[str] | None = None) -> np.ndarray:
    """Positions (T, N, D) float64 of at least two bodies (with names, if they have any), no two in one place.

    Raises:
        InputError: names the pair that coincides, and when.
    """
    x = check_array(np.asarray(pos, dtype=np.float64), "T N D", name=name)
    if x.shape[1] < 2:
        raise InputError(name, "must have at least two bodies", f"{x.shape[1]}")
    if not 2 <= x.shape[2] <= 3:
        raise InputError(name, "must have two or three coordinates", f"{x.shape[2]}")
    i, j = np.tril_indices(x.shape[1], -1)
    same = (x[:, i] == x[:, j]).all(-1)
    if same.any():
        row, edge = np.argwhere(same)[0]
        when = f"row {row}" if times is None else f"time {np.asarray(times)[row]:.10g}"
        one, other = (end[edge] if bodies is None else bodies[end[edge]] for end in (j, i))
        raise InputError(name, "must be different for different bodies", f"{one} and {other} coincide at {when}")
    return x


def _separations(pos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From body i to body j: vectors (..., N, N, D) and distances (..., N, N), 1 on the diagonal."""
    d = pos[..., None, :, :] - pos[..., :, None, :]
    r = np.sqrt(np.einsum("...k,...k->...", d, d))
    index = np.arange(r.shape[-1])
    r[..., index, index] = 1.0
    return d, r


def pulls(pos: np.ndarray, law: Law) -> np.ndarray:
    """(..., N, N, D): what mass 1 at body j adds to body i's acceleration, by a law proportional to both masses."""
    d, r = _separations(pos)
    return (law(r, 1.0, 1.0) / r)[..., None] * d


def accelerations(pos: np.ndarray, law: Law, masses: np.ndarray) -> np.ndarray:
    """Accelerations (..., N, D) of bodies at positions (..., N, D).

    Example:
        >>> accelerations(np.array([[0.0, 0.0], [2.0, 0.0]]), NEWTON, np.array([4.0, 8.0])).tolist()
        [[2.0, 0.0], [-1.0, 0.0]]
    """
    if is_proportional(law):
        return np.einsum("...ijk,j->...ik", pulls(pos, law), masses)
    return _of_forces(pos, law, masses)


def _of_forces(pos: np.ndarray, law: Law, masses: np.ndarray) -> np.ndarray:
    """By the forces themselves; the law is asked once per pair, receiver i > sender j, as the edge function is."""
    if (masses <= 0).any():
        raise InputError(
            "masses", "must be positive where the force is not proportional to them", f"{masses.min():.3g}"
        )
    d, r = _separations(pos)
    force = np.tril(law(r, masses[:, None], masses[None, :]), -1)
    force = force + np.swapaxes(force, -1, -2)
    return np.einsum("...ijk,...ij->...ik", d, force / r) / masses[:, None]


def simulate(
    law: Law, masses: Any, x0: Any, v0: Any, t: Any, integrator: str = "dop853", step: float = 0.0625
) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities at times, from a start at the first of them.

    Args:
        law: (r, m_i, m_j) -> force, positive where bodies attract each other.
        masses: (N,), for `NEWTON` G times mass.
        x0, v0: (N, D) at t[0].
        t: (T,) increasing times.
        integrator: "dop853" (eighth order, relative error 1e-10 a step) or "leapfrog" (symplectic, second order).
        step: largest step of the leapfrog, in units of time: a sixteenth of a day keeps Mercury within 2.5e-4 AU in two
            years.

    Returns:
        Positions and velocities, (T, N, D) each.

    Example:
        >>> x, v = np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([[0.0, 0.0], [0.0, 1.0]])
        >>> there, _ = simulate(NEWTON, [1.0, 1e-9], x, v, [0.0, 2 * np.pi])
        >>> bool(np.abs(there[-1] - x).max() < 1e-6)
        True
    """
    times = check_times(t, least=2)
    x = check_tracks(np.asarray(x0, dtype=np.float64)[None], "x0")[0]
    v = check_array(np.asarray(v0, dtype=np.float64), "N D", name="v0")
    m = check_array(np.asarray(masses, dtype=np.float64), "N", name="masses")
    if v.shape != x.shape or len(m) != len(x):
        raise InputError("v0", f"must be of shape {x.shape}, with {len(x)} masses", f"{v.shape}, {len(m)} masses")
    check_choice(integrator, ("dop853", "leapfrog"), "integrator")
    linear = is_proportional(law)

    def acc(at: np.ndarray) -> np.ndarray:
        return np.einsum("ijk,j->ik", pulls(at, law), m) if linear else _of_forces(at, law, m)

    if integrator == "leapfrog":
        return _leapfrog(acc, x, v, times, check_positive(step, "step"))
    return _dop853(acc, x, v, times)


def _leapfrog(acc: Any, x: np.ndarray, v: np.ndarray, t: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Kick, drift, kick; equal steps between two of the times."""
    xs, vs, a = [x], [v], acc(x)
    for gap in np.diff(t):
        count = int(np.ceil(gap / step - 1e-9))
        h = gap / count
        for _ in range(count):
            v = v + h / 2 * a
            x = x + h * v
            a = acc(x)
            v = v + h / 2 * a
        xs.append(x)
        vs.append(v)
    return np.stack(xs), np.stack(vs)


def _dop853(acc: Any, x: np.ndarray, v: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.integrate import solve_ivp

    size = x.size

    def moved(_: float, y: np.ndarray) -> np.ndarray:
        return np.concatenate([y[size:], acc(y[:size].reshape(x.shape)).ravel()])

    start = np.concatenate([x.ravel(), v.ravel()])
    small = 1e-12 * np.abs(start).max()
    done = solve_ivp(moved, (t[0], t[-1]), start, method="DOP853", t_eval=t, rtol=1e-10, atol=small)
    if not done.success:
        raise InputError("t", "must not go beyond where bodies meet", f"{done.message} at {done.t[-1]:.10g}")
    return done.y[:size].T.reshape(-1, *x.shape), done.y[size:].T.reshape(-1, *x.shape)


__all__ = ["NEWTON", "Law", "PowerLaw", "accelerations", "check_tracks", "is_proportional", "pulls", "simulate"]
