"""The rule against formulas written out by hand, brute force, and attempts to make it say more than the data do."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from holdfast.decision import Looks, Verdict, decide, decide_all, looks_for
from holdfast.decision.intervals import clopper_pearson, outlying, replicates_needed, t_interval, welch_interval
from holdfast.decision.resampling import block_bootstrap
from holdfast.errors import InputError
from holdfast.experiment import Arm, Experiment, Metric, Problem, Record, RecordTable, RootMeanSquare, Scale
from holdfast.experiment.claims import (
    All,
    Better,
    Claim,
    Differs,
    Exact,
    LogRatio,
    Near,
    NoWorse,
    Ordered,
    ShareOfGap,
)
from holdfast.experiment.claims import Any as AnyOf

ACC: dict[str, Any] = {"metric": "accuracy", "on": "p"}
BETTER = Better("A", than="B", **ACC)
CONFIDENCE = Looks((8, 16)).confidence


@dataclass(frozen=True)
class Toy(Problem):
    source: ClassVar = "generated"
    fixed_test: bool = False  # type: ignore[misc]
    redrawn: bool = False  # type: ignore[misc]
    pool: tuple[int, int] | None = None
    block: int = 1

    @property
    def resplit(self) -> tuple[int, int] | None:
        return self.pool

    def describe(self) -> str:
        return "toy"


def experiment(problem: Problem | None = None, **arms: Mapping[str, Any]) -> Experiment:
    return Experiment(
        question="?",
        problems={"p": problem or Toy(), "q": Toy(pool=(1, 4))},
        arms={a: Arm(SimpleNamespace(), **arms.get(a, {})) for a in "ABCD"},
        metrics={"accuracy": Metric("%"), "loss": Metric("", higher_is_better=False)},
        scales={"small": Scale()},
        claims=(),
        trial=lambda run: (),
    )


def record(arm: str, replicate: int | None, value: float | None, problem: str = "p", **rest: Any) -> Record:
    key = f"{arm}{problem}{replicate}"
    if value is None:
        return Record(key, arm, problem, {}, replicate, "failed", error="boom")
    return Record(key, arm, problem, {}, replicate, "ok", scalars={"accuracy": value, "loss": value}, **rest)


def table(
    effects: Sequence[float | None], exp: Experiment | None = None, base: float = 50.0, first: int = 1000
) -> RecordTable:
    """Arm A is `effects[i]` better than B in replicate i (None: A failed); C equals B, D equals A."""
    records = []
    for i, effect in enumerate(effects, first):
        a = None if effect is None else base + effect
        records += [record("A", i, a), record("B", i, base), record("C", i, base), record("D", i, a)]
    return RecordTable(records, exp or experiment())


def draw(mean: float, sd: float, n: int, seed: int = 0) -> list[float]:
    """Values with exactly this mean and standard deviation."""
    x = np.random.default_rng(seed).standard_normal(n)
    return list(mean + sd * (x - x.mean()) / x.std(ddof=1))


# --------------------------------------------------------------------------------------------------- arithmetic
@given(st.lists(st.floats(-100, 100), min_size=6, max_size=16), st.floats(0.5, 0.999), st.floats(0, 2))
def test_t_interval_by_hand(values: list[float], confidence: float, overlap: float) -> None:
    got = t_interval(np.array(values), confidence, overlap)
    n, mean = len(values), math.fsum(values) / len(values)
    s = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
    half = stats.t.ppf(0.5 + confidence / 2, n - 1) * s * math.sqrt(1 / n + overlap)
    assert got.mean == pytest.approx(mean, abs=1e-9)
    assert got.lo == pytest.approx(mean - half, abs=1e-9)
    assert got.hi == pytest.approx(mean + half, abs=1e-9)


def test_t_interval_is_that_of_scipy_and_vectorised() -> None:
    values = np.random.default_rng(0).normal(size=(3, 5, 8))
    got = t_interval(values, 0.9)
    assert got.lo.shape == (3, 5)
    for i in np.ndindex(3, 5):
        x = values[i]
        lo, hi = stats.t.interval(0.9, 7, x.mean(), stats.sem(x))
        assert (got.lo[i], got.hi[i]) == pytest.approx((lo, hi))


@given(st.floats(-1e6, 1e6), st.integers(2, 16))
def test_equal_values_give_no_width(value: float, n: int) -> None:
    got = t_interval(np.full(n, value), 0.95, 1.0)
    assert (got.lo, got.mean, got.hi, got.sd) == (value, value, value, 0.0)


@pytest.mark.parametrize("n", [1, 6, 8, 16])
def test_clopper_pearson_is_that_of_scipy(n: int) -> None:
    for wins in range(n + 1):
        exact = stats.binomtest(wins, n).proportion_ci(0.95, method="exact")
        assert clopper_pearson(wins, n) == pytest.approx((exact.low, exact.high))


def test_confidence_of_two_looks() -> None:
    assert round(CONFIDENCE, 4) == 0.9706
    for error_rate in (0.05, 0.0125, 0.003):
        looks = Looks((8, 16), error_rate)
        z = stats.norm.ppf(0.5 + looks.confidence / 2)
        both = stats.multivariate_normal(cov=[[1, math.sqrt(0.5)], [math.sqrt(0.5), 1]])
        inside = both.cdf([z, z]) - both.cdf([z, -z]) - both.cdf([-z, z]) + both.cdf([-z, -z])
        assert 1 - inside == pytest.approx(error_rate, abs=2e-6)
    assert Looks((6,), 0.02).confidence == 0.98


def test_outliers_by_hand() -> None:
    x = np.array([1.0, 2, 3, 4, 5, 6, 7, 24.1])  # median 4.5, |x - 4.5| has median 2, and 24.1 - 4.5 > 10
    assert outlying(x).tolist() == [False] * 7 + [True]
    x[-1] = 14.4
    assert not outlying(x).any()
    assert outlying(np.array([3.0] * 7 + [3.1])).tolist() == [False] * 7 + [True]


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=9),
    st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=9),
    st.floats(0.5, 0.999),
)
def test_the_unpaired_interval_is_welchs(a: list[float], b: list[float], confidence: float) -> None:
    found = welch_interval(np.array(a), np.array(b), confidence)
    if np.std(a) + np.std(b) < 1e-9:
        assert found[1] == pytest.approx(found[0], abs=1e-8) == pytest.approx(found[2], abs=1e-8)
        return
    expected = stats.ttest_ind(b, a, equal_var=False).confidence_interval(confidence)
    assert found == pytest.approx((np.mean(b) - np.mean(a), *expected), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("overlap", [0.0, 0.01])
def test_replicates_needed_has_the_power_it_says(overlap: float) -> None:
    """Noncentral t: the chance that the lower end is above the edge, when the effect is 0.8 sd beyond it."""
    n = replicates_needed(0.8, 1.0, 0.95, overlap)
    assert n is not None
    scale = math.sqrt(1 / n + overlap)
    power = stats.nct.sf(stats.t.ppf(0.975, n - 1), n - 1, 0.8 / scale)
    assert 0.75 < power < 0.85
    assert replicates_needed(0.0, 1.0, 0.95) is None
    assert replicates_needed(0.01, 1.0, 0.95) is None
    assert replicates_needed(0.8, 1.0, 0.95, overlap=1.0) is None


# ------------------------------------------------------------------------------------------------------ the rule
def test_holds_at_the_first_look_by_hand() -> None:
    effects = draw(8.0, 1.0, 8)
    verdict = decide(replace(BETTER, margin=5, published="+6", source="abstract", scope="toys"), table(effects))
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, 7) / math.sqrt(8)
    assert verdict.verdict == "holds"
    assert verdict.interval == pytest.approx((8 - half, 8 + half))
    assert (verdict.effect, verdict.n, verdict.wins, verdict.unit) == (pytest.approx(8.0), 8, 8, "points")
    assert verdict.confidence == CONFIDENCE
    assert verdict.wins_interval == clopper_pearson(8, 8)
    assert verdict.direction_line == f"better: yes, +8.0 [{8 - half:.1f}, {8 + half:.1f}] points"
    assert verdict.margin_line == "by the claimed 5: yes"
    assert (verdict.published, verdict.source, verdict.scope) == ("+6", "abstract", "toys")
    assert verdict.claim == replace(BETTER, margin=5, published="+6", source="abstract", scope="toys").declaration()
    assert list(verdict.values.values()) == pytest.approx(effects)


def test_better_but_not_by_the_claimed_margin() -> None:
    verdict = decide(replace(BETTER, margin=10), table(draw(8.0, 1.0, 8)))
    assert (verdict.verdict, verdict.direction) == ("does not hold", "yes")
    assert verdict.margin_line == "by the claimed 10: no"
    assert verdict.needed is None


def test_second_look_only_where_the_first_is_open() -> None:
    first, more = draw(1.0, 2.0, 8), draw(1.0, 2.0, 8, seed=1)
    one = decide(BETTER, table(first))
    assert (one.verdict, one.wants_more, one.n) == ("undecided", True, 8)
    assert "16 are planned" in one.reason
    between = decide(BETTER, table([*first, *more[:7]]))
    assert between == one
    two = decide(BETTER, table([*first, *more]))
    assert (two.verdict, two.n, two.wants_more) == ("undecided", 16, False)
    assert two.needed is not None
    assert two.needed > 16
    decided = decide(BETTER, table(draw(8.0, 1.0, 8)))
    assert decide(BETTER, table([*draw(8.0, 1.0, 8), *[-99.0] * 8])) == decided
    assert decide(BETTER, table([*first, *more, *[99.0] * 50])) == two


def test_fewer_than_a_look_is_no_verdict() -> None:
    for n in range(8):
        verdict = decide(BETTER, table([9.0 + i / 100 for i in range(n)]))
        assert (verdict.verdict, verdict.interval, verdict.direction) == ("undecided", None, "undecided")
        assert verdict.n == n
        assert verdict.wants_more == (n > 0)  # with no record at all the arms were left out
        assert verdict.reason


def test_slow_scales_collapsing_arms_and_negative_controls_have_one_look() -> None:
    exp = experiment(A={"may_collapse": True})
    assert looks_for(BETTER, experiment()) == Looks((8, 16))
    assert looks_for(BETTER, experiment(), Scale(slow=True)) == Looks((6,))
    assert looks_for(BETTER, exp) == looks_for(BETTER, exp, Scale(slow=True)) == Looks((16,))
    assert looks_for(Better("B", than="C", **ACC), exp) == Looks((8, 16))
    assert looks_for(All(Better("B", than="C", **ACC), BETTER), exp) == Looks((16,))
    effects = draw(8.0, 1.0, 16)
    assert decide(BETTER, table(effects[:15], exp)).verdict == "undecided"
    assert decide(BETTER, table(effects, exp)).n == 16
    (slow,) = decide_all([BETTER], table(draw(8.0, 1.0, 6)), scale=Scale(slow=True))
    assert (slow.verdict, slow.n, slow.confidence) == ("holds", 6, 0.95)


def test_two_sided_regions() -> None:
    near = Near("A", to="B", margin=3, **ACC)
    assert decide(near, table(draw(0.5, 1.0, 8))).verdict == "holds"
    assert decide(near, table(draw(-6.0, 1.0, 8))).verdict == "does not hold"
    assert decide(near, table(draw(6.0, 1.0, 8))).verdict == "does not hold"
    assert decide(near, table([*draw(3.0, 1.0, 8), *draw(3.0, 1.0, 8)])).verdict == "undecided"
    wide = decide(near, table(draw(0.0, 9.0, 16)))
    assert wide.verdict == "undecided"  # reaches out on both sides: neither inside nor outside
    assert wide.wins is None


def test_an_effect_at_the_margin_needs_no_number() -> None:
    verdict = decide(replace(BETTER, margin=5), table([*draw(5.0, 1.0, 8), *draw(5.0, 1.0, 8, 2)]))
    assert (verdict.verdict, verdict.needed) == ("undecided", None)


def test_equal_replicates() -> None:
    same = decide(replace(BETTER, margin=5), table([6.0] * 8))
    assert (same.verdict, same.interval) == ("holds", (6.0, 6.0))
    assert "same value" in same.reason
    assert decide(replace(BETTER, margin=6), table([6.0] * 8)).verdict == "does not hold"  # the edge is not inside
    assert decide(BETTER, table([0.0] * 8)).verdict == "does not hold"
    assert decide(Near("A", to="B", margin=1, **ACC), table([0.0] * 8)).verdict == "holds"
    assert decide(Differs("A", "B", **ACC), table([0.0] * 8)).verdict == "undecided"


def test_resplit_pools_widen_the_interval_by_the_largest_ratio() -> None:
    effects = draw(8.0, 1.0, 8)
    exp = experiment(Toy(pool=(50, 100)))
    got = decide(BETTER, table(effects, exp))
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, 7) * math.sqrt(1 / 8 + 0.5)
    assert got.interval == pytest.approx((8 - half, 8 + half))
    both = table(effects, exp)
    both = RecordTable(
        [*both.records, *(record(r.arm, r.replicate, r.scalars["accuracy"], "q") for r in both.records)], exp
    )
    wide = decide(replace(BETTER, on=("p", "q")), both)
    assert wide.interval == pytest.approx(got.interval)
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, 7) * math.sqrt(1 / 8 + 0.25)
    assert decide(replace(BETTER, on="q"), both).interval == pytest.approx((8 - half, 8 + half))


# --------------------------------------------------------------------------------------------- missing replicates
def test_failures_count_as_tried() -> None:
    effects: list[float | None] = list(draw(8.0, 1.0, 8))
    effects[2] = None
    one = decide(BETTER, table(effects))
    assert (one.verdict, one.n, one.missing) == ("holds", 7, (1002,))
    rest = [e for e in effects if e is not None]
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, 6) * np.std(rest, ddof=1) / math.sqrt(7)
    assert one.interval == pytest.approx((np.mean(rest) - half, np.mean(rest) + half))
    effects[5] = None
    two = decide(BETTER, table(effects))
    assert (two.verdict, two.interval, two.wants_more) == ("undecided", None, True)
    assert two.missing == (1002, 1005)
    # Later replicates do not move up into the first look, but 2 of 16 are tolerated at the second.
    assert decide(BETTER, table([*effects, 8.0, 9.0])).verdict == "undecided"
    assert decide(BETTER, table([*effects, *draw(8.0, 1.0, 8)])).n == 14
    effects[6] = None
    three = decide(BETTER, table(effects))
    assert (three.verdict, three.wants_more) == ("undecided", False)
    assert decide(BETTER, table([*effects, *draw(8.0, 1.0, 8)])).verdict == "undecided"


def test_more_replicates_of_one_arm_are_not_missing_ones_of_the_others() -> None:
    effects = draw(8.0, 1.0, 16)
    full = table(effects)
    some = [r for r in full.records if r.arm == "A" or (r.replicate or 0) < 1008]  # another claim wanted 16 of A alone
    verdict = decide(BETTER, RecordTable(some, full.experiment))
    assert (verdict.verdict, verdict.n, verdict.missing) == ("holds", 8, ())
    assert verdict.to_json() == decide(BETTER, table(effects[:8])).to_json()
    open_still = table([*draw(1.0, 4.0, 8), *draw(1.0, 4.0, 8)])
    some = [r for r in open_still.records if r.arm == "A" or (r.replicate or 0) < 1008]
    assert decide(BETTER, RecordTable(some, open_still.experiment)).wants_more


def test_a_replicate_in_which_every_arm_failed_is_not_forgotten() -> None:
    full = table(draw(8.0, 1.0, 10))
    records = [r if r.replicate != 1001 else record(r.arm, 1001, None) for r in full.records]
    verdict = decide(BETTER, RecordTable(records, full.experiment))
    assert verdict.missing == (1001,)
    assert 1008 not in verdict.values


def test_one_missing_of_six_is_too_many() -> None:
    effects = [None, *draw(8.0, 1.0, 5)]
    assert decide(BETTER, table(effects), Looks((6,))).verdict == "undecided"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_values_that_are_no_numbers_count_as_failed(bad: float) -> None:
    verdict = decide(BETTER, table([*draw(8.0, 1.0, 7), bad]))
    assert (verdict.n, verdict.missing, verdict.verdict) == (7, (1007,), "holds")
    ratio = replace(BETTER, compare=LogRatio())
    assert decide(ratio, table([*draw(8.0, 1.0, 7), -60.0])).missing == (1007,)


def test_arms_that_were_not_run() -> None:
    full = table(draw(8.0, 1.0, 8))
    partial = RecordTable([r for r in full.records if r.arm != "B"], full.experiment)
    verdict = decide(BETTER, partial)
    assert (verdict.verdict, verdict.wants_more, verdict.reason) == ("undecided", False, "not run: B on p")


def test_pilots_cannot_be_mixed_with_final_replicates() -> None:
    pilots, final = table(draw(8.0, 1.0, 8), first=0), table(draw(0.0, 1.0, 8))
    assert decide(BETTER, pilots).verdict == "holds"
    with pytest.raises(InputError, match="pilots"):
        decide(BETTER, RecordTable([*pilots.records, *final.records], final.experiment))


def test_outliers_are_marked_and_kept() -> None:
    verdict = decide(BETTER, table([*draw(8.0, 1.0, 7), -40.0]))
    assert verdict.outliers == (1007,)
    assert verdict.n == 8
    assert verdict.verdict == "undecided"
    assert verdict.wins == 7


# ---------------------------------------------------------------------------------------------------- properties
EFFECTS = st.lists(st.integers(-60, 60).map(lambda i: i / 4), min_size=16, max_size=16)
RANK = {"does not hold": 0, "undecided": 1, "holds": 2}


@settings(deadline=None, max_examples=40)
@given(EFFECTS, st.integers(0, 20), st.integers(0, 20))
def test_a_larger_margin_is_never_easier(effects: list[float], a: int, b: int) -> None:
    small, large = sorted((a, b))
    tab = table(effects)
    looks = Looks((16,))
    less, more = (decide(replace(BETTER, margin=m), tab, looks).verdict for m in (small, large))
    assert RANK[less] >= RANK[more]
    if small:
        within = [decide(Near("A", to="B", margin=m, **ACC), tab, looks).verdict for m in (small, large)]
        assert RANK[within[0]] <= RANK[within[1]]


@settings(deadline=None, max_examples=40)
@given(EFFECTS, st.permutations(range(8)), st.integers(1, 9))
def test_order_of_records_and_replicates_does_not_matter(effects: list[float], order: list[int], margin: int) -> None:
    claim = replace(BETTER, margin=margin)
    tab = table(effects)
    verdict = decide(claim, tab)
    assert decide(claim, RecordTable(reversed(tab.records), tab.experiment)) == verdict
    shuffled = decide(claim, table([effects[i] for i in order] + effects[8:]))
    assert shuffled.verdict == verdict.verdict
    assert shuffled.interval == pytest.approx(verdict.interval)


@settings(deadline=None, max_examples=40)
@given(EFFECTS, st.integers(1, 9))
def test_orientation(effects: list[float], margin: int) -> None:
    """A higher accuracy of A is a lower loss of B: turning the metric and the arms around changes nothing."""
    tab = table(effects)
    verdict = decide(replace(BETTER, margin=margin), tab)
    turned = decide(Better("B", than="A", metric="loss", on="p", margin=margin), tab)
    assert (turned.verdict, turned.interval, turned.direction) == (verdict.verdict, verdict.interval, verdict.direction)
    mirrored = decide(replace(BETTER, margin=margin), table([-e for e in effects]))
    other = decide(Better("B", than="A", margin=margin, **ACC), tab)
    assert (mirrored.verdict, mirrored.interval) == (other.verdict, pytest.approx(other.interval))


@settings(deadline=None, max_examples=60)
@given(EFFECTS, st.integers(1, 9), st.integers(6, 16))
def test_the_verdict_is_that_of_the_printed_interval(effects: list[float], margin: int, n: int) -> None:
    tab = table(effects[:n])
    claims: list[Claim] = [
        replace(BETTER, margin=margin),
        NoWorse("A", than="B", margin=margin, **ACC),
        Near("A", to="B", margin=margin, **ACC),
        All(replace(BETTER, margin=margin), Near("A", to="C", margin=margin, **ACC)),
        AnyOf(replace(BETTER, margin=margin), Near("A", to="C", margin=margin, **ACC)),
        Ordered("A", "B", "C", **ACC),
    ]
    for verdict in decide_all(claims, tab):
        for v in (verdict, *verdict.parts):
            if v.interval is None:
                assert v.verdict == "undecided"
                continue
            (lo, hi), (a, b) = v.interval, v.region  # type: ignore[misc]
            place = "holds" if a < lo and hi < b else "does not hold" if hi <= a or lo >= b else "undecided"
            assert v.verdict == place
            assert (v.direction == "yes") == (lo > 0)
            assert v.margin_line.endswith({"holds": "yes", "does not hold": "no"}.get(v.verdict, v.verdict))


# --------------------------------------------------------------------------------------- kinds with rules of their own
def test_exact() -> None:
    exact = Exact("A", 50.25, tol=0.25, **ACC)
    one = decide(exact, table([0.5]))
    assert (one.verdict, one.n, one.interval) == ("holds", 1, (0.25, 0.25))
    assert one.margin_line == "equal to 0.25: yes"
    off = decide(exact, table([0.5, 0.5, 0.6, 0.4]))
    assert (off.verdict, off.direction) == ("does not hold", "yes")
    assert "1 of 4" in off.reason
    assert decide(exact, table([0.5, None])).verdict == "undecided"
    assert decide(exact, table([0.6, None])).verdict == "does not hold"
    assert decide(Exact("C", "B", **ACC), table([1.0, 2.0])).verdict == "holds"
    assert decide(exact, table([])).verdict == "undecided"


def test_share_of_gap_needs_a_gap() -> None:
    """D is the ceiling (= A), B the floor."""
    share = ShareOfGap("A", floor="B", ceiling="D", at_least=0.9, **ACC)
    good = decide(share, table(draw(10.0, 1.0, 8)))
    assert good.verdict == "holds"
    assert "100 % of the gap closed" in good.direction_line
    assert good.effect == pytest.approx(1.0)
    none = decide(share, table(draw(-10.0, 1.0, 8)))  # the combination is positive, but the gap is turned around
    assert none.verdict == "not testable here"
    assert "D is better than B" in none.reason
    assert "-10.0 [-11.0, -9.0] points" in none.reason
    assert none.interval is None


def test_preconditions() -> None:
    low, high = (Better("B", than=level, **ACC) for level in (40.0, 60.0))
    tab = table(draw(8.0, 1.0, 8))
    assert decide(replace(BETTER, requires=(low,)), tab).verdict == "holds"
    blocked = decide(replace(BETTER, requires=(low, high)), tab)
    assert blocked.verdict == "not testable here"
    assert "-10" in blocked.reason
    assert [p.verdict for p in blocked.parts] == ["holds", "does not hold"]
    unclear = decide(replace(BETTER, requires=Better("A", than=58.0, **ACC)), tab)  # type: ignore[arg-type]
    assert (unclear.verdict, unclear.wants_more, unclear.interval) == ("undecided", True, None)
    nested = decide(replace(BETTER, requires=(replace(low, requires=(high,)),)), tab)
    assert nested.verdict == "not testable here"
    assert decide(All(BETTER, Near("A", to="B", margin=1, **ACC), requires=(high,)), tab).verdict == "not testable here"


def test_controls() -> None:
    found = Better("A", than="B", role="control", expect="found", **ACC)
    same = Differs("A", "B", role="control", expect="not found", **ACC)
    clear, nothing = table(draw(8.0, 1.0, 8)), table(draw(0.0, 1.0, 8))
    assert decide(found, clear).as_expected is True
    assert decide(found, nothing).as_expected is None  # a second look is still to come
    assert decide(found, table(draw(-8.0, 1.0, 8))).as_expected is False
    assert decide(found, table([*draw(0.0, 1.0, 8), *draw(0.0, 1.0, 8)])).as_expected is False
    assert decide(same, clear).as_expected is False
    quiet = decide(same, nothing)
    assert (quiet.as_expected, quiet.wants_more, quiet.verdict) == (True, False, "undecided")
    assert quiet.region is None
    assert decide(same, table([1.0, -1.0])).as_expected is None
    assert decide(BETTER, clear).as_expected is None


# ------------------------------------------------------------------------------------------- claims of claims
def compound_table(a: float, d: float, sd: float = 1.0) -> RecordTable:
    """A is `a` better than B, D is `d` better than B."""
    a_values, d_values = draw(a, sd, 8), draw(d, sd, 8, seed=5)
    records = []
    for i, (x, y) in enumerate(zip(a_values, d_values, strict=True), 1000):
        records += [record("A", i, 50 + x), record("B", i, 50.0), record("C", i, 50.0), record("D", i, 50 + y)]
    return RecordTable(records, experiment())


def confidence(share: int) -> float:
    return Looks((8, 16), 0.05 / share).confidence


PARTS = (Better("A", than="B", **ACC), Better("D", than="B", **ACC))


def test_what_needs_all_parts_is_judged_at_the_full_rate_what_needs_one_at_a_share() -> None:
    t, one, half = stats.t.ppf, confidence(1), confidence(2)
    width = [t(0.5 + c / 2, 7) / math.sqrt(8) for c in (one, half)]
    between = sum(width) / 2  # decided at the full rate, not at half of it
    assert width[0] < between < width[1]

    both = decide(All(*PARTS), compound_table(between, 9))
    assert (both.verdict, both.confidence) == ("holds", one)
    assert both.interval is not None
    assert both.effect == pytest.approx(between)  # the weaker of the two
    assert decide(AnyOf(*PARTS), compound_table(between, 0)).verdict == "undecided"
    strong = decide(AnyOf(*PARTS), compound_table(9, 0))
    assert (strong.verdict, strong.confidence, strong.effect) == ("holds", half, pytest.approx(9))

    assert decide(All(*PARTS), compound_table(9, -between)).verdict == "undecided"
    failed = decide(All(*PARTS), compound_table(9, -9))
    assert (failed.verdict, failed.confidence, failed.effect) == ("does not hold", half, pytest.approx(-9))
    neither = decide(AnyOf(*PARTS), compound_table(-between, -9))
    assert (neither.verdict, neither.confidence) == ("does not hold", one)
    assert len(neither.parts) == 2
    assert "decided by" in neither.reason


def test_parts_that_cannot_be_tested() -> None:
    blocked = replace(PARTS[1], requires=(Better("B", than=90.0, **ACC),))
    tab = compound_table(9, 9)
    assert decide(All(PARTS[0], blocked), tab).verdict == "not testable here"
    assert decide(AnyOf(PARTS[0], blocked), tab).verdict == "holds"
    assert decide(AnyOf(PARTS[0], blocked), compound_table(-9, 9)).verdict == "not testable here"
    assert decide(All(PARTS[0], blocked), compound_table(-9, 9)).verdict == "does not hold"


def test_ordered_chain() -> None:
    chain = Ordered("D", "A", "B", margin=1, **ACC)
    assert decide(chain, compound_table(10, 20)).verdict == "holds"
    assert decide(replace(chain, margin=15), compound_table(10, 20)).verdict == "does not hold"
    broken = decide(chain, compound_table(20, 10))
    assert broken.verdict == "does not hold"
    assert broken.text == chain.describe()
    assert [p.verdict for p in broken.parts] == ["does not hold", "holds"]


# ---------------------------------------------------------------------------------------------------------- Holm
def holm_by_hand(effects: Sequence[float], sd: float, rate: float = 0.05) -> list[bool]:
    """The textbook: sort p-values, compare with rate / (m - i), stop at the first that fails. One look at n = 16."""
    p = [2 * stats.t.sf(abs(e) / (sd / 4), 15) for e in effects]
    rejected = [False] * len(p)
    for i, which in enumerate(np.argsort(p)):
        if p[which] > rate / (len(p) - i):
            break
        rejected[which] = True
    return rejected


@pytest.mark.parametrize("seed", range(12))
def test_secondaries_are_holm(seed: int) -> None:
    rng = np.random.default_rng(seed)
    means = rng.uniform(-1.2, 1.2, 3)
    values = {arm: draw(m, 1.0, 16, seed=i + 50) for i, (arm, m) in enumerate(zip("BCD", means, strict=True))}
    records = [record("A", r, 50.0) for r in range(1000, 1016)]
    records += [record(arm, 1000 + i, 50.0 - v) for arm, vs in values.items() for i, v in enumerate(vs)]
    collapse = {arm: {"may_collapse": True} for arm in "ABCD"}  # one look, so that p-values are easy
    claims = [Better("A", than=arm, **ACC) for arm in "BCD"]
    headline = replace(claims[0], role="headline")
    verdicts = decide_all([headline, *claims], RecordTable(records, experiment(**collapse)))
    expected = holm_by_hand(means, 1.0)
    assert [v.decided for v in verdicts[1:]] == expected
    for verdict, mean in zip(verdicts[1:], means, strict=True):
        if verdict.decided:
            assert verdict.verdict == ("holds" if mean > 0 else "does not hold")
    assert verdicts[0].confidence == pytest.approx(0.95)
    open_ones = expected.count(False)
    for verdict in verdicts[1:]:
        if not verdict.decided:
            assert verdict.confidence == pytest.approx(1 - 0.05 / open_ones)


def test_who_shares_the_error_rate() -> None:
    tab = table([*draw(0.0, 5.0, 16)])
    control = Differs("A", "B", role="control", expect="not found", **ACC)
    exact = Exact("C", "B", **ACC)
    verdicts = decide_all([replace(BETTER, role="headline"), BETTER, PARTS[1], control, exact], tab)
    assert [v.confidence for v in verdicts] == [confidence(1), confidence(2), confidence(2), 0.95, 1.0]
    assert [v.text for v in verdicts] == [c.describe() for c in (BETTER, BETTER, PARTS[1], control, exact)]
    effects: list[float | None] = [*draw(0.0, 5.0, 8), *draw(0.0, 5.0, 7), None]
    # An identity left open by a failure takes no share of the rate.
    open_identity = decide_all([BETTER, Exact("A", "D", **ACC)], table(effects))
    assert [v.verdict for v in open_identity] == ["undecided"] * 2
    assert open_identity[0].confidence == confidence(1)
    with pytest.raises(InputError, match="one headline"):
        decide_all([replace(BETTER, role="headline")] * 2, tab)
    assert decide_all([], tab) == []


# --------------------------------------------------------------------------------------------------------- cases
def cases_table(problem: Toy, scores: Mapping[str, np.ndarray], unit_scale: float = 100.0, **arms: Any) -> RecordTable:
    """`scores[arm]` is (replicates, cases), or (cases,) for a deterministic arm."""
    records = []
    for arm, score in scores.items():
        rows: list[tuple[int | None, np.ndarray]] = list(enumerate(score, 1000)) if score.ndim == 2 else [(None, score)]
        for replicate, row in rows:
            cases = {"accuracy": {"values": row.tolist(), "units": list(range(len(row)))}}
            records.append(record(arm, replicate, unit_scale * float(row.mean()), per_unit=cases))
    return RecordTable(records, experiment(problem, **arms))


def test_block_bootstrap_against_a_loop() -> None:
    values = np.random.default_rng(0).normal(size=(10, 2))
    got = block_bootstrap(values, 4, 7, np.random.default_rng(5))
    starts = np.random.default_rng(5).integers(0, 10 - 4 + 1, (7, 3, 1))
    for i in range(7):
        rows = [s + j for s in starts[i, :, 0] for j in range(4)][:10]
        for column in range(2):
            assert got[i, column] == pytest.approx(sum(values[r, column] for r in rows) / 10)


@pytest.mark.parametrize(("cases", "block"), [(60, 1), (60, 5), (600, 12)])
def test_block_bootstrap_spread_is_the_closed_form(cases: int, block: int) -> None:
    values = np.random.default_rng(1).normal(size=(cases, 1)).cumsum(axis=0)
    means = block_bootstrap(values, block, 20_000, np.random.default_rng(2))
    blocks = np.array([values[s : s + block].mean() for s in range(cases - block + 1)])
    assert means.std() == pytest.approx(blocks.std() * math.sqrt(block / cases), rel=0.02)
    assert means.mean() == pytest.approx(blocks.mean(), abs=4 * means.std() / math.sqrt(20_000))


def test_chunks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).normal(size=(50, 3))
    whole = block_bootstrap(values, 3, 40, np.random.default_rng(2))
    monkeypatch.setattr("holdfast.decision.resampling.CHUNK", 100)
    np.testing.assert_allclose(block_bootstrap(values, 3, 40, np.random.default_rng(2)), whole)


def test_a_fixed_test_set_is_redrawn_too() -> None:
    """Eight replicates agree almost perfectly, but on 40 cases only: the cases decide."""
    b = np.tile(np.arange(40) % 2.0, (8, 1))
    a = b.copy()
    a[:, [0, 4, 8]] = 1.0  # A is right on three more cases in every replicate,
    a[:4, 2] = 1.0  # and on a fourth in half of them
    scores = {"A": a, "B": b}
    free, fixed = (decide(BETTER, cases_table(Toy(fixed_test=f), scores)) for f in (False, True))
    assert free.verdict == "holds"
    assert fixed.verdict == "undecided"
    difference = 100 * (a - b).mean(axis=0)  # per case, averaged over replicates
    se = difference.std() / math.sqrt(40) / math.sqrt(1 - 1 / 40)
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, 39) * se
    assert fixed.interval is not None
    assert fixed.interval[0] == pytest.approx(difference.mean() - half, abs=0.08 * half)
    assert fixed.interval[1] == pytest.approx(difference.mean() + half, abs=0.08 * half)
    assert fixed.needed is None  # more replicates would not help
    assert "40 cases" in fixed.reason
    assert decide(BETTER, cases_table(Toy(fixed_test=True), scores)) == fixed  # the draws are repeatable


def test_both_intervals_must_agree() -> None:
    rng = np.random.default_rng(4)
    b = (rng.random((8, 400)) < 0.5).astype(float)
    a = np.maximum(b, rng.random((8, 400)) < 0.6)
    both = decide(BETTER, cases_table(Toy(fixed_test=True), {"A": a, "B": b}))
    assert both.verdict == "holds"
    over_replicates = t_interval(100 * (a.mean(axis=1) - b.mean(axis=1)), CONFIDENCE)
    assert both.interval is not None
    assert both.interval[0] <= over_replicates.lo
    assert over_replicates.hi <= both.interval[1]


@pytest.mark.parametrize("spoil", ["absent", "other cases", "no mean", "a gap", "few"])
def test_cases_that_cannot_be_redrawn_are_said(spoil: str) -> None:
    cases = 5 if spoil == "few" else 40
    scores = {arm: np.tile(np.linspace(0, level, cases), (8, 1)) for arm, level in (("A", 1.0), ("B", 0.5))}
    tab = cases_table(Toy(fixed_test=True), scores)
    first = tab.records[0]
    found = dict(first.per_unit["accuracy"])
    if spoil == "absent":
        tab.records[0] = replace(first, per_unit={})
    elif spoil == "other cases":
        tab.records[0] = replace(first, per_unit={"accuracy": {**found, "units": list(range(1, cases + 1))}})
    elif spoil == "no mean":
        tab.records[0] = replace(first, scalars={"accuracy": 51.0})
    elif spoil == "a gap":
        tab.records[0] = replace(first, per_unit={"accuracy": {**found, "values": [None, *found["values"][1:]]}})
    assert "cases were not redrawn" in decide(BETTER, tab).reason


def test_deterministic_arms_on_a_series() -> None:
    rng = np.random.default_rng(6)
    both = {arm: {"deterministic": True} for arm in "AB"}
    b = rng.normal(10, 1, 240)
    noise = np.convolve(rng.normal(size=251), np.ones(12) / 12, "valid")  # errors that overlap by 11 steps
    a = b + 1.0 + noise
    verdict = decide(BETTER, cases_table(Toy(block=40), {"A": a, "B": b}, 1.0, **both))
    assert verdict.verdict == "holds"
    difference = a - b
    means = np.array([difference[s : s + 40].mean() for s in range(240 - 40 + 1)])
    half = stats.t.ppf(0.975, 5) * means.std() * math.sqrt(40 / 240) / math.sqrt(1 - 40 / 240)
    assert verdict.interval == pytest.approx((difference.mean() - half, difference.mean() + half), abs=0.06 * half)
    assert (verdict.n, verdict.confidence, verdict.wins, verdict.wants_more) == (1, 0.95, None, False)
    short = decide(BETTER, cases_table(Toy(block=24), {"A": a[:143], "B": b[:143]}, 1.0, **both))
    assert short.verdict == "undecided"
    assert "fewer than 6 blocks" in short.reason


def test_a_root_of_a_mean_over_cases_is_redrawn_as_such() -> None:
    """RMSE from one RMSE per case: draws average squares, and the claim sees the roots."""
    rng = np.random.default_rng(8)
    cases = {arm: np.abs(rng.normal(level, 0.5, 120)) for arm, level in (("A", 2.0), ("B", 3.0))}
    records = []
    for arm, values in cases.items():
        per_unit = {"rmse": {"values": values.tolist(), "units": list(range(120))}}
        whole = {"rmse": float(np.sqrt((values**2).mean()))}
        records.append(Record(arm, arm, "p", {}, None, "ok", scalars=whole, per_unit=per_unit))
    exp = replace(
        experiment(Toy(block=4), A={"deterministic": True}, B={"deterministic": True}),
        metrics={"rmse": RootMeanSquare(higher_is_better=False)},
    )
    verdict = decide(Better("A", than="B", metric="rmse", on="p", compare=LogRatio()), RecordTable(records, exp))
    squares = np.stack([cases["A"] ** 2, cases["B"] ** 2], axis=1)
    means = block_bootstrap(squares, 4, 2000, np.random.default_rng(20240229))
    draws = 0.5 * np.log2(means[:, 1] / means[:, 0])
    half = stats.t.ppf(0.975, 29) * draws.std(ddof=1) / math.sqrt(1 - 4 / 120)
    effect = 0.5 * math.log2(squares[:, 1].mean() / squares[:, 0].mean())
    assert verdict.interval == pytest.approx((effect - half, effect + half))
    spoilt = [replace(r, scalars={"rmse": float(np.mean(cases[r.arm]))}) for r in records]
    assert "does not follow" in decide(verdict_claim(exp), RecordTable(spoilt, exp)).reason


def verdict_claim(exp: Experiment) -> Better:
    return Better("A", than="B", metric=next(iter(exp.metrics)), on="p", compare=LogRatio())


def test_deterministic_arms_on_redrawn_data_are_a_sample() -> None:
    """One value per replicate, each of other data: as many replicates as any arm, and no cases to redraw."""
    both = {arm: {"deterministic": True} for arm in "AB"}
    tab = table(draw(2.0, 1.0, 8), experiment(Toy(redrawn=True), **both))
    random = table(draw(2.0, 1.0, 8), experiment(Toy()))
    verdict = decide(BETTER, tab)
    assert (verdict.verdict, verdict.n, verdict.interval) == ("holds", 8, decide(BETTER, random).interval)
    once = decide(BETTER, RecordTable([record("A", None, 60.0), record("B", None, 50.0)], experiment(Toy(), **both)))
    assert (once.verdict, once.n) == ("undecided", 1)


def test_one_value_repeated_is_not_a_sample() -> None:
    """Deterministic arms beside random ones: their value stands for every replicate, and must not count n times."""
    both = {arm: {"deterministic": True} for arm in "AB"}
    records = [
        record("A", None, 60.0),
        record("B", None, 50.0),
        *(record("C", r, 55.0 + r % 3) for r in range(1000, 1008)),
    ]
    tab = RecordTable(records, experiment(**both))
    verdict = decide(BETTER, tab)
    assert (verdict.verdict, verdict.n, verdict.interval) == ("undecided", 1, None)
    assert "deterministic" in verdict.reason
    mixed = decide(Better("A", than="C", **ACC), tab)
    assert (mixed.verdict, mixed.n) == ("holds", 8)
    assert decide(Exact("A", 60.0, **ACC), tab).verdict == "holds"


# ---------------------------------------------------------------------------------------------------------- JSON
def test_verdicts_survive_json_exactly() -> None:
    tab = table([*draw(8.0, 1.0, 7), None])
    claims: list[Claim] = [
        replace(BETTER, role="headline", requires=(Better("B", than=40.0, **ACC),)),
        Near("A", to="B", margin=3, **ACC),
        Differs("A", "B", role="control", expect="found", **ACC),
        All(BETTER, AnyOf(*PARTS)),
        Exact("C", "B", **ACC),
        replace(BETTER, requires=(Better("B", than=60.0, **ACC),)),
    ]
    for verdict in [*decide_all(claims, tab), *decide_all(claims, table([1.0]))]:
        text = json.dumps(verdict.to_json(), allow_nan=False)
        again = Verdict.from_json(json.loads(text))
        assert again == verdict
        assert json.dumps(again.to_json()) == text


def test_a_moved_margin_shows_in_the_verdict() -> None:
    tab = table(draw(8.0, 1.0, 8))
    declared, moved = (decide(replace(BETTER, margin=m), tab) for m in (5, 5.0001))
    assert declared.claim != moved.claim
    assert declared.region != moved.region


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InputError, match="did you mean 'accuracy'"):
        decide(replace(BETTER, metric="acuracy"), table([1.0]))
    with pytest.raises(InputError, match="arm"):
        decide_all([Better("A", than="Z", **ACC)], table([1.0]))


@pytest.mark.parametrize("sizes", [(), (5,), (16, 8), (8, 8), (6, 8, 16)])
def test_looks_refuse_nonsense(sizes: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="looks"):
        Looks(sizes)
    with pytest.raises(InputError, match="error_rate"):
        Looks((8,), 0.0)
