"""Normaliser and mean of the von Mises-Fisher distribution on the sphere of p dimensions: any p >= 2, any kappa >= 0.

With v = p/2 - 1 everything follows from L_v(k) = log [I_v(k) / (k/2)^v] and R_v(k) = I_{v+1}(k) / (k I_v(k)), which
have no singularity at k = 0. Olver's uniform expansion gives them at an order v + n >= 30, where eight of its terms
reach double precision for every k; the recurrence R_v = 1 / (2 (v + 1) + k^2 R_{v+1}), in which errors shrink, brings
them down to v. So nothing underflows where I_v(k) does (p = 256, say), and small kappa lose no digits. Float64 inside.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

ORDER, TERMS = 30, 8


@functools.cache
def _olver() -> list[list[float]]:
    """Coefficients of u_0(t) ... u_7(t), lowest power first (DLMF 10.41.9)."""
    u = [np.polynomial.Polynomial([1.0])]
    t2, outer = np.polynomial.Polynomial([0, 0, 0.5, 0, -0.5]), np.polynomial.Polynomial([1.0, 0, -5.0])
    for _ in range(TERMS - 1):
        u.append(t2 * u[-1].deriv() + (outer * u[-1]).integ() / 8)
    return [list(map(float, one.coef)) for one in u]


def _expanded(k: Tensor, v: float) -> Tensor:
    """L_v(k) for large v, by Olver's expansion."""
    root = torch.sqrt(1 + (k / v) ** 2)
    t = 1 / root
    series = torch.zeros_like(k)
    for order, coefficients in reversed(list(enumerate(_olver()))):
        term = torch.zeros_like(k)
        for c in reversed(coefficients):
            term = term * t + c
        series = series + term / v**order
    whole = v * (root - torch.log1p(root) + math.log(2 / v))
    return whole - 0.5 * torch.log(2 * math.pi * v * root) + torch.log(series)


def _orders(k: Tensor, p: int) -> tuple[Tensor, Tensor]:
    """(L_v, R_v) at v = p/2 - 1."""
    if p == 3:
        return _closed(k)
    v = p / 2 - 1
    steps = max(0, math.ceil(ORDER - v))
    top = v + steps
    log_i = _expanded(k, top)
    ratio = torch.exp(_expanded(k, top + 1) - log_i) / 2
    for j in range(1, steps + 1):
        ratio = 1 / (2 * (top - j + 1) + k * k * ratio)
        log_i = log_i - torch.log(2 * ratio)
    return log_i, ratio


def _closed(k: Tensor) -> tuple[Tensor, Tensor]:
    """(L, R) for p = 3, where I_1/2 is a hyperbolic sine; series near 0, where its differences cancel."""
    small = k < 0.02
    safe = torch.where(small, 1.0, k)
    square = k * k
    log_sinh = safe + torch.log(-torch.expm1(-2 * safe) / (2 * safe))
    log_i = torch.where(small, square / 6 - square**2 / 180 + square**3 / 2835, log_sinh)
    ratio = (1 / torch.tanh(safe) - 1 / safe) / safe
    near = 1 / 3 - square / 45 + 2 * square**2 / 945
    return math.log(2 / math.sqrt(math.pi)) + log_i, torch.where(small, near, ratio)


class _LogNormaliser(torch.autograd.Function):
    """log C_p(kappa); its derivative is -A_p(kappa)."""

    @staticmethod
    def forward(ctx: Any, kappa: Tensor, p: int) -> Tensor:
        ctx.save_for_backward(kappa)
        ctx.p = p
        v = p / 2 - 1
        value = v * math.log(2) - p / 2 * math.log(2 * math.pi) - _orders(kappa.double(), p)[0]
        return value.to(kappa.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (kappa,) = ctx.saved_tensors
        return -grads[0] * vmf_mean_resultant(kappa, ctx.p), None


class _MeanResultant(torch.autograd.Function):
    """A_p(kappa); its derivative is 1 - A^2 - (p - 1) A / kappa, the variance of mu z."""

    @staticmethod
    def forward(ctx: Any, kappa: Tensor, p: int) -> Tensor:
        k = kappa.double()
        ratio = _orders(k, p)[1]
        mean = k * ratio
        ctx.save_for_backward(1 - mean * mean - (p - 1) * ratio)
        return mean.to(kappa.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (slope,) = ctx.saved_tensors
        return grads[0] * slope.to(grads[0].dtype), None


def log_vmf_normalizer(kappa: Tensor, p: int) -> Tensor:
    """log C_p(kappa) of the density C_p(kappa) exp(kappa mu.z) on the unit sphere of p dimensions; any shape.

    Example:
        >>> k = torch.tensor([2.0], dtype=torch.float64)
        >>> torch.allclose(log_vmf_normalizer(k, 3), torch.log(k / (4 * math.pi * torch.sinh(k))))
        True
    """
    found: Tensor = _LogNormaliser.apply(kappa, p)
    return found


def vmf_mean_resultant(kappa: Tensor, p: int) -> Tensor:
    """A_p(kappa) = I_{p/2}(kappa) / I_{p/2-1}(kappa) = E[mu.z], in [0, 1); any shape.

    Example:
        >>> round(float(vmf_mean_resultant(torch.tensor(10.0), 3)), 5)  # coth k - 1 / k
        0.9
    """
    found: Tensor = _MeanResultant.apply(kappa, p)
    return found


__all__ = ["log_vmf_normalizer", "vmf_mean_resultant"]
