"""The von Mises-Fisher distribution: density, moments, samples with gradients, caps of a given probability.

A sample is z = w mu + sqrt(1 - w^2) v, v uniform on the unit vectors orthogonal to mu, w = mu.z by the inverse of its
distribution function (p = 3) or by rejection (Ulrich 1984, Wood 1994).
"""

from __future__ import annotations

import functools
import math
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Size, Tensor
from torch.distributions import Distribution

from holdfast.distributions.vmf_normaliser import log_vmf_normalizer, vmf_mean_resultant
from holdfast.errors import InputError
from holdfast.validation import check_choice, check_fraction

Gradient = Literal["implicit", "pathwise"]
NODES, REACH = 32, 9.0  # of a quadrature, and how many widths of the density it goes out


@functools.cache
def _legendre() -> tuple[list[float], list[float]]:
    """Nodes on [0, 1] and weights."""
    x, w = np.polynomial.legendre.leggauss(NODES)
    return list(map(float, (x + 1) / 2)), list(map(float, w / 2))


def _width(k: Tensor, p: int) -> Tensor:
    """Roughly the standard deviation of the angle."""
    return torch.rsqrt(k * vmf_mean_resultant(k, p) + (p - 1) / 4)


def tail(theta: Tensor, k: Tensor, p: int, beyond: Tensor, centre: Tensor) -> Tensor:
    """The integral of (cos a - centre) g(a) / g(theta), g(a) = sin^{p-2}(a) exp(k cos a), from theta outwards.

    Args:
        theta: angles, float64.
        k: kappa, of the same shape.
        beyond: true: over a > theta; false: over a < theta.
        centre: subtracted, of the same shape; where it is infinite, g alone is integrated.
    """
    reach = REACH * _width(k, p)
    length = torch.where(beyond, (math.pi - theta).minimum(reach), theta.minimum(reach))
    sign = torch.where(beyond, 1.0, -1.0)
    cos, log_sin = torch.cos(theta), torch.log(torch.sin(theta))
    total = torch.zeros_like(theta)
    for x, weight in zip(*_legendre(), strict=True):
        a = theta + sign * length * x
        g = torch.exp(k * (torch.cos(a) - cos) + (p - 2) * (torch.log(torch.sin(a)) - log_sin))
        total = total + weight * torch.where(torch.isinf(centre), g, g * (torch.cos(a) - centre))
    return total * length


class _ImplicitCosine(torch.autograd.Function):
    """w as a function of kappa at a fixed value of the distribution function."""

    @staticmethod
    def forward(ctx: Any, k: Tensor, w: Tensor, p: int) -> Tensor:
        ctx.save_for_backward(k, w)
        ctx.p = p
        return w.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        k, w = ctx.saved_tensors
        return grads[0] * cosine_slope(w, k, ctx.p), None, None


def cosine_slope(w: Tensor, k: Tensor, p: int) -> Tensor:
    """dw/dk at a fixed value of the distribution function F: -(dF/dk) / f = -int_{-1}^{w} (t - A) f(t) dt / f(w)."""
    mean = vmf_mean_resultant(k, p)
    theta = torch.acos(w.clamp(-1 + 1e-12, 1 - 1e-12))
    beyond = w < mean  # the integral over all is 0, so the smaller tail is enough
    found = tail(theta, k, p, beyond, mean)
    return torch.where(beyond, -found, found) * torch.sin(theta)


class VonMisesFisher(Distribution):
    """Directions z on the unit sphere of p dimensions, with density C_p(kappa) exp(kappa mu.z).

    Args:
        loc: mu, (..., p), unit vectors; p at least 2.
        concentration: kappa, (..., 1), above 0; infinite: z = mu.
        grad: gradients of samples by kappa: "implicit" (exact), or "pathwise" through accepted proposals, faster and
            biased. For p = 3 both are the exact derivative of the inverse distribution function.
        validate_args: check values; costs a look at them on the host.

    Raises:
        InputError: shapes, rows that are no unit vectors (by 1e-3), kappa <= 0, p < 2.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> law = VonMisesFisher(torch.tensor([0.0, 0.0, 1.0]), torch.tensor([10.0]))
        >>> z = law.rsample((1000,))
        >>> z.shape, round(float(law.mean[2]), 3), bool((z.mean(0)[2] - 0.9).abs() < 0.01)
        (torch.Size([1000, 3]), 0.9, True)
    """

    has_rsample = True
    arg_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(
        self, loc: Tensor, concentration: Tensor, grad: Gradient = "implicit", validate_args: bool | None = None
    ) -> None:
        check_choice(grad, ("implicit", "pathwise"), "grad")
        if loc.ndim < 1 or loc.shape[-1] < 2:
            raise InputError("loc", "must have shape (..., p) with p at least 2", tuple(loc.shape))
        if concentration.shape != (*loc.shape[:-1], 1):
            raise InputError("concentration", f"must have shape {(*loc.shape[:-1], 1)}", tuple(concentration.shape))
        self.loc, self.concentration, self.grad, self.p = loc, concentration, grad, int(loc.shape[-1])
        if validate_args is not False:
            if not bool(((loc.norm(dim=-1) - 1).abs() <= 1e-3).all()):
                raise InputError("loc", "must hold unit vectors (within 1e-3)", "another length")
            if not bool((concentration > 0).all()):
                raise InputError("concentration", "must be above 0", float(concentration.min()))
        super().__init__(Size(loc.shape[:-1]), Size((self.p,)), validate_args=False)

    @property
    def mean(self) -> Tensor:
        """E[z] = A_p(kappa) mu."""
        return vmf_mean_resultant(self.concentration, self.p) * self.loc

    def log_prob(self, value: Tensor) -> Tensor:
        """The log density by the area of the sphere, (...)."""
        kappa = self.concentration[..., 0]
        return log_vmf_normalizer(kappa, self.p) + kappa * (self.loc * value).sum(-1)

    def entropy(self) -> Tensor:
        """-E[log f(z)]."""
        kappa = self.concentration[..., 0]
        return -log_vmf_normalizer(kappa, self.p) - kappa * vmf_mean_resultant(kappa, self.p)

    def kl_to_uniform(self) -> Tensor:
        """KL divergence to the uniform distribution on the sphere; 0 at kappa = 0."""
        kappa = self.concentration[..., 0]
        return -self.entropy() - log_vmf_normalizer(torch.zeros_like(kappa), self.p)

    def rsample(self, sample_shape: Any = (), generator: torch.Generator | None = None) -> Tensor:
        """Samples (*sample_shape, ..., p), with gradients by mu and kappa.

        Args:
            generator: draws; None = the global one.
        """
        shape = (*sample_shape, *self.loc.shape)
        w = self.cosines(sample_shape, generator)
        normal = torch.randn(shape, generator=generator, device=self.loc.device, dtype=self.loc.dtype)
        across = normal - (normal * self.loc).sum(-1, keepdim=True) * self.loc
        across = across / across.norm(dim=-1, keepdim=True).clamp(min=1e-12)
        side = torch.sqrt(((1 - w) * (1 + w)).clamp(min=1e-10))  # clamped: its slope at 0 is infinite
        side = torch.where(w >= 1, 0.0, side)
        return w.to(self.loc.dtype) * self.loc + side.to(self.loc.dtype) * across

    def cosines(self, sample_shape: Any = (), generator: torch.Generator | None = None) -> Tensor:
        """w = mu.z of samples, (*sample_shape, ..., 1), float64."""
        k = self.concentration.double().expand(*sample_shape, *self.concentration.shape)
        if self.p == 3:
            u = _uniform(k, generator)
            return 1 + torch.logaddexp(torch.log(u), torch.log1p(-u) - 2 * k) / k
        if self.grad == "pathwise":
            return _from_proposal(_accepted(k.detach(), self.p, generator), k, self.p)
        with torch.no_grad():
            w = _from_proposal(_accepted(k, self.p, generator), k, self.p)
        found: Tensor = _ImplicitCosine.apply(k, w, self.p)
        return found


def _uniform(like: Tensor, generator: torch.Generator | None) -> Tensor:
    u = torch.rand(like.shape, generator=generator, device=like.device, dtype=torch.float64)
    return u.clamp(1e-7, 1 - 1e-7)


def _proposal(k: Tensor, p: int) -> tuple[Tensor, Tensor]:
    """(b, a) of Ulrich and Wood; b is written without cancellation."""
    root = torch.sqrt(4 * k * k + (p - 1) ** 2)
    return (p - 1) / (2 * k + root), ((p - 1) + 2 * k + root) / 4


def _from_proposal(beta: Tensor, k: Tensor, p: int) -> Tensor:
    b, _ = _proposal(k, p)
    return (1 - (1 + b) * beta) / (1 - (1 - b) * beta)


@torch.no_grad()
def _accepted(k: Tensor, p: int, generator: torch.Generator | None) -> Tensor:
    """Accepted draws of Beta((p-1)/2, (p-1)/2); more than 65 % are, whatever k and p."""
    flat = k.reshape(-1)
    found = torch.full_like(flat, 0.5)
    left = torch.arange(len(flat), device=k.device)
    while len(left):
        kappa = flat[left]
        shape = torch.full_like(kappa, (p - 1) / 2)
        one, two = (torch._standard_gamma(shape, generator=generator) for _ in range(2))
        beta = one / (one + two).clamp(min=1e-300)
        b, a = _proposal(kappa, p)
        d = 4 * a * b / (1 + b) - (p - 1) * math.log(p - 1)
        t = 2 * a * b / (1 - (1 - b) * beta)
        accept = (p - 1) * torch.log(t) - t + d > torch.log(_uniform(kappa, generator))
        accept |= torch.isinf(kappa)
        found[left] = torch.where(accept, beta, found[left])
        left = left[~accept]
    return torch.where(torch.isinf(k), 0.0, found.view_as(k))


def _outside(theta: Tensor, k: Tensor, p: int) -> Tensor:
    """P(angle > theta)."""
    out = tail(theta, k, p, torch.ones_like(theta, dtype=torch.bool), torch.full_like(theta, torch.inf))
    circle = math.log(2) + (p - 1) / 2 * math.log(math.pi) - math.lgamma((p - 1) / 2)
    log_g = k * torch.cos(theta) + (p - 2) * torch.log(torch.sin(theta))
    return out * torch.exp(log_g + log_vmf_normalizer(k, p) + circle)


@torch.no_grad()
def cap_threshold(kappa: Tensor, p: int, level: float = 0.95) -> Tensor:
    """The cosine t with P(mu.z >= t) = level, exactly: the inverse of the distribution function of mu.z.

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


__all__ = ["Gradient", "VonMisesFisher", "cap_threshold", "cosine_slope", "tail"]
