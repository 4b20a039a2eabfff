"""Accelerations from positions or velocities at any increasing times, by local polynomials."""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_array, check_integer


def finite_difference_acceleration(t: Any, pos: Any = None, vel: Any = None, order: int = 4) -> np.ndarray:
    """Accelerations at times `t`, from velocities where they are given, else from positions.

    At each time a polynomial goes through its nearest neighbours in time (`order` + 1 of them for velocities, one more
    for positions), and is differentiated there. On equal steps these are the central differences of that order; at both
    ends and on unequal steps they are the same formulas for one-sided and uneven stencils (Fornberg's weights).

    Args:
        t: (T,) increasing times, equally spaced or not.
        pos: (T, ...) positions; None if `vel` is given.
        vel: (T, ...) velocities.
        order: of the error in the step; fewer times than the stencil needs lower it.

    Returns:
        (T, ...) float64, in units of `pos` per time squared or `vel` per time.

    Raises:
        InputError: times that do not increase, fewer than 3, or neither positions nor velocities.

    Example:
        >>> t = np.array([0.0, 0.1, 0.25, 0.3, 0.5, 0.6, 0.8])
        >>> finite_difference_acceleration(t, pos=t**3).round(6).tolist() == (6 * t).round(6).tolist()
        True
    """
    times = check_times(t)
    check_integer(order, "order", low=1)
    name, given, derivative = ("pos", pos, 2) if vel is None else ("vel", vel, 1)
    if given is None:
        raise InputError("pos", "must be given where vel is not", None)
    values = np.asarray(given, dtype=np.float64)
    if len(values) != len(times):
        raise InputError(name, f"must have a row for each of the {len(times)} times", f"{len(values)} rows")
    flat = check_array(values.reshape(len(times), -1), "T K", name=name)
    points = min(order + derivative, len(times))
    first = np.clip(np.arange(len(times)) - points // 2, 0, len(times) - points)
    first = _nearest(times, first, points)
    window = first[:, None] + np.arange(points)
    weights = stencil_weights(times[window] - times[:, None], derivative)
    # Differences to the value itself lose no digits, and weights of a derivative sum to nothing.
    return np.einsum("tw,twk->tk", weights, flat[window] - flat[:, None]).reshape(values.shape)


def last_velocity(t: np.ndarray, pos: np.ndarray, order: int = 4) -> np.ndarray:
    """Velocity (...) at the last of times (T,), from the last `order` + 1 of positions (T, ...).

    Example:
        >>> t = np.array([0.0, 0.1, 0.3, 0.4, 0.6])
        >>> round(float(last_velocity(t, t**4)), 9) == round(4 * 0.6**3, 9)
        True
    """
    points = min(order + 1, len(t))
    weights = stencil_weights(t[-points:] - t[-1], 1)
    return np.tensordot(weights, pos[-points:] - pos[-1], 1)


def _nearest(times: np.ndarray, first: np.ndarray, points: int) -> np.ndarray:
    """Windows moved to the `points` times that are nearest to each time; of two equally good the one given."""
    rows = np.arange(len(times))

    def reach(start: np.ndarray) -> np.ndarray:
        return np.maximum(times[rows] - times[start], times[start + points - 1] - times[rows])

    for _ in range(points):
        for step in (-1, 1):
            other = np.clip(first + step, 0, len(times) - points)
            holds = (other <= rows) & (rows < other + points)
            first = np.where(holds & (reach(other) < reach(first) * (1 - 1e-9)), other, first)
    return first


def stencil_weights(offsets: np.ndarray, derivative: int) -> np.ndarray:
    """Weights of values at `offsets` (..., S) from a point that give a derivative there, exact for degree S - 1.

    Example:
        >>> stencil_weights(np.array([-1.0, 0.0, 1.0]), 2).round(9).tolist()
        [1.0, -2.0, 1.0]
    """
    points = offsets.shape[-1]
    scale = np.abs(offsets).max(-1, keepdims=True)
    powers = (offsets / scale)[..., None, :] ** np.arange(points)[:, None]
    wanted = np.zeros(powers.shape[:-1])
    wanted[..., derivative] = float(derivative)  # 1! and 2!
    return np.linalg.solve(powers, wanted[..., None])[..., 0] / scale**derivative


def check_times(t: Any, least: int = 3) -> np.ndarray:
    """Times (T,) float64, increasing, at least `least` of them.

    Raises:
        InputError: names the first time that is not after the one before.
    """
    times = check_array(np.asarray(t, dtype=np.float64), "T", name="t")
    if len(times) < least:
        raise InputError("t", f"must have at least {least} times", f"{len(times)}")
    wrong = np.diff(times) <= 0
    if wrong.any():
        place = int(wrong.argmax())
        raise InputError("t", "must increase", f"{times[place]:.10g}, then {times[place + 1]:.10g}")
    return times


__all__ = ["check_times", "finite_difference_acceleration", "last_velocity", "stencil_weights"]
