"""Laplacians against their definition, eigenvectors against the closed form of paths and rings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.graphs import laplacian as module
from holdfast.graphs.laplacian import laplacian, laplacian_eigenvectors


def path(n: int) -> np.ndarray:
    return np.eye(n, k=1) + np.eye(n, k=-1)


@given(st.integers(0, 2**16), st.integers(2, 9), st.booleans())
def test_the_quadratic_form_is_a_sum_over_edges(seed, n, normalised):
    rng = np.random.default_rng(seed)
    weights = np.triu(rng.random((n, n)) * (rng.random((n, n)) < 0.6), 1)
    weights = weights + weights.T
    x, degree = rng.standard_normal(n), weights.sum(1)
    if normalised:
        x = np.where(degree > 0, x, 0)
        scaled = x / np.sqrt(np.where(degree > 0, degree, 1))
    else:
        scaled = x
    by_edges = sum(weights[i, j] * (scaled[i] - scaled[j]) ** 2 for i in range(n) for j in range(i))
    assert x @ laplacian(weights, normalised=normalised) @ x == pytest.approx(by_edges, abs=1e-9)


def test_a_path_has_cosines():
    n = 12
    vectors, values = laplacian_eigenvectors(path(n), 3, normalised=False)
    for k in (1, 2, 3):
        wave = np.cos(np.pi * k * (np.arange(n) + 0.5) / n)
        wave /= np.linalg.norm(wave) * np.sign(wave[np.abs(wave.round(9)).argmax()])
        assert np.abs(vectors[:, k - 1] - wave).max() < 1e-9
        assert values[k - 1] == pytest.approx(2 - 2 * np.cos(np.pi * k / n))


def test_a_graph_of_any_size_has_the_same_vectors(monkeypatch):
    rng = np.random.default_rng(3)
    points = rng.random((60, 2))
    near = (np.linalg.norm(points[:, None] - points, axis=-1) < 0.35) & ~np.eye(60, dtype=bool)
    dense, values = laplacian_eigenvectors(near, 4)
    monkeypatch.setattr(module, "DENSE", 10)
    sparse, again = laplacian_eigenvectors(near, 4)
    assert np.abs(dense - sparse).max() < 1e-6
    assert np.abs(values - again).max() < 1e-9


def test_nodes_without_edges_are_no_error():
    weights = np.zeros((4, 4))
    weights[0, 1] = weights[1, 0] = 2
    assert np.isfinite(laplacian_eigenvectors(weights, 3)[0]).all()
    assert laplacian(weights)[3].tolist() == [0, 0, 0, 0]


def test_self_loops_do_not_count():
    assert (laplacian(path(4) + np.eye(4)) == laplacian(path(4))).all()


def test_bad_input_is_named():
    for adjacency, words in (
        ([[0, 1], [2, 0]], r"must be symmetric; received 1 at \(0, 1\) and 2 at \(1, 0\)"),
        ([[0, -1], [-1, 0]], "at least 0"),
        ([[0, 1, 0]], "must have shape"),
        ([[0, np.nan], [np.nan, 0]], "finite"),
    ):
        with pytest.raises(InputError, match=words):
            laplacian(adjacency)
    with pytest.raises(InputError, match="count"):
        laplacian_eigenvectors(path(3), 3)
