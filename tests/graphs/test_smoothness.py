"""Energies of graphs by loops, and what they must not depend on."""

import math

import pytest
import torch

from holdfast.graphs.edges import grid_edges
from holdfast.graphs.smoothness import dirichlet_energy, rayleigh_quotient

EDGES = torch.tensor([[0, 1, 1, 2, 3, 0], [1, 0, 2, 1, 0, 3]])
X = torch.tensor([[1.0, 2.0], [0.5, -1.0], [3.0, 0.0], [2.0, 2.0], [9.0, 9.0]], dtype=torch.float64)


def energy(x, degrees):
    total = 0.0
    for i, j in EDGES.T.tolist():
        total += sum((float(x[i, k]) * degrees[i] - float(x[j, k]) * degrees[j]) ** 2 for k in range(2))
    return total / len(x)


def test_energy_by_loops():
    assert float(dirichlet_energy(X, EDGES)) == pytest.approx(energy(X, [1] * 5))
    roots = [1 / math.sqrt(1 + degree) for degree in (2, 2, 1, 1, 0)]
    assert float(dirichlet_energy(X, EDGES, normalize=True)) == pytest.approx(energy(X, roots))


def test_normalised_energy_is_0_where_the_convolution_of_a_gcn_smooths_to():
    edges = grid_edges(3, 3)
    degree = torch.bincount(edges[1]).double()
    assert float(dirichlet_energy((1 + degree).sqrt()[:, None], edges, normalize=True)) == pytest.approx(0)


def test_quotient_does_not_depend_on_the_scale():
    expected = float(dirichlet_energy(X, EDGES) * len(X) / X.square().sum())
    for scale in (1.0, -3.0, 1e-200, 1e200):
        assert float(rayleigh_quotient(scale * X, EDGES)) == pytest.approx(expected)
    assert float(rayleigh_quotient(torch.ones(5, 2), EDGES)) == 0
    assert math.isnan(rayleigh_quotient(torch.zeros(5, 2), EDGES))
