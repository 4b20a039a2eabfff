"""The two operators, the eigenpairs of T_lambda = (1 - beta) I + beta T - lambda K^{-1}, and the losses they minimise.

In the whitened form: psi = Phi W with N points' features Phi, K = Phi Phi^T and |psi|_K = |W|_F. Then, with
C0 = Phi^T Phi / N and B = Phi^T ((1 - beta) I + beta T) Phi / N, the eigenpairs are those of (B - lambda I) w = theta
C0 w, and no inverse of K is needed. What is solved is (with sigma above all theta)

    C0 w = mu (sigma C0 - B + lambda I) w,    theta = sigma - 1 / mu,

whose right side is positive definite even where K is singular to working precision: the largest mu are the largest
theta, and the directions that K suppresses have mu = 0.

Differences from the reference code (facebookresearch/rates): it uses pinvh(K, atol) or pinvh(K + 1e-4 I), where the
tolerance decides which functions are free of charge; and T as a sum over views, not divided by m. With m views each,
T_sum - l K^{-1} = m (T_mean - (l / m) K^{-1}), and K^{-1} of matrices is that of operators over N: its l is our
lambda m N.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from scipy.linalg import cholesky, eigh, solve_triangular
from scipy.linalg.blas import dsyrk
from scipy.linalg.lapack import dsygst
from scipy.sparse.linalg import eigsh
from torch import Tensor, nn

Normalization = Literal["mean", "sum"]
SMALL = 50  # features below which all eigenvalues are as quick as the largest


def ssl_operator(groups: np.ndarray, normalization: Normalization = "mean") -> Any:
    """T: which point is a view of which, a sparse (N, N) matrix (scipy.sparse.csr_array).

    Args:
        groups: (N,) the input that each point is a view of.
        normalization: "mean": T averages over the views of an input, itself among them, so that T 1 = 1 and its
            spectrum is in [0, 1]. "sum": it adds them up, as the scripts of the reference do.

    Example:
        >>> ssl_operator(np.array([0, 0, 1])).toarray().tolist()
        [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]
    """
    from scipy.sparse import csr_array

    _, of, counts = np.unique(groups, return_inverse=True, return_counts=True)
    rows = np.arange(len(of))
    member = csr_array((np.ones(len(of)), (of, rows)), shape=(len(counts), len(of)))
    weight = 1 / counts if normalization == "mean" else np.ones(len(counts))
    return (member.T @ csr_array((weight, (np.arange(len(counts)),) * 2)) @ member).tocsr()


@dataclass
class Moments:
    """What the eigenpairs need of the data, added up over chunks of whole groups: two D x D matrices.

    Attributes:
        gram: (D, D) sum of phi phi^T over points.
        linked: (D, D) sum over groups of s s^T, s the sum of phi over a group's views; divided by the number of views
            ("mean") or not ("sum").
        points: N.
        most: largest number of views.
    """

    gram: np.ndarray
    linked: np.ndarray
    points: int = 0
    most: int = 1

    @classmethod
    def of(cls, chunks: Iterable[tuple[np.ndarray, np.ndarray]], normalization: Normalization = "mean") -> Moments:
        """From chunks of features (n, D) and groups (n,); all views of a group are in one chunk."""
        found: Moments | None = None
        for phi, groups in chunks:
            if found is None:
                size = (phi.shape[1],) * 2
                found = cls(np.zeros(size), np.zeros(size))
            _, of, counts = np.unique(groups, return_inverse=True, return_counts=True)
            order = np.argsort(of, kind="stable")
            sums = np.add.reduceat(phi[order], np.cumsum(counts) - counts)
            if normalization == "mean":
                sums /= np.sqrt(counts)[:, None]
            found.gram += _gram(phi)
            found.linked += _gram(sums)
            found.points += len(phi)
            found.most = max(found.most, int(counts.max()))
        assert found is not None
        return found

    def covariance(self) -> np.ndarray:
        """C0, (D, D)."""
        return np.asarray(self.gram / self.points)

    def target(self, beta: float = 1.0) -> np.ndarray:
        """B, (D, D)."""
        return np.asarray(((1 - beta) * self.gram + beta * self.linked) / self.points)


def _gram(x: np.ndarray) -> np.ndarray:
    """x^T x at half the work of a product."""
    lower = dsyrk(1.0, np.asfortranarray(x), trans=1, lower=1)
    return np.asarray(lower + np.tril(lower, -1).T)


@dataclass(frozen=True, eq=False)
class Eigenpairs:
    """The leading eigenpairs of T_lambda.

    Attributes:
        theta: (k,) falling.
        weights: (D, k): f = Phi w has mean square 1 over the points, and columns are uncorrelated.
    """

    theta: np.ndarray
    weights: np.ndarray

    @property
    def active(self) -> int:
        """How many theta are positive: the others are dead (dimensional collapse)."""
        return int((self.theta > 0).sum())

    def solution(self) -> np.ndarray:
        """W of psi* = sqrt(max(theta, 0)) f, (D, k), the minimiser of the loss."""
        return np.asarray(self.weights * np.sqrt(np.maximum(self.theta, 0)))

    def minimum(self) -> float:
        """The loss at psi*: k minus the sum of squares of the positive theta."""
        kept = np.maximum(self.theta, 0)
        return float(len(kept) - (kept * kept).sum())


def eigenpairs(moments: Moments, reg: float, k: int, beta: float = 1.0) -> Eigenpairs:
    """The k largest eigenpairs of T_lambda; fewer if there are fewer features.

    Args:
        moments: of the data.
        reg: lambda > 0.
        k: how many.
        beta: weight of the invariance term; 1 in the theory.
    """
    c0, b = moments.covariance(), moments.target(beta)
    above = 1 + max(1 - beta + beta * moments.most, 1.0)  # sigma
    right = above * c0 - b
    right[np.diag_indices_from(right)] += reg
    size = len(c0)
    # The generalised driver of eigh finds a few eigenvectors by a slower method than the ordinary one.
    factor = cholesky(right, lower=True, overwrite_a=True, check_finite=False)
    whitened, _ = dsygst(c0, factor, lower=1)
    few = (max(0, size - k), size - 1)
    mu, w = eigh(whitened, lower=True, subset_by_index=few, driver="evr", overwrite_a=True, check_finite=False)
    mu = np.maximum(mu[::-1], np.finfo(float).tiny)
    w = solve_triangular(factor, w[:, ::-1], lower=True, trans=1, check_finite=False)
    return Eigenpairs(above - 1 / mu, w / np.sqrt(mu))


def interplay_path(moments: Moments, regs: Iterable[float], k: int, beta: float = 1.0) -> Iterator[Eigenpairs]:
    """`eigenpairs` for many lambdas of the same moments: a factorisation and an eigenproblem of D x D each.

    Example:
        >>> phi, groups = np.random.default_rng(0).normal(size=(60, 5)), np.arange(60) // 2
        >>> path = list(interplay_path(Moments.of([(phi, groups)]), [0.01, 0.1, 1.0], k=3))
        >>> [pairs.active for pairs in path]
        [3, 3, 0]
    """
    for reg in regs:
        yield eigenpairs(moments, reg, k, beta)


def largest_reg(moments: Moments, beta: float = 1.0) -> float:
    """The lambda from which on all theta are 0 or less: the largest eigenvalue of B."""
    b = moments.target(beta)
    if len(b) < SMALL:
        return float(np.linalg.eigvalsh(b)[-1])
    start = np.random.default_rng(0).normal(size=len(b))  # Lanczos draws its start from a global generator otherwise
    return float(eigsh(b, k=1, which="LA", v0=start, return_eigenvectors=False)[0])


# ------------------------------------------------------------------------------------------------------------ losses
def ssl_loss(psi1: Tensor, psi2: Tensor, beta: float = 1.0) -> Tensor:
    """beta mean |psi1 - psi2|^2 + |C - I|_F^2, with C the second moments over both views stacked.

    VICReg with the hinge replaced by a squared penalty; with beta = 1 HaoChen et al.'s spectral contrastive loss up to
    a constant. The pairs are two distinct views. `views_loss`, and the closed form, count the pair of a view with
    itself, too: with m = 2 views the minimiser of this loss is that of `eigenpairs(..., beta=2 beta)`.

    Args:
        psi1, psi2: (n, k) features of two views.

    Example:
        >>> float(ssl_loss(torch.eye(2), torch.eye(2)))  # C is I / 2
        0.5
    """
    both = torch.cat([psi1, psi2])
    return beta * (psi1 - psi2).square().sum(1).mean() + _decorrelation(both)


def views_loss(views: Tensor, beta: float = 1.0) -> Tensor:
    """The same over all pairs of m views of an input, a view with itself among them; (n, m, k)."""
    spread = views - views.mean(1, keepdim=True)
    return 2 * beta * spread.square().sum(2).mean() + _decorrelation(views.flatten(0, 1))


def _decorrelation(psi: Tensor) -> Tensor:
    covariance = psi.T @ psi / len(psi)
    return (covariance - torch.eye(psi.shape[1], dtype=psi.dtype, device=psi.device)).square().sum()


class VICRegSpectralLoss(nn.Module):
    """`ssl_loss` as a module, for networks in place of kernels; lambda is then the weight decay.

    Args:
        beta: weight of the invariance term.

    Example:
        >>> float(VICRegSpectralLoss()(torch.eye(2), torch.eye(2)))
        0.5
    """

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        self.beta = beta

    def forward(self, psi1: Tensor, psi2: Tensor) -> Tensor:
        return ssl_loss(psi1, psi2, self.beta)


__all__ = [
    "Eigenpairs", "Moments", "VICRegSpectralLoss", "eigenpairs", "interplay_path", "largest_reg", "ssl_loss",
    "ssl_operator", "views_loss",
]  # fmt: skip
