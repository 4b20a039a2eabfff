"""The landscape's measures: the reference's numbers, closed forms, and Hessians by autograd."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from holdfast.errors import InputError
from holdfast.metrics.landscape.barrier import error_barrier
from holdfast.metrics.landscape.directions import filter_normalised_direction, flatness
from holdfast.metrics.landscape.noise import Welford, gradient_noise, mean_cosine, sample_gradients
from holdfast.metrics.landscape.spectrum import hessian_product, hessian_spectrum, lanczos


# ------------------------------------------------------------------------------------------------ the reference's net
@pytest.fixture(scope="module")
def reference():
    with np.load(Path(__file__).parents[2] / "vectors" / "augmentation_worth.npz") as file:
        stored = {name: torch.from_numpy(file[name]) for name in file.files}
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(16, 5)
    )
    net.load_state_dict({name[3:]: value for name, value in stored.items() if name.startswith("sd/")})
    return net.eval(), stored


def direction_of(stored):
    return {name.removeprefix("dir_seed3/"): value for name, value in stored.items() if name.startswith("dir_seed3/")}


def test_directions_equal_the_references(reference):
    net, stored = reference
    made = filter_normalised_direction(net, torch.Generator().manual_seed(3))
    for name, wanted in direction_of(stored).items():
        assert torch.allclose(made[name], wanted, atol=1e-5), name


def test_flatness_is_the_references_one_step_earlier(reference):
    net, stored = reference

    def loss(forward):
        return F.cross_entropy(forward(stored["X"]), stored["Y"])

    before = copy.deepcopy(net.state_dict())
    walk = flatness(net, loss, direction_of(stored), step=0.1, threshold=1.0)
    distance, steps = stored["flatness_seed3_step0.1_thr1"].tolist()
    assert walk.reached
    assert walk.steps == steps - 1
    assert walk.distance == pytest.approx(distance * (steps - 1) / steps, rel=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    by_hand = [float(loss(net).detach())]
    for _ in range(walk.steps):
        for name, value in net.named_parameters():
            value.data += 0.1 * direction_of(stored)[name]
        by_hand.append(float(loss(net).detach()))
    net.load_state_dict(before)
    assert by_hand[-1] >= 1.0 > max(by_hand[:-1])


def test_gradients_of_samples_and_their_cosines_equal_the_references(reference):
    net, stored = reference
    found = sample_gradients(net, F.cross_entropy, stored["X"][:6], stored["Y"][:6])
    unit = found / found.norm(dim=1, keepdim=True)
    assert torch.allclose(unit, stored["unit_grads_first6"], atol=1e-5)
    pairs = stored["cos_first6"].double()
    assert mean_cosine(found) == pytest.approx(float((pairs.sum() - pairs.trace()) / 30), abs=1e-5)


def test_moments_equal_the_references(reference):
    stored = reference[1]
    moments = Welford()
    for row in stored["welford_in"]:
        moments.add(row)
    assert torch.allclose(moments.mean, stored["welford_mean"], atol=1e-6)
    assert torch.allclose(moments.variance(), stored["welford_var"], atol=1e-6)
    assert torch.allclose(moments.variance().sqrt(), stored["welford_std"], atol=1e-6)
    each, mean = float(stored["welford_sqnorm"]), float(stored["welford_mean"].double().square().sum())
    assert gradient_noise(stored["welford_in"], batch=1).noise == pytest.approx((each - mean) / (1 - 1 / 7), rel=1e-5)


# -------------------------------------------------------------------------------------------------------- directions
def test_filters_of_a_direction_have_the_weights_norms_and_biases_stay():
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(12, 4))
    for name, moved in filter_normalised_direction(net).items():
        weight = net.get_parameter(name)
        wanted = weight.flatten(1).norm(dim=1) if weight.ndim > 1 else torch.zeros(len(weight))
        norms = moved.flatten(1).norm(dim=1) if moved.ndim > 1 else moved
        assert torch.allclose(norms, wanted, rtol=1e-4)


def test_flatness_is_that_of_a_quadratic_and_scales_with_the_direction():
    net = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(net.weight)
    points = torch.tensor([[3.0, 0.0], [0.0, 4.0]])
    direction = {"weight": torch.tensor([[1.0, 1.0]])}

    def loss(forward):
        return forward(points).square().mean()  # 12.5 t^2 at t times the direction: 1 at t = .2828

    walk = flatness(net, loss, direction, step=0.01)
    assert walk.steps == math.ceil(math.sqrt(1 / 12.5) / 0.01)
    assert walk.distance == pytest.approx(walk.steps * 0.01 * math.sqrt(2))
    twice = flatness(net, loss, {"weight": 2 * direction["weight"]}, step=0.005)
    assert twice.distance == pytest.approx(walk.distance)
    assert not flatness(net, loss, direction, step=0.01, max_steps=5).reached


def test_a_loss_that_is_no_number_ends_the_walk():
    net = nn.Linear(1, 1, bias=False)
    walk = flatness(net, lambda f: f(torch.ones(1, 1)).sum() * math.nan, {"weight": torch.ones(1, 1)})
    assert (walk.steps, walk.reached) == (0, True)


@pytest.mark.parametrize("direction", [{}, {"weight": torch.ones(2, 1)}, {"other": torch.ones(1, 1)}])
def test_directions_of_other_models_are_refused(direction):
    with pytest.raises(InputError, match="names and shapes"):
        flatness(nn.Linear(1, 1, bias=False), lambda f: f(torch.ones(1, 1)).sum(), direction)


# ----------------------------------------------------------------------------------------------------------- barriers
def mlp(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))


X, Y = torch.randn(40, 3, generator=torch.Generator().manual_seed(5)), torch.arange(40) % 2


def cross_entropy(net):
    with torch.no_grad():
        return float(F.cross_entropy(net(X), Y))


def permuted(net, order):
    other = copy.deepcopy(net)
    other[0].weight.data, other[0].bias.data = net[0].weight.data[order], net[0].bias.data[order]
    other[2].weight.data = net[2].weight.data[:, order]
    return other


def test_a_barrier_by_loops_and_its_symmetry():
    a, b = mlp(0), mlp(1)
    values = []
    for alpha in np.linspace(0, 1, 7):
        between = mlp(0)
        for p, q, r in zip(between.parameters(), a.parameters(), b.parameters(), strict=True):
            p.data = (1 - alpha) * q.data + alpha * r.data
        values.append(cross_entropy(between))
    rises = [v - ((1 - t) * values[0] + t * values[-1]) for v, t in zip(values, np.linspace(0, 1, 7), strict=True)]
    there, back = error_barrier(a, b, cross_entropy, points=7), error_barrier(b, a, cross_entropy, points=7)
    assert there.values == pytest.approx(values, abs=1e-6)
    assert there.barrier == pytest.approx(max(rises), abs=1e-6) == back.barrier
    assert error_barrier(a, a, cross_entropy).barrier == pytest.approx(0, abs=1e-7)


def test_a_convex_loss_has_no_barrier():
    a, b = nn.Linear(3, 2), nn.Linear(3, 2)
    assert error_barrier(a, b, cross_entropy).barrier == pytest.approx(0, abs=1e-6)


def test_hidden_units_may_be_permuted_in_both_networks_and_not_in_one():
    a, b = mlp(0), mlp(1)
    with torch.no_grad():
        for p in a.parameters():
            p.mul_(3)
    order = torch.tensor([4, 2, 0, 1, 3])
    plain = error_barrier(a, b, cross_entropy).values
    assert error_barrier(permuted(a, order), permuted(b, order), cross_entropy).values == pytest.approx(plain, abs=1e-5)
    wanted = a(X).detach()
    one = error_barrier(a, permuted(a, order), lambda net: float((net(X) - wanted).square().mean()))
    assert one.values[[0, -1]] == pytest.approx([0, 0], abs=1e-9)
    assert one.barrier > 0.01


def test_batch_norm_is_calibrated_at_every_place_and_asked_for():
    def net(seed):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)).eval()

    a, b = net(0), net(1)
    with pytest.raises(InputError, match="batch norm"):
        error_barrier(a, b, cross_entropy)
    seen = []

    def evaluate(model):
        hidden = model[1](model[0](X))
        seen.append((float(hidden.mean().abs()), model.training))
        return cross_entropy(model)

    error_barrier(a, b, evaluate, points=3, recalibrate=(part for part in X.split(40)))
    assert len(seen) == 3
    assert all(mean < 1e-5 and not training for mean, training in seen)
    assert a[1].running_mean.tolist() == [0, 0, 0, 0]  # the networks themselves are as they were


def test_an_error_that_is_no_number_is_infinitely_high():
    calls = iter([1.0, math.nan, 1.0])
    found = error_barrier(nn.Linear(1, 1), nn.Linear(1, 1), lambda _: next(calls), points=3)
    assert found.barrier == math.inf
    assert found.argmax == 0.5


@pytest.mark.parametrize(("other", "message"), [(nn.Linear(3, 3), "shapes"), (nn.Sequential(nn.Linear(3, 2)), "of")])
def test_networks_of_other_forms_are_refused(other, message):
    with pytest.raises(InputError, match=message):
        error_barrier(nn.Linear(3, 2), other, cross_entropy)


# ----------------------------------------------------------------------------------------------------------- spectrum
def loss_of(forward):
    return F.cross_entropy(forward(X), Y)


def full_hessian(net):
    names = [n for n, _ in net.named_parameters()]
    sizes = [p.numel() for p in net.parameters()]
    flat = torch.cat([p.detach().reshape(-1) for p in net.parameters()])

    def at(vector):
        parts = dict(zip(names, vector.split(sizes), strict=True))
        named = {n: parts[n].view_as(p) for n, p in net.named_parameters()}
        return loss_of(lambda x: torch.func.functional_call(net, named, (x,)))

    return torch.autograd.functional.hessian(at, flat)


def test_the_exact_spectrum_is_that_of_autograds_hessian():
    net = mlp().double()
    global_x = X.double()

    def loss(forward):
        return F.cross_entropy(forward(global_x), Y)

    spectrum = hessian_spectrum(net, loss, method="exact")
    with torch.no_grad():
        single = net.float()
    wanted = torch.linalg.eigvalsh(full_hessian(single).double())
    assert torch.allclose(spectrum.eigenvalues, wanted, atol=1e-5)
    assert spectrum.mean() == pytest.approx(float(wanted.mean()), abs=1e-6)


def test_a_mask_takes_rows_and_columns_out():
    net = mlp()
    kept = torch.rand(5, 3, generator=torch.Generator().manual_seed(0)) > 0.4
    spectrum = hessian_spectrum(net, loss_of, mask={"0.weight": kept})
    place = torch.cat([kept.reshape(-1), torch.ones(5 + 10 + 2, dtype=torch.bool)])
    wanted = torch.linalg.eigvalsh(full_hessian(net)[place][:, place].double())
    assert spectrum.dimensions == int(place.sum())
    assert torch.allclose(spectrum.eigenvalues, wanted, atol=1e-5)


def test_lanczos_finds_the_extremes_and_the_mean():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 50), nn.Tanh(), nn.Linear(50, 2))  # 302 weights
    exact = hessian_spectrum(net, loss_of, method="exact")
    found = hessian_spectrum(net, loss_of, method="lanczos", probes=8, generator=torch.Generator().manual_seed(1))
    top, bottom = float(exact.eigenvalues.max()), float(exact.eigenvalues.min())
    assert float(found.eigenvalues.max()) == pytest.approx(top, rel=1e-3)
    assert float(found.eigenvalues.min()) == pytest.approx(bottom, abs=1e-3 * top)
    assert float(found.weights.sum()) == pytest.approx(1)
    product, size = hessian_product(net, loss_of)
    draws = torch.Generator().manual_seed(1)
    probes = [torch.randint(0, 2, (size,), generator=draws).float() * 2 - 1 for _ in range(8)]
    quotients = [float(v @ product(v)) / size for v in probes]
    assert found.mean() == pytest.approx(sum(quotients) / 8, rel=1e-4)


def test_quadrature_is_exact_for_the_moments_of_its_start():
    matrix = torch.diag(torch.tensor([1.0, 2.0, 5.0, 9.0], dtype=torch.float64))
    start = torch.tensor([1.0, 1.0, 2.0, 0.5], dtype=torch.float64)
    values, shares = lanczos(lambda v: matrix @ v, start, 3)
    unit = start / start.norm()
    for power in range(6):  # 3 steps are exact up to the power 2 * 3 - 1
        wanted = float(unit @ torch.linalg.matrix_power(matrix, power) @ unit)
        assert float((shares * values**power).sum()) == pytest.approx(wanted)


def test_lanczos_ends_where_the_space_of_the_start_ends():
    matrix = torch.diag(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    values, shares = lanczos(lambda v: matrix @ v, torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64), 3)
    assert values.tolist() == [2.0]
    assert shares.tolist() == [1.0]


def test_the_product_is_the_hessians():
    net = mlp()
    product, size = hessian_product(net, loss_of)
    vector = torch.randn(size, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(product(vector), full_hessian(net) @ vector, atol=1e-5)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ({"0.weight": torch.ones(3, 5)}, "names and shapes"),
        ({"nothing": torch.ones(1)}, "names and shapes"),
        ({n: torch.zeros_like(p) for n, p in mlp().named_parameters()}, "at least one weight"),
    ],
)
def test_masks_that_do_not_fit_are_refused(mask, message):
    with pytest.raises(InputError, match=message):
        hessian_product(mlp(), loss_of, mask)


def test_a_loss_that_is_no_finite_number_is_refused():
    with pytest.raises(InputError, match="one finite number"):
        hessian_spectrum(mlp(), lambda f: f(X).sum() * math.inf)


# -------------------------------------------------------------------------------------------------------------- noise
def test_the_noise_scale_finds_signal_and_noise_that_were_put_in():
    rng = torch.Generator().manual_seed(0)
    signal = torch.full((50,), 0.3, dtype=torch.float64)  # |g|^2 = 4.5
    samples = signal + 2 * torch.randn(20_000, 50, generator=rng, dtype=torch.float64)  # trace of covariance 200
    found = gradient_noise(samples.view(1000, 20, 50).mean(1), batch=20)
    assert found.noise == pytest.approx(200, rel=0.03)
    assert found.signal == pytest.approx(4.5, rel=0.05)
    assert found.noise_scale == pytest.approx(200 / 4.5, rel=0.07)


def test_signal_and_noise_by_loops():
    gradients = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 0.0]], dtype=torch.float64)
    mean = gradients.mean(0)
    each = sum(float(g @ g) for g in gradients) / 3
    b, whole = 4, 12
    found = gradient_noise(gradients, batch=b)
    assert found.noise == pytest.approx((each - float(mean @ mean)) / (1 / b - 1 / whole))
    assert found.signal == pytest.approx((whole * float(mean @ mean) - b * each) / (whole - b))
    std = gradients.std(0)
    assert found.snr == pytest.approx(float(mean.norm() / (std.norm() + 1e-10)))


def test_cosines_by_loops_and_rows_of_length_zero():
    rows = torch.randn(7, 4, generator=torch.Generator().manual_seed(0))
    rows[3] = 0
    wanted = [
        0.0 if 3 in (i, j) else float(F.cosine_similarity(rows[i], rows[j], dim=0))
        for i in range(7)
        for j in range(7)
        if i != j
    ]
    assert mean_cosine(rows) == pytest.approx(sum(wanted) / 42, abs=1e-6)


@pytest.mark.parametrize("call", [lambda: gradient_noise([torch.ones(2)], 4), lambda: mean_cosine(torch.ones(1, 2))])
def test_one_gradient_says_nothing(call):
    with pytest.raises(InputError, match="at least"):
        call()
