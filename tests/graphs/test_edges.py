"""Edge lists against counts by hand and against torch-geometric."""

import math

import pytest
import torch

from holdfast.errors import InputError
from holdfast.graphs.edges import (
    adjusted_homophily,
    check_edge_index,
    count_doubles,
    edge_homophily,
    grid_edges,
    to_undirected,
)


@pytest.fixture
def edges():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(9, (2, 40), generator=generator)


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ([[0, 1]], "shape"),
        ([0, 1], "shape"),
        ([[0.0], [1.0]], "whole numbers"),
        ([[True], [False]], "whole numbers"),
        ([[0], [3]], r"0 \.\. 2"),
        ([[-1], [2]], r"0 \.\. 2"),
        (None, "whole numbers"),
        ([["a"], ["b"]], "whole numbers"),
        ([[0, 1], [1]], "whole numbers"),
    ],
)
def test_what_is_no_edge_list_is_refused(given, rule):
    with pytest.raises(InputError, match=rule):
        check_edge_index(given, nodes=3)


def test_edges_are_whole_numbers_and_may_be_none():
    assert check_edge_index(torch.tensor([[0], [2]], dtype=torch.int32), 3).dtype == torch.int64
    assert check_edge_index(torch.zeros(2, 0), 3).dtype == torch.int64


def test_undirected_as_torch_geometric(edges):
    pyg = pytest.importorskip("torch_geometric.utils")
    assert torch.equal(to_undirected(edges, 9), pyg.to_undirected(edges, num_nodes=9))


def test_doubles(edges):
    pairs = [tuple(pair) for pair in edges.T.tolist()]
    assert count_doubles(edges, 9) == len(pairs) - len(set(pairs)) > 0
    assert count_doubles(to_undirected(edges, 9), 9) == 0


def test_grid():
    edges = grid_edges(3, 4)
    assert edges.shape[1] == 2 * (3 * 3 + 2 * 4)
    for one, other in edges.T.tolist():
        (row, column), (below, right) = divmod(one, 4), divmod(other, 4)
        assert abs(row - below) + abs(column - right) == 1


def test_homophily_by_hand(edges):
    y = torch.tensor([0, 1, 2, 0, 1, 2, 5, 5, 0])
    pairs = [(i, j) for i, j in edges.T.tolist() if i != j]
    h = sum(bool(y[i] == y[j]) for i, j in pairs) / len(pairs)
    ends = [int(y[node]) for pair in pairs for node in pair]
    chance = sum((ends.count(k) / len(ends)) ** 2 for k in set(ends))
    assert edge_homophily(edges, y) == pytest.approx(h)
    assert adjusted_homophily(edges, y) == pytest.approx((h - chance) / (1 - chance))
    assert math.isnan(edge_homophily(torch.tensor([[1], [1]]), y))
    assert math.isnan(adjusted_homophily(edges, torch.zeros(9, dtype=torch.int64)))
    assert edge_homophily(edges, torch.zeros(9)) == 1
