"""KernelSSL on a user's arrays."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.systems.ssl_interplay import KernelSSL, rbf_kernel
from holdfast.systems.ssl_interplay import estimator as module


def views(n=40, m=2, d=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 1, d)) + 0.2 * rng.normal(size=(n, m, d))


def span(a):
    q, _ = np.linalg.qr(a)
    return q @ q.T


def flat(x):
    return x.reshape(-1, x.shape[2]), np.repeat([f"g{i}" for i in range(len(x))], x.shape[1])


def test_views_and_groups_are_two_ways_to_say_the_same():
    x = views()
    rows, groups = flat(x)
    order = np.random.default_rng(1).permutation(len(rows))
    first = KernelSSL(5).fit(x)
    second = KernelSSL(5).fit(rows[order], groups[order])
    assert np.allclose(first.eigenvalues_, second.eigenvalues_, atol=1e-8)
    assert np.allclose(span(first.transform(rows)), span(second.transform(rows)), atol=1e-5)


def test_features_are_uncorrelated_scaled_and_agree_on_views():
    x = views(100)
    rows, _ = flat(x)
    plain = KernelSSL(4, scale_features=False).fit(x).transform(rows)
    assert np.allclose(plain.T @ plain / len(rows), np.eye(4), atol=1e-6)
    model = KernelSSL(4).fit(x)
    assert np.allclose(np.abs(model.transform(rows)), np.abs(plain) * np.sqrt(model.eigenvalues_), atol=1e-5)
    a, b = (KernelSSL(4, scale_features=False).fit(x).transform(x[:, i]) for i in (0, 1))
    agreement = [np.corrcoef(a[:, j], b[:, j])[0, 1] for j in range(4)]
    assert min(agreement) > 0.5


def test_all_rows_as_landmarks_are_the_exact_answer_and_few_come_near():
    x = views(60)
    rows, _ = flat(x)
    exact = KernelSSL(3).fit(x)
    assert np.allclose(KernelSSL(3, method="nystroem", n_landmarks=120).fit(x).eigenvalues_, exact.eigenvalues_)
    few = KernelSSL(3, method="nystroem", n_landmarks=60).fit(x)
    assert len(few.points_) <= 60
    assert np.abs(few.eigenvalues_ - exact.eigenvalues_).max() < 0.05
    fourier = KernelSSL(3, method="rff", n_landmarks=2000).fit(x)
    assert np.abs(fourier.eigenvalues_ - exact.eigenvalues_).max() < 0.1
    assert fourier.transform(rows).shape == (120, 3)


def test_rows_in_chunks_are_rows_at_once(monkeypatch):
    x = views(30, 3)
    rows, groups = flat(x)
    whole = KernelSSL(4, method="nystroem", n_landmarks=50).fit(rows, groups)
    seen = []
    monkeypatch.setattr(module, "CHUNK", 7)
    parts = KernelSSL(4, method="nystroem", n_landmarks=50).fit(rows, groups, progress=lambda *a: seen.append(a))
    assert np.allclose(parts.eigenvalues_, whole.eigenvalues_)
    assert np.allclose(np.abs(parts.transform(rows)), np.abs(whole.transform(rows)), atol=1e-6)
    assert seen[-1] == (90, 90)
    assert len(seen) > 5


def test_a_precomputed_kernel_and_a_function_are_the_kernel():
    x = views(20)
    rows, groups = flat(x)
    named = KernelSSL(3, gamma=0.3).fit(rows, groups)
    kernel = rbf_kernel(rows, rows, 0.3)
    given = KernelSSL(3, kernel="precomputed").fit(kernel, groups)
    assert np.allclose(given.eigenvalues_, named.eigenvalues_, atol=1e-8)
    new = np.random.default_rng(2).normal(size=(5, 4))
    answers = given.transform(rbf_kernel(new, rows, 0.3)), named.transform(new)
    assert np.allclose(np.abs(answers[0]), np.abs(answers[1]), atol=1e-5)
    called = KernelSSL(3, kernel=lambda a, b: rbf_kernel(a, b, 0.3)).fit(rows, groups)
    assert np.allclose(called.eigenvalues_, named.eigenvalues_, atol=1e-10)


@pytest.mark.parametrize("kernel", ["exponential", "polynomial", "ntk"])
def test_other_kernels_learn_too(kernel):
    assert KernelSSL(3, kernel=kernel, reg=1e-4).fit(views()).n_active_ == 3


def test_augment_draws_the_views():
    x = views(30)[:, 0]
    model = KernelSSL(3, views=3).fit(x, augment=lambda rows, rng: rows + 0.1 * rng.normal(size=rows.shape))
    assert model.transform(x).shape == (30, 3)
    same = KernelSSL(3, views=3).fit(x, augment=lambda rows, rng: rows + 0.1 * rng.normal(size=rows.shape))
    assert np.array_equal(model.eigenvalues_, same.eigenvalues_)


def test_no_reg_is_the_largest_that_leaves_all_alive():
    x = views(50)
    model = KernelSSL(6, reg=None).fit(x)
    assert model.n_active_ == 6
    step = 10**0.2  # of the grid
    with pytest.warns(UserWarning, match="of 6 features have a positive eigenvalue"):
        assert KernelSSL(6, reg=model.reg_ * step).fit(x).n_active_ < 6


def test_collapse_is_reported_and_refused():
    x = views(50)
    with pytest.warns(UserWarning, match="left out"):
        model = KernelSSL(20, reg=0.05).fit(x)
    report = model.collapse_report()
    assert report["active"] == model.n_active_ < 20
    assert report["first dead"] <= 0
    assert 1 <= report["effective rank"] <= model.n_active_
    with pytest.raises(InputError, match="must be below") as refused:
        KernelSSL(3, reg=1.0).fit(x)
    assert f"{model.largest_reg_:.4g}" in str(refused.value)
    with pytest.warns(UserWarning, match="left out"):
        KernelSSL(20, reg=0.999 * model.largest_reg_).fit(x)


def test_single_views_are_said():
    rows, groups = flat(views(10))
    with pytest.warns(UserWarning, match="1 inputs have a single view"):
        KernelSSL(3).fit(rows[1:], groups[1:])


@pytest.mark.parametrize(
    ("settings", "data", "named"),
    [
        ({"reg": 0}, {}, "reg"),
        ({"reg": -1.0}, {}, "reg"),
        ({"n_components": 0}, {}, "n_components"),
        ({"kernel": "cosine"}, {}, "kernel"),
        ({"method": "svd"}, {}, "method"),
        ({"method": "rff", "kernel": "ntk"}, {}, "method"),
        ({"normalization": "max"}, {}, "normalization"),
        ({}, {"X": np.ones((20, 4))}, "X"),
        ({}, {"groups": None}, "groups"),
        ({}, {"groups": np.arange(20)}, "groups"),
        ({}, {"groups": np.arange(19)}, "groups"),
        ({}, {"groups": [None] * 20}, "groups"),
        ({}, {"X": views(10), "groups": np.arange(10)}, "groups"),
        ({"kernel": "precomputed"}, {}, "X"),
        ({"kernel": "precomputed"}, {"X": -np.eye(20)}, "X"),
        ({"kernel": "precomputed"}, {"X": np.triu(np.ones((20, 20)))}, "X"),
    ],
)
def test_what_cannot_be_used_is_refused(settings, data, named):
    rows, groups = flat(views(10))
    with pytest.raises(InputError, match=named):
        KernelSSL(**settings).fit(**{"X": rows, "groups": groups, **data})


@pytest.mark.parametrize("rows", [np.ones((3, 5)), np.ones(4), np.full((2, 4), np.nan), [["a"] * 4]])
def test_rows_of_another_kind_are_refused(rows):
    with pytest.raises(InputError, match="X"):
        KernelSSL(3).fit(views()).transform(rows)


@pytest.mark.parametrize(
    "change", [lambda rows: rows[:-1], lambda rows: np.tile(rows, (2, 1)), lambda rows: rows[:, :-1]]
)
def test_views_of_another_shape_than_the_rows_are_refused(change):
    with pytest.raises(InputError, match="augment"):
        KernelSSL(3).fit(views(10)[:, 0], augment=lambda rows, rng: change(rows))
