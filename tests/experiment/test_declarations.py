"""Declarations and the table that claims read."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import toy_experiment
from holdfast.errors import HoldfastError, InputError, MissingExtra
from holdfast.experiment import Arm, Record, RecordTable, Scale, Tuning

EXPERIMENT = toy_experiment.experiment


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arms": {"a": Arm(None, problems=("r",))}, "scales": {}}, "arm 'a': problems: must be of .*received r"),
        ({"arms": {"a": Arm(None, tuned_as="b")}, "scales": {}}, "arm 'a': tuned_as: .*received b"),
        ({"scales": {"s": Scale(arms=("god",))}}, "scale 's': arms: .*received god"),
        ({"scales": {"s": Scale(problems=("r",))}}, "scale 's': problems: .*received r"),
        ({"tuning": Tuning("accuracy", "p")}, "tuning: metric: .*received accuracy"),
        ({"tuning": Tuning("score", "p", scale="huge")}, "tuning: scale: .*received huge"),
        ({"tuning": Tuning("score", "r")}, "tuning: problem: .*received r"),
        ({"tuning": Tuning("score", ("p", "r"))}, "tuning: problem: .*received r"),
        ({"benefit": "accuracy"}, "benefit: .*received accuracy"),
        ({"points": {"width": [(1, 2)]}}, r"points: width: must be finite numbers or words; received \(1, 2\)"),
        ({"points": {"width": [float("inf")]}}, "points: width"),
    ],
)
def test_a_name_that_nothing_has(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        dataclasses.replace(EXPERIMENT, **change)


def record(arm: str, replicate: int | None, value: float, status: Any = "ok", **point: Any) -> Record:
    return Record(f"{arm}{replicate}{point}", arm, "p", point, replicate, status, {"score": value})


def test_values_are_found_by_replicate() -> None:
    table = RecordTable(
        [record("a", 3, 0.3), record("a", 1, 0.1), record("b", 2, 0.2), record("a", 2, 0, "failed")], EXPERIMENT
    )
    assert list(table.values("score", "a", "p").items()) == [(1, 0.1), (3, 0.3)]
    assert table.replicates == [1, 2, 3]
    assert [r.replicate for r in table.failed] == [2]
    assert table.values("score", "a", "q") == table.values("loss", "a", "p") == table.values("score", "c", "p") == {}


def test_a_deterministic_arm_stands_for_every_replicate() -> None:
    table = RecordTable([record("a", 5, 0.5), record("a", 4, 0.4), record("c", None, 9.0)], EXPERIMENT)
    assert table.values("score", "c", "p") == {4: 9.0, 5: 9.0}
    assert table.head(1).values("score", "c", "p") == {4: 9.0}
    assert RecordTable([record("c", None, 9.0)], EXPERIMENT).values("score", "c", "p") == {0: 9.0}


def test_points_are_kept_apart() -> None:
    table = RecordTable(
        [record("a", 1, 0.1, width=2), record("a", 1, 0.3, width=1), record("a", 2, 0.2, width=2)], EXPERIMENT
    )
    assert table.points("a", "p") == [{"width": 2}, {"width": 1}]
    assert table.values("score", "a", "p", {"width": 2}) == {1: 0.1, 2: 0.2}
    assert table.values("score", "a", "p") == {}


def test_cases_are_found_like_values() -> None:
    cases = {"score": {"values": [1.0], "units": [7]}}
    table = RecordTable([dataclasses.replace(record("a", 1, 0.1), per_unit=cases)], EXPERIMENT)
    assert table.per_unit("score", "a", "p") == {1: cases["score"]}


@given(st.lists(st.integers(0, 30), unique=True, min_size=1), st.integers(0, 40))
def test_a_look_is_the_first_replicates_and_all_failures(replicates: list[int], n: int) -> None:
    records = [record("a", r, float(r)) for r in replicates]
    table = RecordTable([*records, record("b", 99, 0, "failed")], EXPERIMENT)
    look = table.head(n)
    assert look.replicates == sorted(replicates)[:n]
    assert list(look.values("score", "a", "p")) == sorted(replicates)[:n]
    assert len(look.failed) == 1


def test_errors_are_one_line_and_survive_pickling() -> None:
    import pickle

    for error in (
        InputError("a", "must be short", "x\n" * 300),
        InputError("a", "is gone"),
        MissingExtra("skops", "sklearn"),
    ):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert isinstance(again, HoldfastError)
        assert str(again) == str(error)
        assert "\n" not in str(error)
        assert len(str(error)) < 260
    assert isinstance(InputError("a", "b"), ValueError)
    assert isinstance(MissingExtra("a", "b"), ImportError)
