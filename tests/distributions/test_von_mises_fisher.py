"""The distribution: normaliser, mean, samples and their gradients, caps; against scipy, quadrature, the reference."""

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.special
import torch
from scipy.integrate import quad
from scipy.stats import kstest, vonmises_fisher

from holdfast.distributions.vmf_normaliser import log_vmf_normalizer, vmf_mean_resultant
from holdfast.distributions.von_mises_fisher import VonMisesFisher, cap_threshold, cosine_slope
from holdfast.errors import InputError

VECTORS = np.load(Path(__file__).parents[1] / "vectors" / "mcinfonce.npz")
KAPPAS = torch.tensor(VECTORS["kappas"])


def first_axis(p, *shape):
    mu = torch.zeros(*shape, p, dtype=torch.float64)
    mu[..., 0] = 1
    return mu


@pytest.mark.parametrize("p", [2, 3, 4, 8, 10, 16, 32, 64])
def test_the_normaliser_is_that_of_the_reference_values(p):
    np.testing.assert_allclose(log_vmf_normalizer(KAPPAS, p), VECTORS[f"exact_logC_p{p}"], rtol=1e-9)
    if f"exact_ratio_p{p}" in VECTORS:
        uniform = log_vmf_normalizer(torch.zeros_like(KAPPAS), p)
        ratio = uniform - log_vmf_normalizer(KAPPAS, p)
        np.testing.assert_allclose(ratio, VECTORS[f"exact_ratio_p{p}"], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("p", [4, 8, 10, 16, 32, 64])
def test_the_references_fits_are_far_from_it(p):
    """The reference's polynomials, whose coefficients follow from its values, miss the exact ones at small kappa."""
    for name, power in (("logC", 1.1), ("ratio", 1.55)):
        rows = torch.stack([torch.ones_like(KAPPAS), KAPPAS, KAPPAS**power], 1).numpy()
        fit, *_ = np.linalg.lstsq(rows, VECTORS[f"ref_{name}_p{p}"], rcond=None)
        np.testing.assert_allclose(rows @ fit, VECTORS[f"ref_{name}_p{p}"], rtol=1e-6, atol=1e-6)
    uniform = log_vmf_normalizer(torch.zeros_like(KAPPAS), p)
    ours = (uniform - log_vmf_normalizer(KAPPAS, p)).numpy()
    assert np.abs(ours - VECTORS[f"ref_ratio_p{p}"]).max() > 4
    if p == 10:
        assert ours[0] - VECTORS["ref_ratio_p10"][0] == pytest.approx(8.6, abs=0.1)


@pytest.mark.parametrize("p", [3, 10])
def test_the_mean_is_that_of_the_reference_values(p):
    np.testing.assert_allclose(vmf_mean_resultant(KAPPAS, p), VECTORS[f"A_p{p}"], rtol=1e-9)


@pytest.mark.parametrize("p", [2, 3, 5, 61, 128, 256, 2048])
def test_nothing_underflows(p):
    k = torch.tensor([0.0, 1e-8, 1e-3, 0.019, 0.021, 1.0, 30.0, 1e3, 1e5], dtype=torch.float64)
    mean, log_c = vmf_mean_resultant(k, p), log_vmf_normalizer(k, p)
    assert bool(torch.isfinite(log_c).all())
    assert bool((mean.diff() > 0).all())
    assert bool((mean[1:] < 1).all())
    uniform = math.lgamma(p / 2) - math.log(2) - p / 2 * math.log(math.pi)
    assert float(log_c[0]) == pytest.approx(uniform, rel=1e-12)
    assert float(mean[1] / k[1]) == pytest.approx(1 / p, rel=1e-6)
    v = p / 2 - 1
    scaled = scipy.special.ive(v, k.numpy())
    known = (scaled > 1e-300) & (k.numpy() > 0)
    expected = v * np.log(k.numpy()[known]) - p / 2 * math.log(2 * math.pi) - np.log(scaled[known]) - k.numpy()[known]
    np.testing.assert_allclose(log_c.numpy()[known], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("p", [2, 3, 10, 300])
def test_derivatives(p):
    k = torch.tensor([0.01, 0.7, 5.0, 60.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda k: log_vmf_normalizer(k, p), (k,), atol=1e-7)
    assert torch.autograd.gradcheck(lambda k: vmf_mean_resultant(k, p), (k,), atol=1e-7)
    (slope,) = torch.autograd.grad(log_vmf_normalizer(k, p).sum(), k)
    torch.testing.assert_close(slope, -vmf_mean_resultant(k.detach(), p))


@pytest.mark.parametrize("p", [2, 3, 6])
def test_density_is_scipys(p):
    mu = torch.nn.functional.normalize(torch.randn(p, generator=torch.Generator().manual_seed(0)).double(), dim=0)
    z = torch.nn.functional.normalize(torch.randn(20, p, generator=torch.Generator().manual_seed(1)).double(), dim=1)
    law = VonMisesFisher(mu, torch.tensor([7.0]).double())
    other = vonmises_fisher(mu.numpy(), 7.0)
    np.testing.assert_allclose(law.log_prob(z), other.logpdf(z.numpy()), rtol=1e-9)
    assert float(law.entropy()) == pytest.approx(float(other.entropy()), rel=1e-9)
    uniform = VonMisesFisher(mu, torch.tensor([1e-9]).double())
    assert float(uniform.kl_to_uniform()) == pytest.approx(0, abs=1e-8)
    assert float(law.kl_to_uniform()) > 1


def marginal(p, k):
    """The distribution function of mu.z by quadrature of the angle."""
    top = k * (1 if k > 0 else 0)

    def density(a):
        return math.exp(k * math.cos(a) - top) * math.sin(a) ** (p - 2)

    whole = quad(density, 0, math.pi, epsabs=0, limit=200)[0]
    return np.vectorize(lambda w: quad(density, math.acos(w), math.pi, epsabs=0, limit=200)[0] / whole)


@pytest.mark.parametrize(("p", "k"), [(2, 3.0), (3, 0.5), (3, 40.0), (10, 16.0), (40, 200.0)])
def test_samples_have_the_law(p, k):
    law = VonMisesFisher(first_axis(p), torch.tensor([k]).double())
    z = law.sample((400,))
    torch.testing.assert_close(z.norm(dim=1), torch.ones(400).double(), atol=1e-5, rtol=0)
    many = VonMisesFisher(first_axis(p), torch.tensor([k]).double()).rsample(
        (20_000,), torch.Generator().manual_seed(3)
    )
    mean, error = many[:, 0].mean(), many[:, 0].std() / math.sqrt(20_000)
    assert abs(float(mean) - float(law.mean[0])) < 4 * float(error)
    assert float(many[:, 1:].mean(0).abs().max()) < 5 / math.sqrt(20_000 * max(p - 1, 1))
    cosines = many[:400, 0].numpy().clip(-1, 1)
    assert kstest(cosines, marginal(p, k)).pvalue > 1e-3


def test_samples_turn_with_mu_and_are_exact_at_infinity():
    mu = torch.nn.functional.normalize(torch.randn(5, 7, generator=torch.Generator().manual_seed(0)), dim=1)
    sharp = VonMisesFisher(mu, torch.full((5, 1), torch.inf)).rsample((3,))
    torch.testing.assert_close(sharp, mu.expand(3, 5, 7))
    z = VonMisesFisher(mu, torch.full((5, 1), 50.0)).rsample((4000,), torch.Generator().manual_seed(0))
    torch.testing.assert_close(z.mean(0), vmf_mean_resultant(torch.tensor(50.0), 7) * mu, atol=0.01, rtol=0)


@pytest.mark.parametrize("row", range(4))
def test_gradients_of_samples(row):
    p, k, _, mean, pathwise, exact = VECTORS["gradcheck_p_k_meanw_A_pathgrad_exactgrad"][row]
    assert mean == pytest.approx(float(vmf_mean_resultant(torch.tensor(k), int(p))), rel=1e-7)
    found = {}
    for grad in ("implicit", "pathwise"):
        kappa = torch.tensor([k], dtype=torch.float64, requires_grad=True)
        law = VonMisesFisher(first_axis(int(p)), kappa, grad)
        w = law.cosines((60_000,), torch.Generator().manual_seed(1))
        (slope,) = torch.autograd.grad(w.mean(), kappa)
        found[grad] = float(slope)
    assert found["implicit"] == pytest.approx(exact, rel=0.01)
    if p == 5:
        assert found["pathwise"] == pytest.approx(pathwise, rel=0.02)
        assert found["pathwise"] < 0.9 * exact


@pytest.mark.parametrize(("p", "k"), [(2, 3.0), (3, 20.0), (5, 2.0), (10, 100.0), (256, 30.0)])
def test_the_slope_is_that_of_the_distribution_function(p, k):
    sigma = 1 / math.sqrt(k + p)
    centre = float(vmf_mean_resultant(torch.tensor(k), p))
    for w in (centre - sigma, centre, min(centre + sigma / 2, 0.5 + centre / 2)):
        step = 1e-4 * k
        rise = (marginal(p, k + step)(w) - marginal(p, k - step)(w)) / (2 * step)
        density = (marginal(p, k)(w + 1e-5) - marginal(p, k)(w - 1e-5)) / 2e-5
        found = float(cosine_slope(torch.tensor(w).double(), torch.tensor(k).double(), p))
        assert found == pytest.approx(-rise / density, rel=2e-3)


def test_for_three_dimensions_both_gradients_are_the_implicit_one():
    kappa = torch.full((50, 1), 8.0, dtype=torch.float64, requires_grad=True)
    w = VonMisesFisher(first_axis(3, 50), kappa).cosines((), torch.Generator().manual_seed(0))
    (slope,) = torch.autograd.grad(w.sum(), kappa)
    torch.testing.assert_close(slope, cosine_slope(w.detach(), kappa.detach(), 3), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("p", "k"), [(2, 3.0), (3, 10.0), (8, 0.5), (30, 500.0)])
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_the_cap_holds_what_it_says(p, k, level):
    t = float(cap_threshold(torch.tensor(k).double(), p, level))
    assert float(marginal(p, k)(t)) == pytest.approx(1 - level, abs=1e-7)


def test_the_cap_in_three_dimensions_in_closed_form():
    k = torch.tensor([0.1, 1.0, 10.0, 1000.0]).double()
    closed = 1 + torch.log(0.05 + 0.95 * torch.exp(-2 * k)) / k
    torch.testing.assert_close(cap_threshold(k, 3), closed, rtol=1e-8, atol=1e-9)
    assert float(cap_threshold(torch.tensor(torch.inf), 3)) == 1


@pytest.mark.parametrize(
    ("loc", "kappa", "named"),
    [
        (torch.ones(3), torch.ones(1), "unit vectors"),
        (torch.ones(1), torch.ones(1), "p at least 2"),
        (torch.eye(3), torch.ones(3), "concentration"),
        (torch.eye(3), torch.zeros(3, 1), "above 0"),
        (torch.eye(3), torch.full((3, 1), torch.nan), "above 0"),
    ],
)
def test_bad_parameters(loc, kappa, named):
    with pytest.raises(InputError, match=named):
        VonMisesFisher(loc, kappa)


def test_bad_arguments():
    with pytest.raises(InputError, match="grad"):
        VonMisesFisher(torch.eye(3), torch.ones(3, 1), "none")
    with pytest.raises(InputError, match="level"):
        cap_threshold(torch.ones(1), 3, level=1.0)
