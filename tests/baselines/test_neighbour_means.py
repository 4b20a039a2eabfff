"""Neighbour means against a loop over points, and the choice of k."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.baselines.neighbour_means import NeighbourMeans, neighbour_means
from holdfast.data.point_sets import pad_sets
from holdfast.errors import InputError


def made(sets=30, seed=0):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(5, 12, sets)
    ids = np.repeat(np.arange(sets), sizes)
    return ids, rng.random((len(ids), 2)), rng.normal(size=(len(ids), 1))


def by_hand(ids, pos, x, k):
    out = np.zeros((len(ids), 3))
    for i in range(len(ids)):
        mine = np.flatnonzero(ids == ids[i])
        near = mine[np.argsort(((pos[mine] - pos[i]) ** 2).sum(1))[:k]]
        out[i] = np.concatenate([x[near].mean(0), (pos[near] - pos[i]).mean(0)])
    return out


def test_means_against_a_loop():
    ids, pos, x = made()
    sets, _, rows = pad_sets(ids, pos, x)
    for k, found in zip((1, 3, 20), neighbour_means(sets, (1, 3, 20)), strict=True):  # no set has 20
        flat = np.zeros((len(ids), 3))
        flat[rows[rows >= 0]] = found.numpy()[rows >= 0]
        np.testing.assert_allclose(flat, by_hand(ids, pos, x, k), atol=1e-5)


def test_it_finds_k_and_the_weights():
    ids, pos, x = made(60)
    y = 2 * by_hand(ids, pos, x, 4)[:, 0] - 0.5 * x[:, 0] + 3
    sets, _, _ = pad_sets(ids, pos, x, y)
    model = NeighbourMeans().fit(sets)
    assert model.k == 4
    torch.testing.assert_close(model.predict(sets)[sets.real], sets.y[sets.real], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(model.weights, torch.tensor([-0.5, 2, 0, 0, 3]), atol=1e-2, rtol=1e-2)


def test_few_sets_and_single_points():
    ids, pos, x = made(2)
    sets, _, _ = pad_sets(ids, pos, x, x[:, 0])
    assert NeighbourMeans().fit(sets).predict(sets).shape == sets.y.shape
    with pytest.raises(InputError, match="at least two points"):
        NeighbourMeans().fit(pad_sets([0, 1], [[0.0], [1.0]])[0])
