"""Diagonal linear networks and ReLU networks against the reference's numbers, loops and autograd."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from holdfast import compiled as compiling
from holdfast.systems.large_step_sgd import DiagonalLinearNetwork, dln_sgd, feature_sparsity
from holdfast.systems.large_step_sgd.method import diagonal, relu
from holdfast.systems.large_step_sgd.method.schedule import Hold

VECTORS = Path(__file__).parents[2] / "vectors" / "large_step_sgd.npz"
TOL = {"rtol": 0, "atol": 1e-9}


@pytest.fixture(scope="module")
def saved():
    with np.load(VECTORS) as file:
        return dict(file)


@pytest.mark.parametrize(("kind", "gamma"), [("gd", 0.3), ("sgd", 0.1)])
def test_descent_is_the_references(saved, kind, gamma):
    X, y = saved["dln_X"], saved["dln_y"]
    rows = np.broadcast_to(np.arange(12), (400, 12)) if kind == "gd" else saved["dln_sgd_index"][:, None]
    rates = np.where(np.arange(400) <= 200, gamma, gamma / 3)  # divided after the update of step 200
    found = diagonal.descend(X, rows, y[rows], rates, (0.1, 0.0), 20)
    np.testing.assert_allclose(found.u, saved[f"dln_{kind}_u"], **TOL)
    np.testing.assert_allclose(found.v, saved[f"dln_{kind}_v"], **TOL)
    pairs = list(zip(found.us, found.vs, strict=True))
    np.testing.assert_allclose([diagonal.loss(u, v, X, y) for u, v in pairs], saved[f"dln_{kind}_train"], **TOL)
    test = [diagonal.loss(u, v, saved["dln_Xtest"], saved["dln_ytest"]) for u, v in pairs]
    np.testing.assert_allclose(test, saved[f"dln_{kind}_test"], **TOL)
    if kind == "gd":
        return
    np.testing.assert_allclose(found.us, saved["dln_sgd_us"], **TOL)
    np.testing.assert_allclose(found.vs, saved["dln_sgd_vs"], **TOL)
    ranks = [diagonal.rank(diagonal.jacobian(u, v, X)) for u, v in pairs]
    assert ranks == saved["dln_jac_ranks_1e-4"].tolist()
    np.testing.assert_allclose(diagonal.hessian(found.u, found.v, X, y), saved["dln_hessian"], **TOL)
    np.testing.assert_allclose(np.concatenate(diagonal.gradient(found.u, found.v, X, y)), saved["dln_grad"], **TOL)
    assert np.abs(saved["dln_hessian"] - saved["dln_hessian_of_reference_wrong"]).max() > 1e-3


def test_gradients_give_the_references_ascent_descent(saved):
    X, y = saved["dln_X"], saved["dln_y"]
    u, v = np.full(30, 0.1), np.zeros(30)
    for _ in range(200):
        up, vp = diagonal.gradient(u, v, X, y)
        du, dv = diagonal.gradient(u + 0.05 * up, v + 0.05 * vp, X, y)
        u, v = u - 0.1 * du, v - 0.1 * dv
    np.testing.assert_allclose(u, saved["dln_nsam_u"], **TOL)
    np.testing.assert_allclose(v, saved["dln_nsam_v"], **TOL)


@pytest.fixture
def world():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(7, 4))
    return X, rng.normal(size=7), rng.normal(size=4), rng.normal(size=4)


def test_derivatives_are_autograds(world):
    X, y, u, v = world
    Xt, yt = torch.tensor(X), torch.tensor(y)

    def loss(w):
        return 0.5 * ((Xt @ (w[:4] * w[4:]) - yt) ** 2).mean()

    w = torch.tensor(np.concatenate([u, v]), requires_grad=True)
    assert diagonal.loss(u, v, X, y) == pytest.approx(loss(w).item(), rel=1e-12)
    (g,) = torch.autograd.grad(loss(w), w)
    np.testing.assert_allclose(np.concatenate(diagonal.gradient(u, v, X, y)), g.numpy(), atol=1e-12)
    H = torch.autograd.functional.hessian(loss, w.detach()).numpy()
    np.testing.assert_allclose(diagonal.hessian(u, v, X, y), H, atol=1e-12)
    J = torch.autograd.functional.jacobian(lambda w: Xt @ (w[:4] * w[4:]), w.detach()).numpy()
    np.testing.assert_allclose(diagonal.jacobian(u, v, X), J, atol=1e-12)


def test_the_module_is_the_same_function_and_every_parameter_gets_a_gradient(world):
    X = torch.tensor(world[0], dtype=torch.float32)
    net = DiagonalLinearNetwork(4, init=0.3)
    assert net.u.tolist() == pytest.approx([0.3] * 4)
    assert net.v.tolist() == [0] * 4
    with torch.no_grad():
        net.u.copy_(torch.tensor(world[2]))
        net.v.copy_(torch.tensor(world[3]))
    torch.testing.assert_close(net(X), X @ torch.tensor(world[2] * world[3], dtype=torch.float32))
    net(X).square().sum().backward()
    assert all(p.grad.abs().min() > 0 for p in net.parameters())


def test_sgd_is_a_loop_of_simultaneous_steps(world):
    X, y, *_ = world
    schedule = Hold(hold=0.5, decay=(4.0,), breaks=())
    found = dln_sgd(X, y, 0.05, 30, schedule, seed=3, batch=2, label_noise=0.2, every=7)
    rng = np.random.default_rng(3)
    rows = rng.integers(0, 7, (30, 2))
    targets = y[rows] + 0.2 * rng.standard_normal((30, 2))
    u, v, losses, us = np.full(4, 0.1), np.zeros(4), [], []
    for t in range(30):
        if t % 7 == 0:
            us.append(u)
        rate = 0.05 if t < 15 else 0.0125
        r = [X[i] @ (u * v) - target for i, target in zip(rows[t], targets[t], strict=True)]
        g = sum(e * X[i] for e, i in zip(r, rows[t], strict=True)) / 2
        losses.append(0.5 * np.mean(np.square(r)))
        u, v = u - rate * g * v, v - rate * g * u
    np.testing.assert_allclose(found.u, u, atol=1e-12)
    np.testing.assert_allclose(found.v, v, atol=1e-12)
    np.testing.assert_allclose(found.us, us, atol=1e-12)
    np.testing.assert_allclose(found.losses, losses, atol=1e-12)
    assert found.beta == pytest.approx(u * v)
    assert not found.diverged


def test_without_numba_the_loop_gives_the_same(world, monkeypatch):
    X, y, *_ = world
    compiled = dln_sgd(X, y, 0.1, 50, seed=1)
    monkeypatch.setattr(compiling, "find_spec", lambda name: None)
    plain = compiling.compiled(diagonal._descend.__wrapped__)
    monkeypatch.setattr(diagonal, "_descend", plain)
    np.testing.assert_allclose(dln_sgd(X, y, 0.1, 50, seed=1).u, compiled.u, atol=1e-12)


def test_all_rows_are_gradient_descent_and_a_step_too_large_is_nan(world):
    X, y, *_ = world
    found = dln_sgd(X, y, 0.05, 20, batch=None)
    u, v = np.full(4, 0.1), np.zeros(4)
    for _ in range(20):
        gu, gv = diagonal.gradient(u, v, X, y)
        u, v = u - 0.05 * gu, v - 0.05 * gv
    np.testing.assert_allclose(found.u, u, atol=1e-12)
    lost = dln_sgd(X, y, 50.0, 200)
    assert lost.diverged
    assert np.isnan(lost.losses[-1])
    assert np.isfinite(lost.losses[0])


def test_small_steps_keep_the_difference_of_squares_and_signs_do_not_matter(world):
    X, y, *_ = world
    found = dln_sgd(X, y, 1e-4, 4000)
    np.testing.assert_allclose(found.u**2 - found.v**2, 0.01, atol=1e-4)
    turned = dln_sgd(X, y, 1e-4, 4000, init=(-0.1, 0.0))
    np.testing.assert_allclose(turned.beta, found.beta, atol=1e-12)
    np.testing.assert_allclose(turned.u, -found.u, atol=1e-12)


def test_small_measures():
    assert diagonal.active(np.array([1.0, -0.02, 0.005, 0.0, 0.01])) == 2
    assert diagonal.balancedness(np.array([3.0, -1.0]), np.array([-3.0, 5.0])) == pytest.approx(4.0)
    assert diagonal.rank(np.diag([1.0, 1e-3, 1e-5])) == 2
    assert diagonal.rank(np.diag([1.0, 1e-3, 1e-5]), rtol=1e-2) == 1
    assert diagonal.rank(np.zeros((2, 3))) == 0


# ------------------------------------------------------------------------------------------------------ ReLU networks
def test_relu_network_is_the_references(saved):
    X, W, a = saved["fc2_X"], saved["fc2_W1"], saved["fc2_W2"][0]
    np.testing.assert_allclose(relu.predict(W, a, X), saved["fc2_out"][:, 0], atol=1e-6)
    np.testing.assert_allclose(relu.jacobian(W, a, X), saved["fc2_jac"], atol=1e-6)
    assert [diagonal.rank(relu.jacobian(W, a, X))] == saved["fc2_jac_rank_1e-4"].tolist()
    phi = torch.from_numpy(relu.hidden(W, X))
    norms = phi.norm(dim=1, keepdim=True)
    np.testing.assert_allclose((phi / norms.clamp(min=1e-30)).numpy(), saved["fc2_features_norm"], atol=1e-6)
    for threshold in (0.8, 0.95, 0.99, 0.999):
        report = feature_sparsity(phi, threshold, normalize=True)
        assert report.dedup == pytest.approx(float(saved[f"fc2_sparsity_{threshold}"]), abs=1e-9)


def test_relu_sgd_is_autograds():
    rng = np.random.default_rng(1)
    X, y, W, a = rng.normal(size=(5, 3)), rng.normal(size=5), rng.normal(size=(4, 3)), rng.normal(size=4)
    rows, rates = rng.integers(0, 5, 25), np.linspace(0.05, 0.01, 25)
    found = relu.relu_sgd(X, y, rows, rates, W, a)
    Wt, at = torch.tensor(W, requires_grad=True), torch.tensor(a, requires_grad=True)
    losses = []
    for row, rate in zip(rows, rates, strict=True):
        loss = (at @ torch.relu(Wt @ torch.tensor(X[row])) - y[row]) ** 2
        losses.append(loss.item())
        for p, g in zip((Wt, at), torch.autograd.grad(loss, (Wt, at)), strict=True):
            p.data -= rate * g
    for ours, theirs in zip(found, (Wt.detach(), at.detach(), losses), strict=True):
        np.testing.assert_allclose(ours, np.asarray(theirs), atol=1e-12)
    lost = relu.relu_sgd(X, y, rows, 100 * rates, W, a)
    assert np.isnan(lost[0]).all()
    assert np.isnan(lost[2][-1])
