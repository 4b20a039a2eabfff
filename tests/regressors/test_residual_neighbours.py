"""Residuals of the nearest known rows, against loops over all of them."""

from __future__ import annotations

import numpy as np
import torch

from holdfast.regressors.residual_neighbours import ResidualNeighbours


def tensor(x) -> torch.Tensor:
    return torch.tensor(x, dtype=torch.float32)


def test_neighbours_are_near_once_every_dimension_has_the_same_spread() -> None:
    rng = np.random.default_rng(0)
    units, offset = np.array([1.0, 100.0, 0.01]), np.array([50.0, -3000.0, 7.0])
    points, x = rng.normal(size=(40, 3)) * units + offset, rng.normal(size=(10, 3)) * units + offset
    errors = rng.exponential(size=40)
    known = ResidualNeighbours.of(tensor(points), tensor(errors), k=4)
    apart = np.linalg.norm((x[:, None] - points) / points.std(0), axis=2)
    nearest = np.argsort(apart, 1)[:, :4]
    assert known.nearest(tensor(x))[1].tolist() == nearest.tolist()
    assert np.allclose(known.nearest(tensor(x))[0], np.take_along_axis(apart, nearest, 1), rtol=1e-3)
    assert np.allclose(known(tensor(x)), errors[nearest].mean(1), rtol=1e-5)


def test_fewer_pairs_than_neighbours_are_all_neighbours() -> None:
    known = ResidualNeighbours.of(tensor([[0.0], [1.0], [9.0]]), tensor([1.0, 3.0, 50.0]), k=10)
    assert known(tensor([[0.4], [100.0]])).tolist() == [18.0, 18.0]
