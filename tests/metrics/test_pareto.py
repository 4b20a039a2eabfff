"""The frontier against its definition, and the area under it against a grid of cells."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.metrics.pareto import hypervolume, pareto

POINTS = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 5)), min_size=1, max_size=12)


def by_hand(points):
    mask, gaps = [], []
    for c, q in points:
        others = [(d, r) for d, r in points if d <= c and r >= q and (d < c or r > q)]
        mask.append(not others)
        gaps.append(c - min(d for d, r in points if r >= q))
    return mask, gaps


@given(POINTS)
def test_the_frontier_is_its_definition(points):
    cost, quality = np.array(points, float).T
    mask, gaps = pareto(cost, quality)
    assert (mask.tolist(), gaps.tolist()) == by_hand(points)
    assert mask.any()
    lost = pareto(cost, -quality, maximize=False)
    assert lost[0].tolist() == mask.tolist()


@given(POINTS, st.permutations(range(12)))
def test_order_and_scale_change_nothing(points, order):
    cost, quality = np.array(points, float).T
    mask = pareto(cost, quality)[0]
    rows = [i for i in order if i < len(points)]
    assert pareto(cost[rows], quality[rows])[0].tolist() == mask[rows].tolist()
    assert pareto(np.exp(cost), quality**3)[0].tolist() == mask.tolist()


@given(POINTS)
def test_a_dominated_point_changes_nothing(points):
    cost, quality = np.array(points, float).T
    mask, gaps = pareto(cost, quality)
    more, more_gaps = pareto(np.append(cost, cost.max() + 1), np.append(quality, quality.min() - 1))
    assert more[:-1].tolist() == mask.tolist()
    assert more_gaps[:-1].tolist() == gaps.tolist()
    assert not more[-1]


@given(POINTS)
def test_the_area_counts_dominated_cells(points):
    cost, quality = np.array(points, float).T
    cells = sum(any(c <= x and q >= y + 1 for c, q in points) for x in range(1, 7) for y in range(5))
    assert hypervolume(cost, quality, 7, 0) == pytest.approx(cells)
    assert hypervolume(cost, -quality, 7, 0, maximize=False) == pytest.approx(cells)


def test_options_beyond_the_reference_do_not_count():
    assert hypervolume([8.0], [9.0], 7, 0) == 0
    assert hypervolume([1.0], [-1.0], 7, 0) == 0


@pytest.mark.parametrize(
    ("costs", "qualities", "words"),
    [
        ([], [], "costs: must not be empty"),
        ([1.0], [1.0, 2.0], "qualities: must have as many rows"),
        ([float("nan")], [1.0], "costs"),
        ([[1.0]], [1.0], "costs: must have shape"),
    ],
)
def test_mistakes_are_named(costs, qualities, words):
    with pytest.raises(InputError, match=words):
        pareto(np.array(costs, float), np.array(qualities, float))
