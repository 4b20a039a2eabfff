"""Differences between runs are those of textbook formulas, and pair exactly what matches."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from holdfast.decision.intervals import t_interval
from holdfast.errors import InputError
from holdfast.experiment import Arm, Experiment, Metric, Problem, Record, Scale
from holdfast.report.comparison import EVERY_POINT, compare, difference
from holdfast.report.comparison_words import by_chance, change, towards

values = st.dictionaries(st.integers(0, 30), st.floats(-1e6, 1e6), min_size=2, max_size=12)


# ----------------------------------------------------------------------------------------------------- one difference
def test_matching_replicates_are_paired_as_in_the_paired_t_test():
    rng = np.random.default_rng(0)
    a = {r: float(v) for r, v in enumerate(rng.normal(50, 5, 10))}
    b = {r: a[r] + float(v) for r, v in zip(range(4, 10), rng.normal(2, 1, 6), strict=True)} | {77: 1e9}
    found = difference(a, b)
    common = [r for r in a if r in b]
    expected = stats.ttest_rel([b[r] for r in common], [a[r] for r in common]).confidence_interval(0.95)
    assert found.interval == pytest.approx(tuple(expected))
    assert found.mean == pytest.approx(np.mean([b[r] - a[r] for r in common]))
    assert (found.n, found.paired, found.how) == ((6,), True, "6 pairs")
    assert list(found.values) == common


@pytest.mark.parametrize("paired", [True, False])
def test_replicates_that_do_not_match_are_compared_by_welch(paired):
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, 8), rng.normal(1, 5, 16)
    start = 1000 if paired else 0  # without matching numbers, or with pairing forbidden
    found = difference(dict(enumerate(map(float, a))), dict(enumerate(map(float, b), start=start)), paired=paired)
    expected = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    assert found.interval == pytest.approx(tuple(expected))
    assert (found.n, found.paired, found.how) == ((8, 16), False, "unpaired, 8 and 16")


def test_a_deterministic_arm_stands_for_every_replicate():
    found = difference({None: 3.0}, {0: 4.0, 1: 6.0})
    assert found.mean == 2.0
    assert found.values == {0: 1.0, 1: 3.0}
    one = difference({None: 3.0}, {None: 3.5})
    assert (one.mean, one.interval, one.how) == (0.5, None, "1 pair")


def test_too_few_replicates_have_no_interval_and_none_no_difference():
    assert difference({}, {0: 1.0}) is None
    assert difference({0: 1.0}, {5: 3.0, 6: 5.0}).interval is None
    assert difference({0: 1.0}, {5: 3.0, 6: 5.0}).mean == 3.0


def test_pools_that_are_split_again_widen_both_intervals():
    a, b = {0: 1.0, 1: 2.0, 2: 4.0}, {0: 2.0, 1: 2.5, 2: 7.0}
    expected = t_interval(np.array([1.0, 0.5, 3.0]), 0.95, overlap=0.25)
    assert difference(a, b, overlap=0.25).interval == pytest.approx((expected.lo, expected.hi))
    plain, corrected = (difference(a, b, paired=False, overlap=o).interval for o in (0.0, 1 / 3))
    # Both variances are multiplied by 1/3 + 1/3 instead of 1/3, and the degrees of freedom stay.
    assert np.diff(corrected) == pytest.approx(np.diff(plain) * math.sqrt(2))


@given(values, values)
def test_the_other_way_round_only_the_sign_differs(a, b):
    there, back = difference(a, b), difference(b, a)
    assert there.mean == pytest.approx(-back.mean, abs=1e-6)
    assert there.paired == back.paired
    if there.interval is not None:
        assert there.interval == pytest.approx((-back.interval[1], -back.interval[0]), abs=1e-5, rel=1e-6)
        assert there.interval[0] <= there.mean <= there.interval[1]


@given(values)
def test_a_run_does_not_differ_from_itself(a):
    found = difference(a, dict(a))
    assert (found.mean, found.interval, found.clear) == (0.0, (0.0, 0.0), False)
    assert change(found, "%") == "identical"


def test_differences_in_words():
    found = difference({0: 1.0, 1: 2.0, 2: 3.0}, {0: 3.0, 1: 4.1, 2: 4.9})
    assert change(found, "%") == "+2.00 [1.75, 2.25] %"
    assert (towards(found, True), towards(found, False), towards(None, True)) == ("better", "worse", "")
    assert change(difference({0: 1.0}, {9: 2.0}), "s") == "+1.00 s"
    assert change(None, "%") == "–"


# ---------------------------------------------------------------------------------------------------------- whole runs
@dataclasses.dataclass(frozen=True)
class Data(Problem):
    source = "generated"
    pool: tuple[int, int] | None = None

    @property
    def resplit(self):
        return self.pool

    def describe(self):
        return "data"


def small(run_results, folder, table, *, problem="p", pool=None, points=(), **fields):
    """Results from {(arm, point or None, replicate): value}."""
    arms = dict.fromkeys(arm for arm, _, _ in table)
    experiment = Experiment(
        question="?",
        problems={problem: Data(pool)},
        arms={arm: Arm(None) for arm in arms},
        metrics={"loss": Metric("nats", higher_is_better=False)},
        scales={"small": Scale()},
        claims=(),
        trial=lambda run: (),
        points={"w": points} if points else {},
    )
    records = [
        Record(str(i), arm, problem, {} if w is None else {"w": w}, r, "ok", {"loss": v}, {"seconds": 2.0 * v})
        for i, ((arm, w, r), v) in enumerate(table.items())
    ]
    return run_results(folder, experiment=experiment, records=records, verdicts=fields.pop("verdicts", []), **fields)


def test_rows_come_in_declared_order_with_units_and_costs(run_results, tmp_path):
    first = small(run_results, tmp_path, {(a, None, r): v + r for a, v in (("x", 1.0), ("y", 5.0)) for r in range(3)})
    other = small(run_results, tmp_path, {(a, None, r): v + r for a, v in (("y", 4.0), ("z", 1.0)) for r in range(3)})
    found = compare([("one", first), ("two", other)])
    (row,) = found.rows  # x and z are in one run only
    assert (row.arm, row.problem, row.point, row.metric) == ("y", "p", "", "loss")
    assert [s.mean for s in row.spreads] == [6.0, 5.0]
    assert row.differences[0] is None
    assert row.differences[1].mean == -1.0
    assert towards(row.differences[1], found.metric("loss").higher_is_better) == "better"
    (cost,) = found.costs
    assert (cost.cost, cost.ratio(1)) == ("seconds", pytest.approx(5 / 6))
    assert found.judged() == (1, 1)
    assert by_chance(found) == "1 of 1 intervals leave zero out; if nothing differed, about 0.05 would by chance."


def test_swept_points_are_compared_each_and_in_the_mean_of_those_shared(run_results, tmp_path):
    first = small(run_results, tmp_path, {("x", w, r): w + r for w in (1, 2, 4) for r in range(3)}, points=(1, 2, 4))
    other = small(run_results, tmp_path, {("x", w, r): 2 * w + r for w in (1, 2) for r in range(3)}, points=(1, 2, 4))
    rows = {row.point: row for row in compare([("one", first), ("two", other)]).rows}
    assert list(rows) == [EVERY_POINT, "w = 1", "w = 2"]
    assert [rows[p].differences[1].mean for p in rows] == [1.5, 1.0, 2.0]
    assert rows[EVERY_POINT].spreads[0].mean == 2.5, "the mean over 1 and 2, which both runs have"


def test_a_replicate_without_all_points_is_not_in_their_mean(run_results, tmp_path):
    table = {("x", w, r): float(10 * w + r) for w in (1, 2) for r in range(3)}
    lacking = {key: value for key, value in table.items() if key != ("x", 2, 2)}
    found = compare([("one", small(run_results, tmp_path, table)), ("two", small(run_results, tmp_path, lacking))])
    (overall,) = found.overall("p", "loss")
    assert (overall.point, overall.differences[1].n, overall.spreads[1].n) == (EVERY_POINT, (2,), 2)


def test_pilots_and_final_replicates_do_not_match(run_results, tmp_path):
    first = small(run_results, tmp_path, {("x", None, r): 1.0 + r for r in range(4)})
    other = small(run_results, tmp_path, {("x", None, 1000 + r): 1.0 + r for r in range(4)})
    (row,) = compare([("one", first), ("two", other)]).rows
    assert row.differences[1].how == "unpaired, 4 and 4"


def test_values_that_are_not_finite_are_left_out(run_results, tmp_path):
    first = small(run_results, tmp_path, {("x", None, r): 1.0 + r for r in range(4)})
    broken = {("x", None, r): math.nan if r == 1 else 2.0 + r for r in range(4)}
    (row,) = compare([("one", first), ("two", small(run_results, tmp_path, broken))]).rows
    assert (row.differences[1].n, row.spreads[1].n) == ((3,), 3)


def test_the_correction_of_a_pool_reaches_the_rows(run_results, tmp_path):
    tables = [{("x", None, r): float(v) for r, v in enumerate(found)} for found in ([1, 2, 4, 3], [2, 2, 5, 5])]
    widths = []
    for pool in (None, (25, 75)):
        runs = [(str(i), small(run_results, tmp_path, table, pool=pool)) for i, table in enumerate(tables)]
        widths.append(float(np.diff(compare(runs).rows[0].differences[1].interval)[0]))
    assert widths[1] / widths[0] == pytest.approx(math.sqrt((1 / 4 + 1 / 3) / (1 / 4)))


def test_other_data_stand_for_the_headlines_problem_and_are_not_paired(run_results, tmp_path):
    table = {("x", None, r): 1.0 + r for r in range(4)}
    first = small(run_results, tmp_path, table, problem="theirs")
    other = small(run_results, tmp_path, table, problem="your data")
    found = compare([("one", first), ("two", other)])
    (row,) = found.rows
    assert row.problem == "theirs"
    assert found.sides[1].renamed == {"your data": "theirs"}
    assert row.differences[1].how == "unpaired, 4 and 4"


def test_errors_name_the_run_that_has_nothing_in_common(run_results, tmp_path):
    one = small(run_results, tmp_path, {("x", None, 0): 1.0})
    other = small(run_results, tmp_path, {("y", None, 0): 1.0})
    with pytest.raises(InputError, match="must be 2 to 8"):
        compare([("one", one)])
    with pytest.raises(InputError, match="must be 2 to 8"):
        compare([("one", one)] * 9)
    with pytest.raises(InputError, match=r"^two: must have an arm, a problem, a point and a metric in common with one"):
        compare([("one", one), ("fine", one), ("two", other)])
    empty = run_results(tmp_path, records=[], verdicts=[])
    with pytest.raises(InputError, match="no finished trial"):
        compare([("one", one), ("empty", empty)])
    two = run_results(tmp_path, verdicts=[])  # two problems, no headline: which one would stand for p?
    with pytest.raises(InputError, match="in common"):
        compare([("one", one), ("two", two)])
