"""Sets that hold the true direction with a given probability: caps around mu, and the rows of a gallery inside."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from holdfast.errors import InputError
from holdfast.systems.mcinfonce.method.bessel import log_vmf_normalizer
from holdfast.systems.mcinfonce.method.vmf import tail
from holdfast.validation import check_array, check_fraction


def _outside(theta: Tensor, k: Tensor, p: int) -> Tensor:
    """P(angle > theta)."""
    out = tail(theta, k, p, torch.ones_like(theta, dtype=torch.bool), torch.full_like(theta, torch.inf))
    circle = math.log(2) + (p - 1) / 2 * math.log(math.pi) - math.lgamma((p - 1) / 2)
    log_g = k * torch.cos(theta) + (p - 2) * torch.log(torch.sin(theta))
    return out * torch.exp(log_g + log_vmf_normalizer(k, p) + circle)


@torch.no_grad()
def cap_threshold(kappa: Tensor, p: int, level: float = 0.95) -> Tensor:
    """The cosine t with P(mu.z >= t) = level, exactly: the inverse of the distribution function of mu.z.

    The reference takes a quantile of 10,000 samples.

    Args:
        kappa: above 0, any shape.
        p: dimensions of the sphere.

    Example:
        >>> k = torch.tensor(10.0).double()
        >>> exact = 1 + torch.log(0.05 + 0.95 * torch.exp(-2 * k)) / k  # p = 3
        >>> round(float(cap_threshold(k, 3)), 6) == round(float(exact), 6)
        True
    """
    check_fraction(level, "level", zero=False, one=False)
    k = kappa.double()
    low, high = torch.full_like(k, 1e-9), torch.full_like(k, math.pi - 1e-9)
    for _ in range(60):
        middle = (low + high) / 2
        more = _outside(middle, k, p) > 1 - level
        low, high = torch.where(more, middle, low), torch.where(more, high, middle)
    return torch.where(torch.isinf(k), 1.0, torch.cos((low + high) / 2)).to(kappa.dtype)


def credible_set(mu: Tensor, kappa: Tensor, gallery: Tensor, level: float = 0.95) -> tuple[Tensor, Tensor]:
    """The rows of a gallery that lie in the cap around mu which holds the true direction with probability `level`.

    Args:
        mu: (B, p) unit vectors of queries.
        kappa: (B, 1), above 0.
        gallery: (N, p) unit vectors.

    Returns:
        mask (B, N), threshold (B, 1): gallery rows with mu.mu_r >= threshold.

    Raises:
        InputError: shapes, kappa <= 0, a level outside (0, 1).

    Example:
        >>> mu = torch.eye(3)[:1]
        >>> credible_set(mu, torch.tensor([[50.0]]), torch.eye(3))[0].tolist()
        [[True, False, False]]
    """
    check_array(mu, "B p", name="mu")
    check_array(gallery, "N p", name="gallery", sizes={"p": mu.shape[1]})
    if kappa.shape != (len(mu), 1) or not bool((kappa > 0).all()):
        raise InputError("kappa", f"must be above 0, of shape {(len(mu), 1)}", f"shape {tuple(kappa.shape)}")
    threshold = cap_threshold(kappa, mu.shape[1], level)
    return mu @ gallery.T >= threshold, threshold


__all__ = ["cap_threshold", "credible_set"]
