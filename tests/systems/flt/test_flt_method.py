"""Forms of g, their frequencies and their biases against loops, quadrature and closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.special import sici

from holdfast.systems.flt.method import (
    CUT,
    KINDS,
    CauchySpectrum,
    FreeForm,
    GaussianMixture,
    KernelSpectrum,
    LocalWindows,
    fourier_factors,
    gaussian_density,
    heavy_density,
    local_g,
    mixture_f,
    mixture_g,
    phases,
)

H, T, R, D, N = 2, 3, 5, 3, 6


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def made(kind, dim=D, scale=1.3, even=True, components=T):
    torch.manual_seed(0)
    return KINDS[kind](H, dim, components, scale, even).double()


def estimate(spectrum, pos, count, generator):
    xi, rho, odd = spectrum.ratios(spectrum.draw(count, generator).double())
    n1, n2 = fourier_factors(phases(xi, pos[None]), rho, odd)
    return (n1 @ n2.transpose(2, 3))[0]


def test_factors_against_the_sum_over_frequencies():
    phase = torch.randn(1, H, N, R, generator=seeded(), dtype=torch.float64)
    rho, odd = torch.randn(2, H, R, generator=seeded(1), dtype=torch.float64)
    for other in (None, odd):
        n1, n2 = fourier_factors(phase, rho, other)
        assert n1.shape == n2.shape == (1, H, N, 2 * R)
        for h in range(H):
            for i in range(N):
                for j in range(N):
                    x = phase[0, h, i] - phase[0, h, j]
                    terms = rho[h] * x.cos() + (0 if other is None else other[h] * x.sin())
                    assert float(n1[0, h, i] @ n2[0, h, j]) == pytest.approx(float(terms.mean()), abs=1e-9)
        size = rho.abs() if other is None else torch.hypot(rho, odd)
        torch.testing.assert_close(n1.square().sum(3)[0], size.mean(1)[:, None].expand(H, N), atol=1e-9, rtol=1e-9)
    with_zero = fourier_factors(phase, rho, torch.zeros_like(rho))
    torch.testing.assert_close(with_zero, fourier_factors(phase, rho))


def test_gradients_are_finite_where_rho_is_zero():
    phase = torch.randn(1, H, N, R, generator=seeded())
    for odd in (None, torch.zeros(H, R, requires_grad=True)):
        rho = torch.zeros(H, R, requires_grad=True)
        n1, n2 = fourier_factors(phase, rho, odd)
        (n1.sum() + n2.sum()).backward()
        assert rho.grad.isfinite().all()
        assert n1.abs().max() <= 1.2e-6


def test_phases_against_a_loop():
    xi, pos = torch.randn(H, R, D, generator=seeded()), torch.randn(2, N, D, generator=seeded(1))
    found = phases(xi, pos)
    for b, h, i, k in ((0, 1, 2, 3), (1, 0, 5, 4)):
        assert float(found[b, h, i, k]) == pytest.approx(2 * math.pi * float(xi[h, k] @ pos[b, i]), abs=1e-4)


def test_mixture_against_a_loop_even_and_odd():
    xi = torch.randn(H, R, D, generator=seeded(), dtype=torch.float64)
    w, mu, sigma = (
        torch.randn(H, T, generator=seeded(1)),
        torch.randn(H, T, D, generator=seeded(2)),
        torch.rand(H, T) + 0.3,
    )

    def g(h, x):
        parts = (
            float(w[h, t]) * math.exp(-float((x - mu[h, t]).square().sum()) / (2 * float(sigma[h, t]) ** 2))
            for t in range(T)
        )
        return sum(parts)

    for odd in (False, True):
        found = mixture_g(xi, w.double(), mu.double(), sigma.double(), odd=odd)
        for h in range(H):
            for k in range(R):
                there, back = g(h, xi[h, k]), g(h, -xi[h, k])
                assert float(found[h, k]) == pytest.approx((there - back if odd else there + back) / 2, rel=1e-5)


@pytest.mark.parametrize("odd", [False, True])
def test_closed_form_against_quadrature(odd):
    xi = torch.linspace(-12, 12, 4001, dtype=torch.float64)[None, :, None]
    w, mu, sigma = torch.tensor([[0.7, -0.4]]), torch.tensor([[[0.3], [-0.9]]]), torch.tensor([[0.5, 0.8]])
    w, mu, sigma = w.double(), mu.double(), sigma.double()
    g = mixture_g(xi, w, mu, sigma, odd=odd)[0]
    for z in (0.0, 0.2, -0.45):
        wave = 2 * math.pi * xi[0, :, 0] * z
        wanted = torch.trapezoid(g * (wave.sin() if odd else wave.cos()), xi[0, :, 0])
        found = mixture_f(torch.tensor([[z]], dtype=torch.float64), w, mu, sigma, odd=odd)
        assert float(found[0, 0]) == pytest.approx(float(wanted), abs=1e-9)


def test_densities_integrate_to_one_and_are_what_is_drawn():
    x = torch.linspace(-40, 40, 400_001, dtype=torch.float64)[:, None]
    for scale in (0.5, 1.2):
        assert float(torch.trapezoid(gaussian_density(x, scale), x[:, 0])) == pytest.approx(1, abs=1e-6)
        inside = x.abs()[:, 0] <= CUT * scale
        assert float(torch.trapezoid(heavy_density(x, scale)[inside], x[inside, 0])) == pytest.approx(1, abs=1e-3)
    at = torch.tensor([[0.5, -1.0]], dtype=torch.float64)
    product = heavy_density(at[:, :1], 1.2) * heavy_density(at[:, 1:], 1.2)
    torch.testing.assert_close(heavy_density(at, 1.2), product)
    drawn = made("local", dim=1, scale=1.2).draw(20_000, seeded())
    assert drawn.abs().max() <= CUT * 1.2
    for low, high in ((-0.6, 0.6), (2.0, 12.0)):
        between = (x[:, 0] >= low) & (x[:, 0] <= high)
        share = float(torch.trapezoid(heavy_density(x, 1.2)[between], x[between, 0]))
        assert float(((drawn >= low) & (drawn <= high)).double().mean()) == pytest.approx(share, abs=0.01)
    assert float(made("gmm", scale=1.3).draw(20_000, seeded()).std()) == pytest.approx(1.3, abs=0.02)


@pytest.mark.parametrize(("kind", "even"), [("gmm", True), ("gmm", False), ("kernel", True), ("cauchy", True)])
def test_estimates_come_to_the_closed_form_as_one_over_root_r(kind, even):
    spectrum = made(kind, even=even)
    pos = torch.rand(N, D, generator=seeded(4), dtype=torch.float64)
    with torch.no_grad():
        wanted = spectrum.bias(pos[:, None] - pos)
        errors = [
            torch.stack([estimate(spectrum, pos, count, seeded(s)) - wanted for s in range(20)]).square().mean().sqrt()
            for count in (64, 4096)
        ]
    assert float(errors[1]) < 0.05
    slope = math.log(float(errors[1] / errors[0])) / math.log(64)
    assert slope == pytest.approx(-0.5, abs=0.1)


def test_local_windows_against_the_indicator_away_from_the_edge():
    spectrum = made("local", dim=1, components=1)
    v, c = float(spectrum.v.detach()[0, 0]), spectrum.amplitude.detach()
    for z in (0.0, 0.4 * v, 2.5 * v):
        cut = 2 * math.pi * CUT * spectrum.scale  # what is left of the indicator without frequencies beyond
        band = (sici(cut * (v + z))[0] + sici(cut * (v - z))[0]) / math.pi
        assert band == pytest.approx(float(z <= v), abs=0.07)
        delta = torch.tensor([0.0, z], dtype=torch.float64)[:, None]
        with torch.no_grad():
            found = torch.stack([estimate(spectrum, delta, 512, seeded(s))[:, 1, 0] for s in range(60)])
            exact = spectrum.bias(delta)[:, 1]
        assert torch.equal(exact, c[:, 0] * (z <= v))
        error = found.std(0) / 60**0.5
        assert ((found.mean(0) - c[:, 0] * band).abs() < 3.5 * error).all()


def test_local_windows_by_their_closed_form_in_several_dimensions():
    spectrum = made("local", dim=2)
    v, c = spectrum.v.detach(), spectrum.amplitude.detach()
    z = torch.stack([v[0, 1] * torch.tensor([0.9, -0.9]), v[0, 1] * torch.tensor([0.9, 1.1])])
    found = spectrum.bias(z.double()).detach()
    for point in range(2):
        inside = [bool((z[point].abs() <= v[0, t]).all()) for t in range(T)]
        assert float(found[0, point]) == pytest.approx(sum(float(c[0, t]) for t in range(T) if inside[t]))
    xi = torch.tensor([[[0.0, 0.25]]], dtype=torch.float64)
    by_hand = 2 * 0.3 * math.sin(2 * math.pi * 0.3 * 0.25) / (math.pi * 0.25)
    assert float(local_g(xi, torch.tensor([[0.3]], dtype=torch.float64))) == pytest.approx(by_hand)
    drawn = torch.randn(H, R, 2, generator=seeded(), dtype=torch.float64)
    _, rho, _ = spectrum.ratios(drawn)
    g = sum(c[:, t, None] * local_g(drawn, v[:, t, None]) for t in range(T))
    torch.testing.assert_close(rho, g / heavy_density(drawn, spectrum.scale))


def test_kernels_have_constant_rho_and_their_shapes():
    z = torch.tensor([[0.3, 0.0, 0.4]], dtype=torch.float64)  # at distance 0.5
    for kind, shape in ((KernelSpectrum, lambda x: math.exp(-x * x / 2)), (CauchySpectrum, lambda x: 1 / (1 + x * x))):
        torch.manual_seed(0)
        spectrum = kind(H, D, T, 0.5, even=True).double()
        assert float(spectrum.length[0]) == pytest.approx(1 / math.pi)
        xi, rho, _ = spectrum.ratios(spectrum.draw(R, seeded()).double())
        assert torch.equal(rho, spectrum.amplitude[:, None].expand(H, R))
        assert float(spectrum.bias(z)[1, 0]) == pytest.approx(float(spectrum.amplitude[1]) * shape(0.5 * math.pi))
    gaussian = KernelSpectrum(1, D, T, 0.5, even=True)
    xi, _, _ = gaussian.ratios(gaussian.draw(20_000, seeded()))
    assert float(xi.std()) == pytest.approx(0.5, abs=0.01)  # the spread of frequencies is the scale


@pytest.mark.parametrize("kind", list(KINDS))
def test_biases_are_even_and_of_both_signs_at_the_start(kind):
    spectrum = made(kind)
    pos = torch.rand(N, D, generator=seeded(), dtype=torch.float64)
    with torch.no_grad():
        bias = estimate(spectrum, pos, 32, seeded(1))
        torch.testing.assert_close(bias, bias.transpose(1, 2))
        torch.testing.assert_close(estimate(spectrum, pos + 7.3, 32, seeded(1)), bias, atol=1e-9, rtol=1e-9)
    if kind == "gmm":
        amplitude = GaussianMixture(50, 1, 8, 1.0, even=True).amplitude
        assert amplitude.abs().min() >= 0.15
        assert amplitude.abs().max() <= 0.45
        assert 0.3 < float((amplitude > 0).float().mean()) < 0.7


def test_even_and_odd_parts_have_widths_of_their_own():
    spectrum = made("gmm", even=False)
    with torch.no_grad():
        spectrum.log_sigma[1] -= 0.4
        drawn = spectrum.draw(R, seeded()).double()
        _, rho, odd = spectrum.ratios(drawn)
        p, w, mu = gaussian_density(drawn, spectrum.scale), spectrum.w, spectrum.mu
        widths = [torch.full((H, T), 0.6 * spectrum.scale * math.exp(-less), dtype=torch.float64) for less in (0, 0.4)]
        torch.testing.assert_close(rho, mixture_g(drawn, w[0], mu[0], widths[0]) / p)
        torch.testing.assert_close(odd, mixture_g(drawn, w[1], mu[1], widths[1], odd=True) / p)
        z = torch.rand(N, D, generator=seeded(1), dtype=torch.float64)
        wanted = mixture_f(z, w[0], mu[0], widths[0]) + mixture_f(z, w[1], mu[1], widths[1], odd=True)
        torch.testing.assert_close(spectrum.bias(z), wanted)


def test_odd_parts_tell_left_from_right():
    pos = torch.rand(N, 1, generator=seeded(), dtype=torch.float64)
    for kind in ("gmm", "mlp"):
        spectrum = made(kind, dim=1, even=False)
        with torch.no_grad():
            bias = estimate(spectrum, pos, 32, seeded(1))
        assert (bias - bias.transpose(1, 2)).abs().max() > 0.01


def test_free_form_by_hand():
    spectrum = FreeForm(1, 2, 4, 2.0, even=False).double()
    drawn = torch.randn(1, R, 2, generator=seeded(), dtype=torch.float64)
    _, rho, odd = spectrum.ratios(drawn)

    def net(x):
        return (torch.tanh(x / 2.0 @ spectrum.into[0] + spectrum.shift[0, 0]) @ spectrum.out[0]).tolist()

    for k in range(R):
        there, back = net(drawn[0, k]), net(-drawn[0, k])
        assert float(rho[0, k]) == pytest.approx(float(spectrum.level) + (there[0] + back[0]) / 2)
        assert float(odd[0, k]) == pytest.approx((there[1] - back[1]) / 2)
    assert spectrum.bias(drawn) is None
    assert spectrum.out.shape == (1, 4, 2)  # nothing that is not used
    assert FreeForm(1, 2, 4, 2.0, even=True).out.shape == (1, 4, 1)


def test_sigma_is_kept_from_the_tails():
    spectrum = made("gmm", scale=2.0)
    assert float(spectrum.sigma.detach().max()) == pytest.approx(1.2)
    with torch.no_grad():
        spectrum.log_sigma.fill_(5.0)
    assert float(spectrum.sigma.detach().max()) == pytest.approx(1.8)
    far = spectrum.ratios(40 * torch.ones(H, 1, D, dtype=torch.float64))[1]
    assert far.abs().max() < 1


@pytest.mark.parametrize(
    ("kind", "even"), [("gmm", True), ("gmm", False), ("kernel", True), ("local", True), ("mlp", False)]
)
def test_gradients_against_finite_differences(kind, even):
    spectrum = made(kind, even=even)
    drawn = spectrum.draw(R, seeded()).double()
    pos = torch.rand(N, D, generator=seeded(), dtype=torch.float64)
    names, values = zip(*spectrum.named_parameters(), strict=True)

    def bias(*changed):
        xi, rho, odd = torch.func.functional_call(
            _Ratios(spectrum), {f"of.{n}": v for n, v in zip(names, changed, strict=True)}, (drawn,)
        )
        n1, n2 = fourier_factors(phases(xi, pos[None]), rho, odd)
        return n1 @ n2.transpose(2, 3)

    assert torch.autograd.gradcheck(bias, tuple(v.detach().clone().requires_grad_() for v in values), atol=1e-5)


class _Ratios(torch.nn.Module):
    def __init__(self, of):
        super().__init__()
        self.of = of

    def forward(self, drawn):
        return self.of.ratios(drawn)


def test_local_windows_start_around_one_wavelength():
    v = LocalWindows(H, 1, T, 2.0, even=True).v.detach()
    torch.testing.assert_close(v, (torch.tensor([0.5, 1.0, 1.5]) / (4 * math.pi)).expand(H, T))
