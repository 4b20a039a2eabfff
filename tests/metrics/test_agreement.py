"""Ranks, pairs and rotations against scipy, loops, and what a rotation must not change."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes
from scipy.stats import ortho_group, spearmanr

from holdfast.errors import InputError
from holdfast.metrics.agreement import best_rotation, pairwise_cosines, rank_correlation, rotated_cosine


def test_rank_correlation_is_scipys_with_ties():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, 40), rng.normal(size=40)
    assert rank_correlation(a, torch.from_numpy(b)) == pytest.approx(spearmanr(a, b).statistic)


def test_a_constant_agrees_with_nothing():
    assert rank_correlation([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]) == 0


def test_pairwise_cosines_are_what_loops_give():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(6, 3))
    wanted = [x[i] @ x[j] / np.linalg.norm(x[i]) / np.linalg.norm(x[j]) for i in range(6) for j in range(i + 1, 6)]
    assert np.allclose(pairwise_cosines(x), wanted)


def test_the_best_rotation_is_scipys_and_finds_a_rotation_again():
    rng = np.random.default_rng(2)
    x, noise = rng.normal(size=(20, 4)), rng.normal(size=(20, 4))
    turn = ortho_group.rvs(4, random_state=3)
    assert np.allclose(best_rotation(x + noise, x), orthogonal_procrustes(x + noise, x)[0])
    assert np.allclose(best_rotation(x @ turn.T, x), turn)
    assert rotated_cosine(x @ turn * rng.uniform(0.1, 9, (20, 1)), x) == pytest.approx(1)
    assert rotated_cosine(noise, x) < 0.9


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: rank_correlation([1.0], [2.0]), "first"),
        (lambda: rank_correlation([1.0, 2.0], [2.0, np.nan]), "second"),
        (lambda: rank_correlation([1.0, 2.0], [2.0, 1.0, 3.0]), "second"),
        (lambda: pairwise_cosines(np.zeros((2, 2))), "x"),
        (lambda: best_rotation(np.ones((2, 2)), np.ones((2, 3))), "truth"),
    ],
)
def test_what_cannot_be_compared_is_refused(call, named):
    with pytest.raises(InputError, match=named):
        call()
