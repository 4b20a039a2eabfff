"""Claims: their statistics against explicit loops, their regions, declarations and checks."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.experiment import Arm, Experiment, Metric, Problem, Record, RecordTable, Scale, claims
from holdfast.experiment.claims import (
    All,
    Better,
    Differs,
    Exact,
    Linear,
    Log2,
    LogRatio,
    Near,
    NoWorse,
    Ordered,
    Region,
    ShareOfGap,
    ShiftOfArgmin,
    Slope,
    check,
)


@dataclass(frozen=True)
class Toy(Problem):
    source: ClassVar = "generated"

    def describe(self) -> str:
        return "toy"


ARMS = ("A", "B", "C", "only p")
ACC: dict[str, Any] = {"metric": "accuracy", "on": "p"}
LOSS: dict[str, Any] = {"metric": "loss", "on": "p"}


def experiment(**points: list[Any]) -> Experiment:
    return Experiment(
        question="?",
        problems={"p": Toy(), "q": Toy()},
        arms={a: Arm(SimpleNamespace(), problems=("p",) if a == "only p" else None) for a in ARMS},
        metrics={"accuracy": Metric("%"), "loss": Metric("nats", higher_is_better=False)},
        scales={"small": Scale()},
        claims=(),
        trial=lambda run: (),
        points=points,
    )


def random_table(seed: int = 0, replicates: int = 5, **points: list[Any]) -> RecordTable:
    rng = np.random.default_rng(seed)
    records = [
        Record("", a, p, point, r, "ok", scalars={m: float(rng.uniform(10, 90)) for m in ("accuracy", "loss")})
        for a in ARMS
        for p in (("p",) if a == "only p" else ("p", "q"))
        for point in _product(points)
        for r in range(replicates)
    ]
    return RecordTable(records, experiment(**points))


def _product(points: dict[str, list[Any]]) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = [{}]
    for name, values in points.items():
        out = [{**point, name: value} for point in out for value in values]
    return out


def value(table: RecordTable, metric: str, arm: str, problem: str, replicate: int, **point: Any) -> float:
    """By looking at every record."""
    (found,) = [
        r.scalars[metric]
        for r in table.records
        if (r.arm, r.problem, r.replicate, dict(r.point)) == (arm, problem, replicate, point)
    ]
    return found


# ------------------------------------------------------------------------------------------------------ statistics
def test_difference_is_averaged_over_problems_first() -> None:
    table = random_table()
    got = Better("A", than="B", metric="accuracy", on=("p", "q")).statistic(table)
    for r in range(5):
        each = [value(table, "accuracy", "A", p, r) - value(table, "accuracy", "B", p, r) for p in ("p", "q")]
        assert got[r] == pytest.approx(sum(each) / 2, abs=1e-12)


def test_lower_is_better_turns_the_sign() -> None:
    table = random_table()
    for kind in (Better("A", than="B", metric="loss", on="p"), Better("A", than=50.0, metric="loss", on="p")):
        for r, effect in kind.statistic(table).items():
            other = 50.0 if isinstance(kind.than, float) else value(table, "loss", "B", "p", r)
            assert effect == pytest.approx(other - value(table, "loss", "A", "p", r))


def test_log_ratio() -> None:
    table = random_table()
    claim = NoWorse("A", than="B", metric="loss", on="p", margin=0.1, compare=LogRatio())
    for r, effect in claim.statistic(table).items():
        ratio = value(table, "loss", "B", "p", r) / value(table, "loss", "A", "p", r)
        assert effect == pytest.approx(math.log(ratio) / math.log(2))
    assert claim.unit(table.experiment) == "log2 ratio"
    assert math.isnan(LogRatio()(-1.0, 2.0))
    assert math.isnan(LogRatio()(1.0, 0.0))


def test_replicates_must_be_complete() -> None:
    table = random_table()
    table.records[:] = [r for r in table.records if not (r.arm == "B" and r.problem == "q" and r.replicate == 2)]
    claim = Better("A", than="B", metric="accuracy", on=("p", "q"))
    assert list(claim.statistic(table)) == [0, 1, 3, 4]
    assert list(claim.rebind(("p",)).statistic(table)) == [0, 1, 2, 3, 4]


def test_points_are_averaged_unless_fixed() -> None:
    table = random_table(labels=[1, 5], width=[2, 4])
    at = Better("A", than="B", metric="accuracy", on="p", at={"labels": 5}).statistic(table)
    for r in range(5):
        each = [
            value(table, "accuracy", "A", "p", r, labels=5, width=w)
            - value(table, "accuracy", "B", "p", r, labels=5, width=w)
            for w in (2, 4)
        ]
        assert at[r] == pytest.approx(sum(each) / 2)


def test_share_of_gap_is_the_linear_combination() -> None:
    table = random_table()
    claim = ShareOfGap("A", floor="B", ceiling="C", at_least=0.3, metric="accuracy", on="p")
    closed = gap = 0.0
    for r, effect in claim.statistic(table).items():
        a, b, c = (value(table, "accuracy", arm, "p", r) for arm in "ABC")
        assert effect == pytest.approx((a - b) - 0.3 * (c - b))
        closed, gap = closed + a - b, gap + c - b
    expected = f"{100 * closed / gap:.3g} % of the gap closed" if gap > 0 else ""
    assert claim.remark(table) == expected
    (needed,) = claim.preconditions
    assert needed == Better("C", than="B", metric="accuracy", on="p")


def test_shift_of_argmin_against_a_loop() -> None:
    lrs, widths = [0.125, 0.25, 0.5, 1.0], [64, 128, 256]
    table = random_table(3, replicates=40, lr=lrs, width=widths)
    claim = ShiftOfArgmin(
        "A", of="lr", along="width", start=64, end=256, target=Region.within(1), metric="loss", on="p"
    )
    got = claim.statistic(table)
    edges = 0
    for r in range(40):
        best = []
        for width in (64, 256):
            losses = {lr: value(table, "loss", "A", "p", r, lr=lr, width=width) for lr in lrs}
            best.append(min(losses, key=losses.__getitem__))
        if set(best) & {lrs[0], lrs[-1]}:
            edges += 1
            assert math.isnan(got[r])
        else:
            assert got[r] == pytest.approx(math.log2(best[1] / best[0]))
    assert 0 < edges < 40
    assert claim.unit(table.experiment) == "log2 lr"


def test_slope_is_least_squares() -> None:
    sizes = [10, 20, 80, 160]
    table = random_table(n=sizes)
    for x_axis, y_axis, f, g in ((Linear(), Linear(), float, float), (Log2(), Log2(), math.log2, math.log2)):
        claim = Slope("A", against="n", target=Region.at_most(0), x=x_axis, y=y_axis, metric="loss", on="p")
        for r, slope in claim.statistic(table).items():
            ys = [g(value(table, "loss", "A", "p", r, n=n)) for n in sizes]
            assert slope == pytest.approx(np.polyfit([f(n) for n in sizes], ys, 1)[0])


def test_a_power_law_has_its_exponent_as_slope() -> None:
    exp = experiment(n=[4, 8, 64])
    records = [Record(str(n), "A", "p", {"n": n}, 0, "ok", scalars={"loss": 3.0 * n**-0.7}) for n in (4, 8, 64)]
    claim = Slope("A", against="n", target=Region.at_most(0), x=Log2(), y=Log2(), metric="loss", on="p")
    assert claim.statistic(RecordTable(records, exp))[0] == pytest.approx(-0.7)


@pytest.mark.parametrize(
    "claim",
    [
        Better("A", than="B", metric="loss", on=("p", "q")),
        Near("A", to="B", margin=1, metric="loss", on="p", compare=LogRatio()),
        ShareOfGap("A", floor="B", ceiling="C", metric="accuracy", on="p"),
        ShiftOfArgmin("A", of="lr", along="w", start=1, end=2, target=Region.within(1), metric="loss", on="p"),
        Slope("A", against="lr", target=Region.at_least(0), y=Log2(), metric="loss", on="p", at={"w": 2}),
    ],
)
def test_statistics_work_elementwise(claim: claims.Measured) -> None:
    """The bootstrap relies on it: a table of arrays gives the same as a table for every element."""
    points = {"lr": [1, 2, 4, 8, 16], "w": [1, 2]}
    tables = [random_table(seed, 3, **points) for seed in range(20)]

    class Stacked:
        experiment, swept = tables[0].experiment, staticmethod(tables[0].swept)

        def values(self, *cell: Any) -> dict[int, np.ndarray]:
            each = [t.values(*cell) for t in tables]
            return {r: np.array([e[r] for e in each]) for r in each[0]}

    got = claim.statistic(Stacked())  # type: ignore[arg-type]
    for i, table in enumerate(tables):
        for r, effect in claim.statistic(table).items():
            np.testing.assert_allclose(got[r][i], effect, rtol=1e-12)


# --------------------------------------------------------------------------------------------------------- regions
@given(st.floats(-9, 9), st.floats(0, 9), st.floats(-9, 9), st.floats(0.01, 9))
def test_judging_agrees_with_points_of_the_interval(lo: float, length: float, edge: float, width: float) -> None:
    region, hi = Region(edge, edge + width), lo + length
    points = [lo, hi, *np.linspace(lo, hi, 50), *(e for e in (edge, edge + width) if lo <= e <= hi)]
    members = [edge < x < edge + width for x in points]
    place = region.judge(lo, hi)
    assert (place == "inside") == all(members)
    if place == "outside":
        assert not any(members)
    assert (place == "outside") == (hi <= edge or lo >= edge + width)


@given(st.floats(-9, 9), st.floats(0, 9), st.floats(0.1, 5), st.floats(0, 5))
def test_widening_a_margin_never_undoes_a_hold(lo: float, length: float, margin: float, extra: float) -> None:
    narrow, wide = Region.within(margin), Region.within(margin + extra)
    if narrow.judge(lo, lo + length) == "inside":
        assert wide.judge(lo, lo + length) == "inside"
    if wide.judge(lo, lo + length) == "outside":
        assert narrow.judge(lo, lo + length) == "outside"


def test_regions_of_the_kinds() -> None:
    common: dict[str, Any] = {"metric": "accuracy", "on": "p"}
    assert Better("A", than="B", margin=5, **common).region == Region(5, math.inf)
    assert NoWorse("A", than="B", margin=3, **common).region == Region(-3, math.inf)
    assert Near("A", to="B", margin=1, **common).region == Region(-1, 1)
    exact = Exact("A", 0.5, tol=0.25, **common).region
    assert [exact.judge(v, v) for v in (-0.25, 0.25, 0.2500001)] == ["inside", "inside", "outside"]
    assert Exact("A", 0.5, **common).region.judge(0.0, 0.0) == "inside"
    apart = Differs("A", "B", **common).region
    assert apart.judge(0.1, 1) == apart.judge(-1, -0.1) == "inside"
    assert apart.judge(-1, 1) == apart.judge(0, 1) == "astride"
    for bad in ((1, 1), (2, 1), (-math.inf, math.inf), (math.nan, 1)):
        with pytest.raises(InputError, match="region"):
            Region(*bad)


# --------------------------------------------------------------------------------------------- declarations
def every_kind() -> list[claims.Claim]:
    common: dict[str, Any] = {"metric": "accuracy", "on": "p"}
    better = Better("A", than="B", margin=5, **common)
    return [
        better,
        NoWorse("A", than="B", margin=3, **common),
        Near("A", to=60.0, margin=3, **common),
        Differs("A", "B", role="control", expect="not found", **common),
        Exact("A", 60.0, tol=0.1, **common),
        ShareOfGap("A", floor="B", ceiling="C", **common),
        ShiftOfArgmin("A", of="lr", along="w", start=1, end=2, target=Region.within(1), **common),
        Slope("A", against="lr", target=Region.at_least(0.5), **common),
        Ordered("A", "B", "C", margin=1, requires=(better,), **common),
        All(better, Near("A", to="C", margin=2, **common), role="headline"),
        claims.Any(better, Better("A", than="C", **common)),
    ]


@pytest.mark.parametrize("claim", every_kind(), ids=lambda c: type(c).__name__)
def test_every_kind(claim: claims.Claim) -> None:
    exp = experiment(lr=[1, 2, 4], w=[1, 2])
    check(claim, exp)
    declared = claim.declaration()
    assert json.loads(json.dumps(declared, allow_nan=False)) == declared
    assert declared["type"] == type(claim).__name__
    assert claim.describe()
    assert dataclasses.replace(claim, text="said otherwise").describe() == "said otherwise"
    assert set(claim.arms) <= {"A", "B", "C"}
    assert claim.problems == ("p",)
    moved = claim.rebind(("q", "p"))
    assert moved.problems == ("q", "p")
    assert all(c.problems == ("q", "p") for c in (*moved.requires, *getattr(moved, "parts", ())))
    assert moved.rebind(("p",)).declaration() == declared
    assert dataclasses.replace(claim) == claim
    with pytest.raises(dataclasses.FrozenInstanceError):
        claim.role = "headline"  # type: ignore[misc]


NUMBERS = ("margin", "tol", "at_least", "value", "to", "target", "start")


@pytest.mark.parametrize("claim", every_kind(), ids=lambda c: type(c).__name__)
def test_no_number_can_be_changed_unseen(claim: claims.Claim) -> None:
    """Whatever moves the goal posts, also inside parts and preconditions, gives another declaration."""
    declared = claim.declaration()
    changed = 0
    for name in NUMBERS:
        old = getattr(claim, name, None)
        if isinstance(old, float | int):
            new: Any = 2 if name == "start" else old * 0.999 + 1e-9
        elif isinstance(old, Region):
            new = Region(old.lo - 1e-9, old.hi)
        else:
            continue
        assert dataclasses.replace(claim, **{name: new}).declaration() != declared
        changed += 1
    for name in ("requires", "claims"):
        for i, part in enumerate(old_parts := getattr(claim, name, ())):
            if hasattr(part, "margin"):
                moved = (*old_parts[:i], dataclasses.replace(part, margin=part.margin + 1e-9), *old_parts[i + 1 :])
                assert dataclasses.replace(claim, **{name: moved}).declaration() != declared
                changed += 1
    assert changed or isinstance(claim, Differs)
    for field, other in (("role", "secondary"), ("text", "x"), ("scope", "x"), ("published", "x")):
        extra = {"expect": ""} if field == "role" else {}
        if getattr(claim, field) != other:
            assert dataclasses.replace(claim, **{field: other}, **extra).declaration() != declared


def test_a_margin_written_as_an_integer_declares_the_same() -> None:
    def declare(margin: Any) -> str:
        return json.dumps(Better("A", than="B", margin=margin, metric="accuracy", on="p").declaration())

    assert declare(5) == declare(5.0)


def test_a_new_kind_needs_no_list() -> None:
    @dataclass(frozen=True)
    class Positive(claims.Measured):
        arm: str

        @property
        def arms(self) -> tuple[str, ...]:
            return (self.arm,)

        region = Region.at_least(0)

        def statistic(self, table: RecordTable) -> dict[int, Any]:
            return table.values(self.metric, self.arm, self.on[0])

        def unit(self, experiment: Experiment) -> str:
            return ""

        def sentence(self) -> str:
            return f"{self.arm} is positive"

    claim = Positive("A", metric="accuracy", on="p")
    check(claim, experiment())
    assert claim.declaration() == {**claim.declaration(), "type": claim.declaration()["type"], "arm": "A", "on": ["p"]}
    assert len(claim.statistic(random_table())) == 5


# -------------------------------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("claim", "argument", "suggestion"),
    [
        (Better("A", than="B", metric="acuracy", on="p"), "metric", "accuracy"),
        (Better("A", than="only q", **ACC), "arm", "only p"),
        (Better("A", than="only p", metric="accuracy", on="q"), "on", "applies only to"),
        (Better("A", than="B", metric="accuracy", on="pp"), "on", "'p'"),
        (Better("A", than="B", at={"lrs": 1}, **ACC), "at", "lr"),
        (Better("A", than="B", **ACC, at={"lr": 3}), "at", "one of"),
        (Slope("A", against="l", target=Region.at_least(0), **LOSS), "against", "lr"),
        (ShiftOfArgmin("A", of="lr", along="w", start=1, end=9, target=Region.within(1), **LOSS), "end", "one of"),
        (ShiftOfArgmin("A", of="w", along="lr", start=1, end=2, target=Region.within(1), **LOSS), "of", "at least 3"),
        (Slope("A", against="lr", target=Region.at_least(0), **LOSS, at={"lr": 1}), "at", "must not fix"),
        (All(Better("A", than="B", **ACC), Better("A", than="Z", **ACC)), "arm", "one of"),
        (Ordered("A", "B", "D", **ACC), "arm", "one of"),
        (Better("A", than="B", **ACC, requires=(Better("D", than=1.0, **ACC),)), "arm", "one of"),
    ],
)
def test_check_names_what_is_unknown(claim: claims.Claim, argument: str, suggestion: str) -> None:
    with pytest.raises(InputError, match=suggestion) as caught:
        check(claim, experiment(lr=[1, 2, 4], w=[1, 2]))
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("fields", "argument"),
    [
        ({"margin": -1}, "margin"),
        ({"margin": math.nan}, "margin"),
        ({"margin": math.inf}, "margin"),
        ({"margin": "5"}, "margin"),
        ({"margin": True}, "margin"),
        ({"than": "A"}, "than"),
        ({"than": math.nan}, "than"),
        ({"than": None}, "than"),
        ({"on": ()}, "on"),
        ({"on": ("p", "p")}, "on"),
        ({"role": "main"}, "role"),
        ({"role": "control"}, "expect"),
        ({"expect": "found"}, "expect"),
        ({"role": "control", "expect": "holds"}, "expect"),
    ],
)
def test_declarations_refuse_nonsense(fields: dict[str, Any], argument: str) -> None:
    with pytest.raises(InputError) as caught:
        Better(**{"arm": "A", "than": "B", "metric": "accuracy", "on": "p", **fields})
    assert caught.value.argument == argument


def test_two_sided_margins_must_be_positive() -> None:
    with pytest.raises(InputError, match="margin"):
        Near("A", to="B", margin=0, metric="accuracy", on="p")
    with pytest.raises(InputError, match="margin"):
        NoWorse("A", than="B", margin=0, metric="accuracy", on="p")


def test_parts_may_be_about_problems_that_other_parts_arms_do_not_know() -> None:
    whole = claims.All(
        claims.Better("A", than="B", metric="accuracy", on="q"), claims.Better("A", than="only p", **ACC)
    )
    world = experiment()
    run = {(a, p) for a in ARMS for p in (("p",) if a == "only p" else ("p", "q"))}
    assert whole.readable(run, world, world.scales["small"])
    for lost in (("B", "q"), ("only p", "p")):
        assert not whole.readable(run - {lost}, world, world.scales["small"])


def test_compounds_refuse_nonsense() -> None:
    better = Better("A", than="B", metric="accuracy", on="p")
    with pytest.raises(InputError, match="claims"):
        All()
    with pytest.raises(InputError, match="claims"):
        All("A")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="two arms"):
        Ordered("A", metric="accuracy", on="p")
    with pytest.raises(InputError, match="two arms"):
        Ordered("A", "B", "A", metric="accuracy", on="p")
    with pytest.raises(TypeError, match="rol"):
        All(better, rol="headline")
    with pytest.raises(TypeError, match="metric"):
        Ordered("A", "B", on="p")


def test_declaring_claims_imports_no_numpy() -> None:
    code = "import sys, holdfast.experiment as e; print(sorted({'numpy', 'torch', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
