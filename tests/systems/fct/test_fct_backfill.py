"""Orders, plans and the backfilling curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.systems.fct import (
    BackfillPlanner,
    backfill_curve,
    mean_average_precision,
    oracle_order,
    random_order,
    uncertainty_order,
)


def negative_error(new):
    return lambda gallery: -float(np.square(gallery - new).sum())


@given(st.integers(0, 1000), st.integers(2, 30))
def test_the_oracle_is_never_behind_another_order(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    migrated, new = rng.normal(size=(rows, 3)), rng.normal(size=(rows, 3))
    score = negative_error(new)
    best = backfill_curve(oracle_order(migrated, new), migrated, new, score)
    other = backfill_curve(random_order(rows, rng), migrated, new, score)
    assert (best.values >= other.values - 1e-9).all()
    assert best.values[0] == other.values[0] == score(migrated)
    assert best.values[-1] == other.values[-1] == 0
    assert (np.diff(best.values) >= 0).all()


def test_a_point_of_the_curve_is_a_mixed_gallery() -> None:
    rng = np.random.default_rng(0)
    migrated, new, labels = rng.normal(size=(40, 3)), rng.normal(size=(40, 3)), np.arange(40) % 4
    order = rng.permutation(40)

    def score(gallery):
        return mean_average_precision(new, gallery, labels, labels)

    curve = backfill_curve(order, migrated, new, score)
    for share, value in zip(curve.fractions, curve.values, strict=True):
        mixed = np.array([new[i] if i in order[: round(share * 40)] else migrated[i] for i in range(40)])
        assert value == pytest.approx(score(mixed))
    assert curve.area == pytest.approx(sum(curve.values) / 11)
    assert curve.reaches(curve.values[-1]) is not None
    assert curve.reaches(2.0) is None


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40), st.integers(1, 50))
def test_a_plan_takes_the_most_uncertain_rows(errors: list[float], budget: int) -> None:
    planner = BackfillPlanner(errors, ids=[f"r{i}" for i in range(len(errors))])
    rows = planner.rows(budget)
    assert len(rows) == min(budget, len(errors)) == len(set(rows.tolist()))
    left = np.delete(np.asarray(errors), rows)
    assert not len(left) or left.max() <= min(errors[i] for i in rows)
    assert planner.plan(budget).tolist() == [f"r{i}" for i in rows]
    assert 0 <= planner.covered(budget) <= 1 + 1e-9


def test_the_largest_squared_distance_comes_first() -> None:
    """Not the largest distance along the axes: 3 + 0 is less than 2 + 2, 9 + 0 more than 4 + 4."""
    assert oracle_order(np.array([[5.0, 1.0], [5.0, 1.0]]), np.array([[3.0, 3.0], [8.0, 1.0]])).tolist() == [1, 0]


def test_the_curve_is_measured_in_tenths_and_reaches_a_value_where_it_first_has_it() -> None:
    x = np.arange(10.0)[:, None]
    curve = backfill_curve(np.arange(10), x * 0, x * 0 + 1, lambda gallery: float(gallery.sum()))
    assert curve.fractions.tolist() == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
    assert curve.values.tolist() == list(range(11))
    assert [curve.reaches(value) for value in (0, 3, 3.5, 10, 10.5)] == [0.0, 0.3, 0.4, 1.0, None]


@pytest.mark.parametrize(
    ("budget", "count"),
    [(0.5, 4), (0.3, 2), (0.32, 3), (0.01, 1), (0.99, 8), (1.0, 1), (3.0, 3), (1, 1), (np.int64(5), 5), (100, 8)],
)
def test_a_budget_is_a_share_below_1_or_a_number_of_rows(budget, count: int) -> None:
    errors = [0.5, 8.0, 1.0, 0.25, 4.0, 2.0, 16.0, 0.0]
    planner = BackfillPlanner(errors)
    assert planner.count(budget) == len(planner.rows(budget)) == count
    assert planner.plan(budget).tolist() == [6, 1, 4, 5, 2, 0, 3, 7][:count]
    assert planner.covered(budget) == pytest.approx(sum(sorted(errors)[::-1][:count]) / sum(errors))


def test_nothing_uncertain_is_covered_by_nothing() -> None:
    assert BackfillPlanner([0.0, 0.0]).covered(1) == 0.0


def test_equal_uncertainties_keep_their_order() -> None:
    assert uncertainty_order([1.0, 2.0, 1.0, 2.0]).tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize("budget", [0, -1, 0.0, 1.5, True, "half", None])
def test_wrong_budgets(budget) -> None:
    with pytest.raises(InputError, match="budget"):
        BackfillPlanner([1.0, 2.0]).rows(budget)


def test_wrong_curves() -> None:
    x = np.zeros((3, 2))
    with pytest.raises(InputError, match="order: must hold every row number once"):
        backfill_curve([0, 0, 1], x, x, lambda g: 0.0)
    with pytest.raises(InputError, match="order: must have as many rows"):
        backfill_curve([0, 1], x, x, lambda g: 0.0)
    with pytest.raises(InputError, match="new: must have shape"):
        backfill_curve([0, 1, 2], x, x[:2], lambda g: 0.0)
    with pytest.raises(InputError, match="fractions: must rise"):
        backfill_curve([0, 1, 2], x, x, lambda g: 0.0, [0, 0.5, 0.5])
