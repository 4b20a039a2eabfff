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
