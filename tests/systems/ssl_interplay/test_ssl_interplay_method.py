"""Kernels and spectrum of the SSL interplay: loops, closed forms, the reference's numbers, what must not matter."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import eigh, eigvalsh, pinvh

from holdfast.systems.ssl_interplay import (
    VICRegSpectralLoss,
    exponential_kernel,
    interplay_path,
    ntk_kernel,
    polynomial_kernel,
    rbf_kernel,
    ssl_loss,
    ssl_operator,
    views_loss,
)
from holdfast.systems.ssl_interplay.method.features import cholesky_features, fourier_features
from holdfast.systems.ssl_interplay.method.spectrum import Moments, eigenpairs, largest_reg

VECTORS = Path(__file__).parents[2] / "vectors" / "ssl_interplay.npz"


@pytest.fixture(scope="module")
def vectors():
    with np.load(VECTORS) as found:
        return dict(found)


def problem(seed=0, n=20, m=2, d=3):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 1, d)) + 0.3 * rng.normal(size=(n, m, d))
    return x.reshape(n * m, d), np.repeat(np.arange(n), m)


def moments_of(x, groups, normalization="mean", kernel=rbf_kernel):
    _, phi = cholesky_features(kernel(x, x))
    return phi, Moments.of([(phi, groups)], normalization)


@pytest.mark.parametrize(
    ("kernel", "by_hand"),
    [
        (lambda a, b: rbf_kernel(a, b, 0.7), lambda a, b: math.exp(-0.7 * math.dist(a, b) ** 2)),
        (lambda a, b: exponential_kernel(a, b, 25.0), lambda a, b: math.exp(-math.dist(a, b) / 0.2)),
        (lambda a, b: polynomial_kernel(a, b, 2), lambda a, b: ((1 + sum(a * b)) / 3) ** 2),
    ],
)
def test_kernels_are_what_loops_give(kernel, by_hand):
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    assert np.allclose(kernel(a, b), [[by_hand(u, v) for v in b] for u in a], atol=1e-12)


def test_the_sphere_kernel_is_what_loops_give_and_sees_directions_alone():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))

    def by_hand(u, v):
        c = sum(u * v) / np.linalg.norm(u) / np.linalg.norm(v)
        return (1 + c) * (math.sqrt(1 - c * c) + c * (math.pi - math.acos(c))) / math.pi

    assert np.allclose(ntk_kernel(a, b), [[by_hand(u, v) for v in b] for u in a])
    assert np.allclose(ntk_kernel(3 * a, b), ntk_kernel(a, b))
    assert np.allclose(ntk_kernel(a, a).diagonal(), 2)
    assert (ntk_kernel(np.zeros((1, 3)), b) == 0).all()


def test_cholesky_features_have_the_kernel_as_products_for_new_rows_too():
    x, _ = problem()
    factor, phi = cholesky_features(rbf_kernel(x, x))
    assert np.allclose(phi @ phi.T, rbf_kernel(x, x), atol=1e-10)
    assert np.allclose(factor(rbf_kernel(x, x[factor.pivots])), phi, atol=1e-6)
    new = np.random.default_rng(3).normal(size=(6, 3))
    among = factor(rbf_kernel(new, x[factor.pivots])) @ phi.T
    assert np.allclose(among, rbf_kernel(new, x), atol=1e-4)
    low = x @ x.T
    for scale in (1e-9, 1, 1e9):
        assert cholesky_features(scale * low)[1].shape == (40, 3)


def test_fourier_features_approach_the_kernel():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(8, 3))
    phi = fourier_features(x, 0.4, rng.normal(size=(3, 20000)), rng.uniform(0, 2 * np.pi, 20000))
    assert np.abs(phi @ phi.T - rbf_kernel(x, x, 0.4)).max() < 0.04


@pytest.mark.parametrize("normalization", ["mean", "sum"])
def test_the_operator_links_views_of_an_input(normalization):
    groups = np.array(["b", "a", "b", "c", "b"])
    found = ssl_operator(groups, normalization).toarray()
    for i in range(5):
        for j in range(5):
            count = list(groups).count(groups[i]) if normalization == "mean" else 1
            assert found[i, j] == pytest.approx((groups[i] == groups[j]) / count)
    if normalization == "mean":
        assert np.allclose(found.sum(1), 1)
        assert eigvalsh(found).min() > -1e-12


@pytest.mark.parametrize("normalization", ["mean", "sum"])
def test_moments_are_those_of_dense_matrices_however_they_are_cut(normalization):
    rng = np.random.default_rng(5)
    groups = np.array([0, 0, 0, 1, 2, 2, 3, 3])
    phi = rng.normal(size=(8, 4))
    T = ssl_operator(groups, normalization).toarray()
    for chunks in ([(phi, groups)], [(phi[:4], groups[:4]), (phi[4:], groups[4:])]):
        found = Moments.of(chunks, normalization)
        assert np.allclose(found.covariance(), phi.T @ phi / 8)
        assert np.allclose(found.target(0.7), phi.T @ (0.3 * np.eye(8) + 0.7 * T) @ phi / 8)
        assert found.most == 3
    order = rng.permutation(8)
    assert np.allclose(Moments.of([(phi[order], groups[order])], normalization).linked, found.linked)


@pytest.mark.parametrize(("beta", "normalization"), [(1.0, "mean"), (0.4, "mean"), (2.0, "mean"), (1.0, "sum")])
def test_eigenpairs_are_those_of_the_operator_with_the_inverse(beta, normalization):
    x, groups = problem(n=12)
    kernel = rbf_kernel(x, x, 0.5) + 1e-3 * np.eye(24)
    _, phi = cholesky_features(kernel)
    T = ssl_operator(groups, normalization).toarray()
    dense = (1 - beta) * np.eye(24) + beta * T - 2e-4 * 24 * np.linalg.inv(kernel)
    theta, f = eigh(dense)
    pairs = eigenpairs(Moments.of([(phi, groups)], normalization), 2e-4, 6, beta)
    assert np.allclose(pairs.theta, theta[::-1][:6], atol=1e-8)
    ours = phi @ pairs.weights
    assert np.allclose(ours.T @ ours / 24, np.eye(6), atol=1e-8)
    theirs = f[:, ::-1][:, :6]
    assert np.allclose(ours @ ours.T / 24, theirs @ theirs.T, atol=1e-6)


def test_parity_with_the_reference(vectors):
    x, xi, lam = vectors["x"], vectors["xi"], float(vectors["lam"])
    n, m, points = 60, 2, 120
    assert len(x) == n
    groups = np.arange(points) // m
    kernel = exponential_kernel(xi, xi, 1 / 0.2**2)
    off = ~np.eye(points, dtype=bool)
    assert np.abs(kernel - vectors["K"])[off].max() < 1e-10
    assert np.abs(kernel - vectors["K"]).max() < 1e-6
    script = ssl_operator(groups, "sum").toarray() - lam * pinvh(kernel, atol=1e-5 / n)
    assert np.allclose(eigvalsh(script), vectors["all_eigvals"], atol=1e-6)
    factor, phi = cholesky_features(kernel)
    pairs = eigenpairs(Moments.of([(phi, groups)]), lam / (m * points), 5)
    assert np.allclose(np.sort(m * pairs.theta), np.sort(vectors["eigvals"]), atol=1e-8)

    def projector(a):
        return a @ np.linalg.solve(a.T @ a, a.T)

    test = factor(exponential_kernel(vectors["x_test"], xi[factor.pivots], 1 / 0.2**2)) @ pairs.weights
    assert np.allclose(projector(test), projector(vectors["phi_test"]), atol=1e-6)
    assert np.allclose(projector(phi @ pairs.weights), projector(vectors["eigvecs"]), atol=1e-6)


def test_commuting_operators_have_theta_t_minus_lambda_over_nu():
    size = 12  # functions on a cycle: views are the point and its neighbours, the kernel is stationary
    at = np.arange(size)
    shift = np.cos(2 * np.pi * (at[:, None] - at) / size)
    kernel = 1 + shift + 0.3 * np.cos(4 * np.pi * (at[:, None] - at) / size)
    # Each input is a point; its views are the points x - 1 and x + 1, so that a point has two inputs.
    views = np.stack([(at - 1) % size, (at + 1) % size], 1).ravel()
    groups = np.repeat(at, 2)
    _, phi = cholesky_features(kernel)
    reg, N = 0.01, 2 * size
    pairs = eigenpairs(Moments.of([(phi[views], groups)]), reg, 5)
    frequencies = np.array([0, 1, 1, 2, 2])
    t = (1 + np.cos(2 * 2 * np.pi * frequencies / size)) / 2
    nu = np.array([1, 0.5, 0.5, 0.15, 0.15]) * N / N  # eigenvalues of the kernel over N points
    assert np.allclose(pairs.theta, np.sort(t - reg / nu)[::-1], atol=1e-10)


def test_without_a_kernels_price_theta_is_one_for_every_input_and_zero_else():
    x, groups = problem(n=6, m=3)
    phi, moments = moments_of(x, groups)
    theta = eigenpairs(moments, 1e-13, 18).theta
    assert np.allclose(theta[:6], 1, atol=1e-5)
    assert np.allclose(theta[6 : phi.shape[1] - 4], 0, atol=1e-3)


@pytest.mark.parametrize(("beta", "reg"), [(1.0, 0.02), (1.0, 0.15), (0.5, 0.02)])
def test_the_solution_is_a_minimum_and_the_loss_there_is_known(beta, reg):
    x, groups = problem(n=20, m=3)
    phi, moments = moments_of(x, groups)
    pairs = eigenpairs(moments, reg, 8, beta)
    features = torch.from_numpy(phi.reshape(20, 3, -1))
    weights = torch.from_numpy(pairs.solution()).requires_grad_()
    loss = views_loss(features @ weights, beta) + 2 * reg * weights.square().sum()
    (slope,) = torch.autograd.grad(loss, weights)
    assert float(slope.abs().max()) < 1e-8
    assert float(loss.detach()) == pytest.approx(pairs.minimum(), abs=1e-9)
    assert pairs.active < 8 or reg < 0.1
    for seed in range(5):
        other = weights.detach() + 0.1 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(seed))
        assert float(views_loss(features @ other, beta) + 2 * reg * other.square().sum()) > pairs.minimum()


def test_ssl_loss_is_what_loops_give_and_counts_distinct_pairs():
    rng = torch.Generator().manual_seed(0)
    first, second = (torch.randn(6, 3, generator=rng, dtype=torch.float64) for _ in range(2))
    apart = sum(
        sum((u - v) ** 2 for u, v in zip(a, b, strict=True))
        for a, b in zip(first.tolist(), second.tolist(), strict=True)
    )
    rows = first.tolist() + second.tolist()
    covariance = [[sum(r[i] * r[j] for r in rows) / 12 for j in range(3)] for i in range(3)]
    penalty = sum((covariance[i][j] - (i == j)) ** 2 for i in range(3) for j in range(3))
    assert float(ssl_loss(first, second, 0.7)) == pytest.approx(0.7 * apart / 6 + penalty)
    both = torch.stack([first, second], 1)
    assert float(views_loss(both, 1.4)) == pytest.approx(float(ssl_loss(first, second, 0.7)))
    assert float(VICRegSpectralLoss(0.7)(first, second)) == pytest.approx(float(ssl_loss(first, second, 0.7)))
    turn = torch.linalg.qr(torch.randn(3, 3, generator=rng, dtype=torch.float64))[0]
    assert float(ssl_loss(first @ turn, second @ turn)) == pytest.approx(float(ssl_loss(first, second)))


def test_views_loss_is_the_mean_over_all_pairs_of_views():
    views = torch.randn(4, 3, 2, dtype=torch.float64)
    pairs = [(views[i, a] - views[i, b]).square().sum() for i in range(4) for a in range(3) for b in range(3)]
    flat = views.reshape(12, 2)
    penalty = (flat.T @ flat / 12 - torch.eye(2)).square().sum()
    assert float(views_loss(views, 0.3)) == pytest.approx(float(0.3 * sum(pairs) / len(pairs) + penalty))


def test_order_of_rows_names_of_groups_and_scale_do_not_matter():
    x, groups = problem()
    order = np.random.default_rng(6).permutation(len(x))
    theta = eigenpairs(moments_of(x, groups)[1], 0.01, 6).theta
    assert np.allclose(eigenpairs(moments_of(x[order], groups[order])[1], 0.01, 6).theta, theta, atol=1e-9)
    assert np.allclose(eigenpairs(moments_of(x, 7 - groups)[1], 0.01, 6).theta, theta, atol=1e-9)
    for normalization in ("mean", "sum"):
        plain = eigenpairs(moments_of(x, groups, normalization)[1], 0.01, 6).theta
        for c in (1e-12, 3.0, 1e9):
            scaled = moments_of(x, groups, normalization, kernel=lambda a, b, c=c: c * rbf_kernel(a, b))[1]
            assert np.allclose(eigenpairs(scaled, 0.01 * c, 6).theta, plain, atol=1e-7)


def test_a_path_loses_features_and_the_largest_reg_loses_all():
    x, groups = problem()
    _, moments = moments_of(x, groups)
    most = largest_reg(moments)
    active = [pairs.active for pairs in interplay_path(moments, most * np.array([1e-4, 1e-2, 0.1, 0.99, 1.01]), 15)]
    assert active == sorted(active, reverse=True)
    assert active[0] == 15
    assert active[-2:] == [1, 0]
    empty = eigenpairs(moments, 1.01 * most, 15)
    assert empty.minimum() == 15
    assert not empty.solution().any()
