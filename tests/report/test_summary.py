from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.experiment import Record
from holdfast.report.summary import Spread, arm_rows, pareto_front, values_of

finite = st.floats(-1e6, 1e6)


@given(st.lists(finite, min_size=2, max_size=20))
def test_spread_agrees_with_the_standard_library(values):
    found = Spread.of([*values, math.nan, math.inf])
    assert found.n == len(values)
    assert found.mean == pytest.approx(statistics.fmean(values), abs=1e-9)
    assert found.sd == pytest.approx(statistics.stdev(values), rel=1e-9, abs=1e-6)
    assert (found.low, found.high) == (min(values), max(values))


def test_spread_of_nothing_and_of_one():
    assert Spread.of([math.nan]).n == 0
    assert str(Spread.of([])) == "–"
    assert math.isnan(Spread.of([3.0]).sd)


@given(st.dictionaries(st.text("abcdefgh", min_size=1), st.tuples(finite, finite), max_size=8), st.booleans())
def test_the_front_is_exactly_the_undominated_arms(points, higher):
    front = pareto_front(points, higher_is_better=higher)
    sign = 1 if higher else -1

    def beats(a, b):  # at least as good in both, better in one
        return a[0] <= b[0] and sign * a[1] >= sign * b[1] and a != b

    undominated = {name for name, p in points.items() if not any(beats(q, p) for q in points.values())}
    assert {points[name] for name in front} == {points[name] for name in undominated}
    assert [points[name][0] for name in front] == sorted(points[name][0] for name in front)


def record(arm, replicate, value, point=None, status="ok"):
    scalars = {} if status == "failed" else {"accuracy": value}
    cost = {"seconds": 2.0, "peak_bytes": 5e6, "tokens": 7.0}
    return Record(f"{arm}{replicate}{point}", arm, "p", point or {}, replicate, status, scalars, cost, error="gone")


def test_rows_count_failures_and_average_points_within_a_replicate(run_results, tmp_path):
    records = [
        record("a", 0, 10.0, {"k": 1}),
        record("a", 0, 20.0, {"k": 2}),
        record("a", 1, 30.0, {"k": 1}),
        record("a", 1, 50.0, {"k": 2}),
        record("b", 0, 41.0, {"k": 1}),
        record("b", 1, math.nan, {"k": 1}, status="failed"),
    ]
    results = run_results(tmp_path, records=records)
    assert values_of(results, "accuracy", "a", "p") == {0: 15.0, 1: 40.0}
    a, b = arm_rows(results, "p")
    assert (a.metrics["accuracy"].mean, a.metrics["accuracy"].n, a.points, a.best) == (27.5, 2, 2, frozenset())
    assert (b.trials, b.failed, b.best) == (2, 1, frozenset({"accuracy"}))
    assert (a.costs["MB"].mean, a.costs["tokens"].mean) == (5.0, 7.0)


def test_the_best_arm_depends_on_the_direction_of_the_metric(results):
    for problem in results.problems:
        rows = arm_rows(results, problem)
        accuracy = {row.arm: row.metrics["accuracy"].mean for row in rows}
        error = {row.arm: row.metrics["error of calibration"].mean for row in rows}
        assert [row.arm for row in rows if "accuracy" in row.best] == [max(accuracy, key=accuracy.get)]
        assert [row.arm for row in rows if "error of calibration" in row.best] == [min(error, key=error.get)]
