"""Diagonal linear networks: f(x) = <u * v, x>, L = (1/2n) sum_i (<u * v, x_i> - y_i)^2, and SGD on u and v.

numpy, float64. The loop over steps is compiled where numba is installed (`pip install 'holdfast[fast]'`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.compiled import compiled


def loss(u: np.ndarray, v: np.ndarray, X: np.ndarray, y: np.ndarray) -> float:
    """L(u, v) on rows X (n, d), targets y (n,)."""
    return 0.5 * float(np.mean((X @ (u * v) - y) ** 2))


def gradient(u: np.ndarray, v: np.ndarray, X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(dL/du, dL/dv), each (d,)."""
    g = X.T @ (X @ (u * v) - y) / len(y)
    return g * v, g * u


def jacobian(u: np.ndarray, v: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Of the n predictions by (u, v): [X * v, X * u], (n, 2d). The noise of SGD lies in the span of its rows."""
    return np.concatenate([X * v, X * u], axis=1)


def hessian(u: np.ndarray, v: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of L by (u, v): J'J / n, and diag(X'r) / n in the off-diagonal blocks; (2d, 2d)."""
    n, d = X.shape
    J = jacobian(u, v, X)
    H = J.T @ J / n
    cross = np.diag(X.T @ (X @ (u * v) - y) / n)
    H[:d, d:] += cross
    H[d:, :d] += cross
    return H


def rank(J: np.ndarray, rtol: float = 1e-4) -> int:
    """Number of singular values above rtol times the largest; 0 for a matrix of zeros."""
    s = np.linalg.svd(J, compute_uv=False)
    return int(np.sum(s > rtol * s[0])) if len(s) else 0


def balancedness(u: np.ndarray, v: np.ndarray) -> float:
    """|| |u| - |v| ||: small where both layers share the work."""
    return float(np.linalg.norm(np.abs(u) - np.abs(v)))


def active(beta: np.ndarray, share: float = 0.01) -> int:
    """Coordinates larger than a share of the largest."""
    size = np.abs(beta)
    return int(np.sum(size > share * size.max()))


@compiled
def _descend(
    u: np.ndarray, v: np.ndarray, X: np.ndarray, rows: np.ndarray, targets: np.ndarray, rates: np.ndarray, every: int
) -> tuple[np.ndarray, ...]:
    """Step t uses rows[t] (B,) with targets[t]; gives what a `Trace` holds."""
    T, size = rows.shape
    us = np.full((-(-T // every), len(u)), np.nan)
    vs, losses = us.copy(), np.full(T, np.nan)
    for t in range(T):
        if t % every == 0:
            us[t // every], vs[t // every] = u, v
        beta = u * v
        g = np.zeros_like(u)
        total = 0.0
        for b in range(size):
            x = X[rows[t, b]]
            r = np.dot(x, beta) - targets[t, b]
            g += r * x
            total += r * r
        if not total < 1e16:  # a residual beyond 1e8, or not a number
            return u * np.nan, v * np.nan, us, vs, losses
        losses[t] = 0.5 * total / size
        g *= rates[t] / size
        u, v = u - g * v, v - g * u
    return u, v, us, vs, losses


@dataclass(frozen=True, eq=False)
class Trace:
    """A run of SGD."""

    u: np.ndarray  # (d,) at the end; NaN after divergence
    v: np.ndarray
    us: np.ndarray  # (K, d) before steps 0, every, 2 every, ...
    vs: np.ndarray
    losses: np.ndarray  # (T,) of each step's rows, before the step; NaN from divergence on

    @property
    def beta(self) -> np.ndarray:
        """u * v."""
        return self.u * self.v

    @property
    def diverged(self) -> bool:
        """Whether the run left the range of numbers."""
        return not bool(np.isfinite(self.u).all())


def dln_sgd(
    X: np.ndarray, y: np.ndarray, gamma: float, n_steps: int, schedule: Callable[[np.ndarray], Any] | None = None,
    seed: int | np.random.Generator = 0, *, batch: int | None = 1, init: tuple[Any, Any] = (0.1, 0.0),
    label_noise: float = 0.0, every: int | None = None,
) -> Trace:  # fmt: skip
    """SGD on a diagonal linear network: u <- u - g r x * v and v <- v - g r x * u, at once.

    Args:
        X: (n, d).
        y: (n,).
        gamma: rate.
        n_steps: T.
        schedule: (T,) progress in [0, 1) -> factors of the rate. None = constant.
        seed: of the rows drawn (with replacement) and of the noise.
        batch: rows a step, their mean is the gradient; None = all rows, once each (gradient descent).
        init: of u and v, numbers or (d,).
        label_noise: standard deviation of noise that is drawn anew on every label of every step.
        every: steps between kept iterates. None = n_steps.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(20, 5))
        >>> trace = dln_sgd(X, X[:, 0], gamma=0.1, n_steps=2000)
        >>> np.round(np.abs(trace.beta), 1).tolist()
        [1.0, 0.0, 0.0, 0.0, 0.0]
    """
    rng = np.random.default_rng(seed)
    X, y = np.ascontiguousarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
    n = len(X)
    if batch is None:
        rows, targets = np.broadcast_to(np.arange(n), (n_steps, n)), np.broadcast_to(y, (n_steps, n))
    else:
        rows = rng.integers(0, n, (n_steps, batch))
        targets = y[rows]
    if label_noise:
        targets = targets + label_noise * rng.standard_normal(targets.shape)
    return descend(X, rows, targets, rates_of(gamma, n_steps, schedule), init, every or n_steps)


def rates_of(gamma: float, n_steps: int, schedule: Callable[[np.ndarray], Any] | None) -> np.ndarray:
    """Rate of every step, (T,)."""
    progress = np.arange(n_steps) / n_steps
    return gamma * (np.ones(n_steps) if schedule is None else np.asarray(schedule(progress), dtype=np.float64))


def descend(
    X: np.ndarray, rows: np.ndarray, targets: np.ndarray, rates: np.ndarray, init: tuple[Any, Any], every: int
) -> Trace:
    """SGD over given rows (T, B) with targets (T, B) and rates (T,)."""
    u, v = (np.array(np.broadcast_to(np.asarray(part, dtype=np.float64), X.shape[1])) for part in init)
    return Trace(*_descend(u, v, X, rows, targets, rates, every))


class DiagonalLinearNetwork(nn.Module):
    """f(x) = <u * v, x> of d inputs as a torch module: u = init, v = 0, as in the reference."""

    def __init__(self, d: int, init: float = 0.1) -> None:
        super().__init__()
        self.u = nn.Parameter(torch.full((d,), float(init)))
        self.v = nn.Parameter(torch.zeros(d))

    def forward(self, x: Tensor) -> Tensor:
        """(N, d) -> (N,)."""
        return x @ (self.u * self.v)


__all__ = [
    "DiagonalLinearNetwork", "Trace", "active", "balancedness", "descend", "dln_sgd", "gradient", "hessian", "jacobian",
    "loss", "rank", "rates_of",
]  # fmt: skip
