"""The architecture prior K: kernels, and features Phi whose products are the kernel, K = Phi Phi^T.

Kernels are those of the reference scripts, whose exponential takes the distance (not its square) and whose Gaussian has
no factor 2. Features come from a pivoted Cholesky factorisation: of the kernel of all points it is exact up to its
tolerance, of some landmarks it is the Nystroem approximation. No inverse of K is ever formed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dpstrf

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]
TOLERANCE = 1e-12  # of the largest diagonal element: what is left of a point's norm when it counts as explained


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, M) squared Euclidean distances, never below 0."""
    found = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T
    return np.maximum(found, 0)


def rbf_kernel(a: np.ndarray, b: np.ndarray, gamma: float = 1.0) -> np.ndarray:
    """exp(-gamma |a - b|^2), (N, M) of (N, d) and (M, d).

    Example:
        >>> round(float(rbf_kernel(np.zeros((1, 2)), np.ones((1, 2)), 0.5)[0, 0]), 4)
        0.3679
    """
    return np.asarray(np.exp(-gamma * squared_distances(a, b)))


def exponential_kernel(a: np.ndarray, b: np.ndarray, gamma: float = 1.0) -> np.ndarray:
    """exp(-sqrt(gamma) |a - b|), (N, M); with gamma = 1 / sigma^2 it is exp(-|a - b| / sigma)."""
    return np.asarray(np.exp(-np.sqrt(gamma * squared_distances(a, b))))


def polynomial_kernel(a: np.ndarray, b: np.ndarray, degree: int = 3) -> np.ndarray:
    """((1 + a . b) / (1 + degree))^degree, (N, M)."""
    return np.asarray(((1 + a @ b.T) / (1 + degree)) ** degree)


def ntk_kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(1 + u) (sqrt(1 - u^2) + u (pi - arccos u)) / pi, (N, M), u the cosine of a and b; 0 for a row of zeros.

    The product of 1 + u and the arc-cosine kernel of degree 1, as the reference's notebooks have it for the sphere.
    """
    lengths = [np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b)]
    first, second = (x / np.where(n > 0, n, 1) for x, n in zip((a, b), lengths, strict=True))
    u = np.clip(first @ second.T, -1, 1)
    found = (1 + u) * (np.sqrt(1 - u * u) + u * (np.pi - np.arccos(u))) / np.pi
    return np.asarray(found * (lengths[0] > 0) * (lengths[1] > 0).T)


@dataclass(frozen=True, eq=False)
class CholeskyFeatures:
    """Phi(x) = k(x, Z) L^{-T}, with L L^T = k(Z, Z) for the pivots Z.

    Attributes:
        pivots: (D,) which of the landmarks they are, in the order in which they were chosen.
        lower: (D, D), L.
    """

    pivots: np.ndarray
    lower: np.ndarray

    def __call__(self, to_pivots: np.ndarray) -> np.ndarray:
        """(N, D) features from k(x, Z), (N, D)."""
        return np.asarray(solve_triangular(self.lower, to_pivots.T, lower=True, check_finite=False).T)


def cholesky_features(gram: np.ndarray, tolerance: float = TOLERANCE) -> tuple[CholeskyFeatures, np.ndarray]:
    """Pivots are taken until no landmark has more than `tolerance` of the largest diagonal element left.

    Args:
        gram: (M, M) kernel of the landmarks, positive semi-definite.
        tolerance: relative, see above.

    Returns:
        The features, and those of the landmarks themselves, (M, D).

    Example:
        >>> x = np.random.default_rng(0).normal(size=(5, 2))
        >>> features, phi = cholesky_features(x @ x.T)  # of rank 2
        >>> phi.shape, bool(np.allclose(phi @ phi.T, x @ x.T))
        ((5, 2), True)
    """
    largest = float(gram.diagonal().max())
    factor, order, rank, _ = dpstrf(np.asfortranarray(gram), tol=tolerance * largest, lower=1)
    order, found = order - 1, np.tril(factor)[:, :rank]
    phi = np.empty_like(found)
    phi[order] = found
    return CholeskyFeatures(order[:rank], np.ascontiguousarray(found[:rank])), phi


def fourier_features(x: np.ndarray, gamma: float, frequencies: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """Random Fourier features of the Gaussian kernel: sqrt(2 / D) cos(sqrt(2 gamma) x W + b) (Rahimi and Recht 2007).

    Args:
        x: (N, d).
        frequencies: (d, D), standard normal, W.
        phases: (D,) uniform in [0, 2 pi), b.
    """
    inside = np.sqrt(2 * gamma) * (x @ frequencies) + phases
    return np.asarray(np.sqrt(2 / len(phases)) * np.cos(inside))


__all__ = [
    "CholeskyFeatures", "Kernel", "cholesky_features", "exponential_kernel", "fourier_features", "ntk_kernel",
    "polynomial_kernel", "rbf_kernel", "squared_distances",
]  # fmt: skip
