"""FLT: a bias f(r_i - r_j) of attention scores as a product of rank 2R, from the Fourier transform g of f.

arXiv 2302.01925. f(z) = integral of g(xi) exp(2 pi i xi.z) dxi, estimated at R frequencies drawn from a density p:
f(r_i - r_j) is the expectation of N1_i . N2_j. With rho_k = g(xi_k) / p(xi_k), s_k its sign, a_k = sqrt(|rho_k| / R):

    N1_i = [a_k cos(2 pi xi_k.r_i), a_k sin(2 pi xi_k.r_i)]        N2_j = the same, times s_k

The estimate depends on r_i - r_j alone for every draw. g is learned, per head, in one of four forms:

    GaussianMixture   sum of Gaussians of any sign                 p = N(0, scale^2 I)
    KernelSpectrum    spectral density of a kernel, an amplitude   p = that density, so that rho is constant
    LocalWindows      boxes |z_l| <= v                             p heavy-tailed, cut off
    FreeForm          a small network                              p = N(0, scale^2 I)

Departures. An odd part of f turns the phases of N2 in place of adding columns (rho cos x + rho' sin x is one cosine).
The root has 1e-12 inside, so that its gradient is finite at rho = 0. The mixture is learned in terms of amplitudes of
f, w_t (2 pi sigma_t^2)^(d/2), which have the same size in every dimension, and starts at small ones that are not 0.
The free form is rho itself. Of the kernels Matern's, and of the windows balls, are not built. p is cut off for windows
alone; for the mixture sigma is clamped instead. No reference code is public.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

INSIDE_ROOT = 1e-12
WIDEST = 0.9  # of a component, in units of p's scale: beyond, g / p explodes in the tails
CUT = 32.0  # local windows: largest frequency in units of the scale


# ------------------------------------------------------------------------------------------------ equation by equation
def fourier_factors(phase: Tensor, rho: Tensor, rho_odd: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """N1 and N2 `(..., N, 2R)`, cosines first: N1_i . N2_j = mean over k of rho_k cos(x) + rho_odd_k sin(x), x = the
    difference of phases.

    Args:
        phase: 2 pi xi_k . r_i, `(..., N, R)`.
        rho: g / p of the even part, `(..., R)`.
        rho_odd: of the odd part, or None.
    """
    rho = rho[..., None, :]
    cos, sin = phase.cos(), phase.sin()
    if rho_odd is None:
        a = (rho.abs() / rho.shape[-1] + INSIDE_ROOT).sqrt()
        n1 = torch.cat([a * cos, a * sin], -1)
        return n1, n1 * torch.cat([rho.sign(), rho.sign()], -1)
    odd = rho_odd[..., None, :]
    size = (rho.square() + odd.square() + INSIDE_ROOT**2).sqrt()
    a = (size / rho.shape[-1] + INSIDE_ROOT).sqrt()
    c, s = rho / size, odd / size  # cosine and sine of the angle by which phases are turned
    n2 = torch.cat([a * (c * cos - s * sin), a * (c * sin + s * cos)], -1)
    return torch.cat([a * cos, a * sin], -1), n2


def phases(xi: Tensor, pos: Tensor) -> Tensor:
    """2 pi xi.r, `(B, H, N, R)`, from frequencies `(H, R, d)` and positions `(B, N, d)`."""
    return 2 * math.pi * (pos[:, None] @ xi.transpose(1, 2))


def gaussian_density(xi: Tensor, scale: float) -> Tensor:
    """p(xi) of N(0, scale^2 I), `(...)` from `(..., d)`."""
    d = xi.shape[-1]
    return (-xi.square().sum(-1) / (2 * scale**2)).exp() / (2 * math.pi * scale**2) ** (d / 2)


def mixture_g(xi: Tensor, w: Tensor, mu: Tensor, sigma: Tensor, *, odd: bool = False) -> Tensor:
    """sum_t w_t exp(-|xi - mu_t|^2 / (2 sigma_t^2)), its even part (g(xi) + g(-xi)) / 2, or the odd one.

    Args:
        xi: `(H, R, d)`.
        w, sigma: `(H, T)`.
        mu: `(H, T, d)`.
        odd: (g(xi) - g(-xi)) / 2.
    """
    by_component = [
        (-(sign * xi[:, :, None] - mu[:, None]).square().sum(3) / (2 * sigma[:, None].square())).exp()
        for sign in (1, -1)
    ]
    there, back = ((values * w[:, None]).sum(2) for values in by_component)
    return (there - back) / 2 if odd else (there + back) / 2


def mixture_f(z: Tensor, w: Tensor, mu: Tensor, sigma: Tensor, *, odd: bool = False) -> Tensor:
    """The bias of that g: sum_t w_t (2 pi sigma_t^2)^(d/2) exp(-2 pi^2 sigma_t^2 |z|^2) cos(2 pi mu_t.z); sin if odd.

    `(H, ...)` from z `(..., d)`.
    """
    d = z.shape[-1]
    flat = z.reshape(-1, d)
    turn = 2 * math.pi * (mu @ flat.T)  # (H, T, n)
    fall = (-2 * math.pi**2 * sigma.square()[..., None] * flat.square().sum(1)).exp()
    size = (w * (2 * math.pi * sigma.square()) ** (d / 2))[..., None]
    return (size * fall * (turn.sin() if odd else turn.cos())).sum(1).unflatten(1, z.shape[:-1])


def local_g(xi: Tensor, v: Tensor) -> Tensor:
    """prod_l sin(2 pi v xi_l) / (pi xi_l), 2v where xi_l is 0: `(H, R)` from xi `(H, R, d)` and v `(H, 1)`."""
    v = v[..., None]
    return (2 * v * torch.sinc(2 * v * xi)).prod(2)


def heavy_density(xi: Tensor, scale: float) -> Tensor:
    """prod_l 1 / (2 scale log(1 + CUT) (1 + |xi_l| / scale)), |xi_l| <= CUT scale: nearly as heavy as |g| of boxes."""
    return (1 / (2 * scale * math.log1p(CUT) * (1 + xi.abs() / scale))).prod(-1)


# ----------------------------------------------------------------------------------------------------------- forms of g
class Spectrum(nn.Module, ABC):
    """A learned g of H heads, and where its frequencies are drawn.

    Args:
        heads, dim, components: H, d, T.
        scale: of p: cycles per unit of position.
        even: f(z) = f(-z); else an odd part is learned beside it.
    """

    def __init__(self, heads: int, dim: int, components: int, scale: float, even: bool) -> None:
        super().__init__()
        self.heads, self.dim, self.components, self.scale, self.even = heads, dim, components, scale, even

    def draw(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Frequencies `(H, R, d)` from p: N(0, scale^2 I) unless a form says otherwise."""
        device = None if generator is None else generator.device
        return self.scale * torch.randn(self.heads, count, self.dim, generator=generator, device=device)

    @abstractmethod
    def ratios(self, drawn: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """From what was drawn: xi `(H, R, d)`, rho `(H, R)`, and rho of the odd part or None."""

    def bias(self, z: Tensor) -> Tensor | None:
        """f in closed form, `(H, ...)` from z `(..., d)`; None where there is none."""
        return None


class GaussianMixture(Spectrum):
    """g = sum_t w_t exp(-|xi - mu_t|^2 / (2 sigma_t^2)), w_t of any sign; sigma_t at most 0.9 of p's scale."""

    def __init__(self, heads: int, dim: int, components: int, scale: float, even: bool) -> None:
        super().__init__(heads, dim, components, scale, even)
        kinds = 1 if even else 2
        self.amplitude = nn.Parameter(0.3 * scale_free_start(kinds, heads, components))
        self.mu = nn.Parameter(0.3 * scale * torch.randn(kinds, heads, components, dim))
        self.log_sigma = nn.Parameter(torch.full((kinds, heads, components), math.log(0.6 * scale)))

    @property
    def sigma(self) -> Tensor:
        """`(1 or 2, H, T)`: of the even part, and of the odd one."""
        return self.log_sigma.exp().clamp(max=WIDEST * self.scale)

    @property
    def w(self) -> Tensor:
        """`(1 or 2, H, T)`."""
        return self.amplitude / (2 * math.pi * self.sigma.square()) ** (self.dim / 2)

    def ratios(self, drawn: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        p, w, sigma = gaussian_density(drawn, self.scale), self.w, self.sigma
        rho = mixture_g(drawn, w[0], self.mu[0], sigma[0]) / p
        return drawn, rho, None if self.even else mixture_g(drawn, w[1], self.mu[1], sigma[1], odd=True) / p

    def bias(self, z: Tensor) -> Tensor:
        w, sigma = self.w, self.sigma
        f = mixture_f(z, w[0], self.mu[0], sigma[0])
        return f if self.even else f + mixture_f(z, w[1], self.mu[1], sigma[1], odd=True)


def scale_free_start(*shape: int) -> Tensor:
    """Small numbers of both signs, none near 0: there the root has no gradient."""
    return (torch.rand(*shape) + 0.5) * torch.randn(*shape).sign()


class KernelSpectrum(Spectrum):
    """f(z) = c K(|z| / length), K = exp(-x^2 / 2): xi from the spectral density itself, so that rho = c everywhere."""

    def __init__(self, heads: int, dim: int, components: int, scale: float, even: bool) -> None:
        super().__init__(heads, dim, components, scale, even)
        self.amplitude = nn.Parameter(scale_free_start(heads))
        self.log_length = nn.Parameter(torch.full((heads,), -math.log(2 * math.pi * scale)))

    @property
    def length(self) -> Tensor:
        """`(H,)`."""
        return self.log_length.exp()

    def mixing(self, count: int, generator: torch.Generator | None, device: torch.device | None) -> Tensor:
        """What the frequencies of a Gaussian kernel are multiplied by, `(H, R)`: 1 for the Gaussian kernel."""
        return torch.ones(self.heads, count, device=device)

    def draw(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        device = None if generator is None else generator.device
        gaussian = torch.randn(self.heads, count, self.dim, generator=generator, device=device)
        return gaussian * self.mixing(count, generator, device)[..., None]

    def ratios(self, drawn: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        xi = drawn / (2 * math.pi * self.length[:, None, None])
        return xi, self.amplitude[:, None].expand(drawn.shape[:2]), None

    def profile(self, x: Tensor) -> Tensor:
        """K of distances in lengths."""
        return (-x.square() / 2).exp()

    def bias(self, z: Tensor) -> Tensor:
        each = (-1, *(1,) * (z.ndim - 1))
        return self.amplitude.view(each) * self.profile(z.norm(dim=-1) / self.length.view(each))


class CauchySpectrum(KernelSpectrum):
    """K = 1 / (1 + x^2): a mixture of Gaussian kernels, exp(-u x^2) with u exponential."""

    def mixing(self, count: int, generator: torch.Generator | None, device: torch.device | None) -> Tensor:
        u = -torch.log1p(-torch.rand(self.heads, count, generator=generator, device=device))
        return (2 * u).sqrt()

    def profile(self, x: Tensor) -> Tensor:
        return 1 / (1 + x.square())


class LocalWindows(Spectrum):
    """f(z) = sum_t C_t where |z_l| <= v_t for all l. The edge rings: only frequencies up to 32 scale are drawn."""

    def __init__(self, heads: int, dim: int, components: int, scale: float, even: bool) -> None:
        super().__init__(heads, dim, components, scale, even)
        self.amplitude = nn.Parameter(0.3 * scale_free_start(heads, components))
        widths = torch.linspace(0.5, 1.5, components) / (2 * math.pi * scale)
        self.log_v = nn.Parameter(widths.log().repeat(heads, 1))

    @property
    def v(self) -> Tensor:
        """Half the width of each window, `(H, T)`."""
        return self.log_v.exp()

    def draw(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        device = None if generator is None else generator.device
        u = 2 * torch.rand(self.heads, count, self.dim, generator=generator, device=device) - 1
        return self.scale * u.sign() * (u.abs() * math.log1p(CUT)).expm1()

    def ratios(self, drawn: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        p, v = heavy_density(drawn, self.scale), self.v
        g = sum(self.amplitude[:, t, None] * local_g(drawn, v[:, t, None]) for t in range(self.components))
        return drawn, g / p, None

    def bias(self, z: Tensor) -> Tensor:
        far = z.abs().amax(-1)
        each = (-1, *(1,) * far.ndim)
        inside = [far <= self.v[:, t].view(each) for t in range(self.components)]
        return sum(self.amplitude[:, t].view(each) * found for t, found in enumerate(inside))  # type: ignore[return-value]


class FreeForm(Spectrum):
    """rho from a network of xi / scale with T hidden units a head, made even (and odd, for an odd part)."""

    def __init__(self, heads: int, dim: int, components: int, scale: float, even: bool) -> None:
        super().__init__(heads, dim, components, scale, even)
        outputs = 1 if even else 2
        self.into = nn.Parameter(torch.randn(heads, dim, components))
        self.shift = nn.Parameter(torch.randn(heads, 1, components))
        self.out = nn.Parameter(0.3 * torch.randn(heads, components, outputs) / components**0.5)
        self.level = nn.Parameter(0.3 * scale_free_start(heads, 1))

    def ratios(self, drawn: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        there, back = (
            torch.tanh(x @ self.into + self.shift) @ self.out for x in (drawn / self.scale, -drawn / self.scale)
        )
        rho = self.level + (there[..., 0] + back[..., 0]) / 2
        return drawn, rho, None if self.even else (there[..., 1] - back[..., 1]) / 2


KINDS: dict[str, type[Spectrum]] = {
    "gmm": GaussianMixture,
    "kernel": KernelSpectrum,
    "cauchy": CauchySpectrum,
    "local": LocalWindows,
    "mlp": FreeForm,
}

__all__ = [
    "KINDS",
    "CauchySpectrum",
    "FreeForm",
    "GaussianMixture",
    "KernelSpectrum",
    "LocalWindows",
    "Spectrum",
    "fourier_factors",
    "gaussian_density",
    "heavy_density",
    "local_g",
    "mixture_f",
    "mixture_g",
    "phases",
]
