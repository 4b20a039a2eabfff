"""Linear maps and what they say of their errors, against closed forms and loops where dimensions are unlike."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes

from holdfast.systems.fct import Affine, Ensemble, Procrustes, Ridge
from holdfast.systems.fct.tool.maps import PENALTIES


def tensor(x) -> torch.Tensor:
    return torch.tensor(np.asarray(x), dtype=torch.float32)


# -------------------------------------------------------------------------------------------------------------- fitting
def test_procrustes_is_scipy_s_rotation_with_the_scale_of_least_squares() -> None:
    """Where no rotation fits exactly."""
    rng = np.random.default_rng(0)
    old, new = rng.normal(1, 2, size=(30, 4)), rng.normal(size=(30, 4))
    rotation, _ = orthogonal_procrustes(old, new)
    turned = old @ rotation
    scale = (turned * new).sum() / np.square(turned).sum()
    assert np.allclose(Procrustes().fit(old, new)(tensor(old)), scale * turned, atol=1e-5)


def test_ridge_of_one_input_is_a_straight_line() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(5, 2, size=(20, 1)), rng.normal(size=(20, 1))
    slope, offset = np.polyfit(x[:, 0], y[:, 0], 1)
    assert np.allclose(Ridge(0.0).fit(x, y)(tensor(x)), slope * x + offset, atol=1e-5)


@pytest.mark.parametrize("penalty", [0.0, 0.1, None])
def test_inputs_that_never_vary_predict_the_mean(penalty: float | None) -> None:
    new = np.random.default_rng(0).normal(size=(10, 2))
    found = Ridge(penalty).fit(np.full((10, 3), 7.0), new)(torch.full((1, 3), 7.0))
    assert np.allclose(found, new.mean(0), atol=1e-6)


def test_penalties_are_powers_of_ten() -> None:
    wanted = [1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100]
    assert list(PENALTIES) == pytest.approx(wanted)


def test_a_fitted_map_knows_its_sizes() -> None:
    rng = np.random.default_rng(0)
    old, side, new = rng.normal(size=(20, 4)), rng.normal(size=(20, 2)), rng.normal(size=(20, 3))
    fitted = {(4, None, 3): Ridge().fit(old, new), (4, 2, 3): Ridge().fit(old, new, side)}
    fitted[4, None, 4] = Procrustes().fit(old, old)
    for sizes, made in fitted.items():
        assert (made.old_dim, made.side_dim, made.new_dim) == sizes


@pytest.mark.parametrize("seed", range(12))
def test_the_chosen_penalty_has_the_least_error_of_fits_without_each_pair(seed: int) -> None:
    """By fitting again without each pair, with the standardisation of all, as the hat matrix takes it."""
    rng = np.random.default_rng(seed)
    rows, dim = 12, 4 + seed % 4
    x = rng.normal(size=(rows, dim))
    x = (x - x.mean(0)) / x.std(0)
    new = x[:, :2] + 10.0 ** (seed % 3 - 1) * rng.normal(size=(rows, 2))
    design = np.c_[x, np.ones(rows)]

    def left_out(penalty: float) -> float:
        errors = []
        for i in range(rows):
            rest = np.delete(design, i, 0)
            gram = rest.T @ rest + np.diag([rows * penalty] * dim + [0])
            errors.append(np.square(design[i] @ np.linalg.solve(gram, rest.T @ np.delete(new, i, 0)) - new[i]).mean())
        return float(np.mean(errors))

    best = min(PENALTIES, key=left_out)
    assert torch.equal(Ridge().fit(x, new).weight, Ridge(best).fit(x, new).weight)


# ------------------------------------------------------------------------------------------------------ expected errors
def affine(seed: int) -> Affine:
    rng = np.random.default_rng(seed)
    return Affine.of(rng.normal(size=(5, 3)), rng.normal(size=3), old_dim=3)


def test_an_ensemble_says_the_mean_and_the_variance_of_its_members() -> None:
    members = [affine(seed) for seed in range(3)]
    rng = np.random.default_rng(9)
    old, side = tensor(rng.normal(size=(4, 3))), tensor(rng.normal(size=(4, 2)))
    said = [member(old, side).tolist() for member in members]
    both = Ensemble(members)
    for i in range(4):
        columns = [[said[m][i][j] for m in range(3)] for j in range(3)]
        means = [sum(c) / 3 for c in columns]
        variance = sum(sum((v - mean) ** 2 for v in c) / 2 for c, mean in zip(columns, means, strict=True))
        assert both(old, side)[i].tolist() == pytest.approx(means, abs=1e-6)
        assert float(both.expected_error(old, side)[i]) == pytest.approx(variance, rel=1e-5)
    assert (both.old_dim, both.side_dim, both.new_dim) == (3, 2, 3)
