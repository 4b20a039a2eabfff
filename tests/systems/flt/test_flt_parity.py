"""The numbers of tests/vectors/flt.npz: an independent derivation of our own, as no reference code is public."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from holdfast.layers.linear_attention import FavorKernel, causal_linear_attention, linear_attention
from holdfast.systems.flt.method import (
    GaussianMixture,
    fourier_factors,
    gaussian_density,
    local_g,
    mixture_f,
    mixture_g,
    phases,
)

VECTORS = np.load(Path(__file__).parents[2] / "vectors" / "flt.npz")


@pytest.fixture(params=["d1", "d3"])
def given(request):
    prefix = f"{request.param}_"
    names = [name for name in VECTORS.files if name.startswith(prefix)]
    return {name.removeprefix(prefix): torch.from_numpy(np.asarray(VECTORS[name])) for name in names}


def close(found, wanted):
    torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-10)


def factors(given):
    xi, scale = given["xi"][None], float(given["p_scale"])
    rho = mixture_g(xi, given["w"][None], given["mu"][None], given["sigma"][None]) / gaussian_density(xi, scale)
    return fourier_factors(phases(xi, given["r"][None]), rho)


def test_factors(given):
    n1, n2 = factors(given)
    torch.testing.assert_close(n1[0, 0], given["N1"], rtol=1e-7, atol=1e-8)  # 1e-12 is inside our root
    torch.testing.assert_close(n2[0, 0], given["N2"], rtol=1e-7, atol=1e-8)


def test_closed_form_of_the_mixture(given):
    z = given["r"][:, None] - given["r"]
    close(mixture_f(z, given["w"][None], given["mu"][None], given["sigma"][None])[0], given["f_exact"])


def test_the_module_has_the_same_numbers(given):
    spectrum = GaussianMixture(1, given["r"].shape[1], 4, float(given["p_scale"]), even=True).double()
    sigma = given["sigma"][None, None]
    with torch.no_grad():
        spectrum.log_sigma.copy_(sigma.log())
        spectrum.mu.copy_(given["mu"])
        spectrum.amplitude.copy_(given["w"] * (2 * torch.pi * sigma**2) ** (spectrum.dim / 2))
        close(spectrum.w[0, 0], given["w"])
        xi, rho, odd = spectrum.ratios(given["xi"][None])
        assert odd is None
        n1, n2 = fourier_factors(phases(xi, given["r"][None]), rho)
        torch.testing.assert_close(n1 @ n2.transpose(2, 3), (given["N1"] @ given["N2"].T)[None, None])
        close(spectrum.bias(given["r"][:, None] - given["r"])[0], given["f_exact"])


def test_softmax_with_the_estimated_and_the_exact_bias(given):
    scores = given["q"] @ given["k"].T / given["q"].shape[1] ** 0.5
    n1, n2 = factors(given)
    close((scores + (n1 @ n2.transpose(2, 3))[0, 0]).softmax(1) @ given["v"], given["out_softmax_N1N2"])
    close((scores + given["f_exact"]).softmax(1) @ given["v"], given["out_softmax_f"])


def test_favor_with_the_factors_appended(given):
    kernel = FavorKernel(1, *given["omega"].shape[::-1], stabilise=False).double()
    kernel.omega.copy_(given["omega"])
    n1, n2 = given["N1"], given["N2"]
    shrunk = given["q"].shape[1] ** -0.25
    q = torch.cat([given["q"] * shrunk, n1], 1)[None, None]
    k = torch.cat([given["k"] * shrunk, n2], 1)[None, None]
    v = given["v"][None, None]
    phi_q, (phi_k, scale) = kernel.queries(q), kernel.keys(k, causal=True)
    close(linear_attention(phi_q, phi_k, v)[0, 0], given["out_favor"])
    for chunk in (2, 7):
        close(causal_linear_attention(phi_q, phi_k, v, scale, chunk=chunk)[0, 0], given["out_favor_causal"])


def test_local_windows():
    xi, v = torch.from_numpy(VECTORS["local_xi"]), torch.tensor([[float(VECTORS["local_v"])]], dtype=torch.float64)
    close(local_g(xi[None, :, None], v)[0], torch.from_numpy(VECTORS["local_g"]))
