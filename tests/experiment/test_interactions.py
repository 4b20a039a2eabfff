"""Effects here against effects there, claims that nothing here can test, and arms that use fewer swept values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from holdfast.decision import decide, decide_all
from holdfast.decision.resampling import cases_read
from holdfast.errors import InputError
from holdfast.experiment import (
    Arm,
    Better,
    Experiment,
    Interaction,
    Metric,
    NotTestable,
    Place,
    Problem,
    RatioOfSums,
    Record,
    RecordTable,
    Scale,
)
from holdfast.trials.plan import OWN, on_own_data


@dataclass(frozen=True)
class Given(Problem):
    source: ClassVar[Any] = "generated"

    def describe(self) -> str:
        return "given"


@dataclass(frozen=True)
class Fixed(Given):
    fixed_test: ClassVar[bool] = True


@dataclass(frozen=True)
class Ranking(Metric):
    """The share of (positive, negative) pairs that scores put in the right order: no mean over cases."""

    def of_cases(self, values: Any) -> float:
        score, label = values[:, 0], values[:, 1] > 0
        return float((score[label][:, None] > score[~label]).mean()) if label.any() and (~label).any() else 0.5


def made(**changes: Any) -> Experiment:
    fields: dict[str, Any] = {
        "question": "?",
        "problems": {"clean": Given(), "noisy": Given(), "fixed": Fixed()},
        "arms": {"A": Arm(Given()), "B": Arm(Given()), "narrow": Arm(Given(), points={"labels": (1,)})},
        "metrics": {"acc": Metric("%"), "loss": Metric("nats", higher_is_better=False), "rank": Ranking(),
                    "rate": RatioOfSums()},
        "scales": {"small": Scale()},
        "claims": (),
        "trial": lambda run: (),
        "points": {"labels": (1, 4)},
    }  # fmt: skip
    return Experiment(**{**fields, **changes})


def table(value: Any, exp: Experiment, arms: Any = ("A", "B")) -> RecordTable:
    rng = np.random.default_rng(0)
    records = [
        Record("", arm, problem, {"labels": labels}, 1000 + r, "ok",
               {m: value(arm, problem, labels, m) + 0.1 * rng.normal() for m in ("acc", "loss")})
        for r in range(8) for arm in arms for problem in ("clean", "noisy") for labels in (1, 4)
    ]  # fmt: skip
    return RecordTable(records, exp, exp.scales["small"])


def test_the_effect_is_a_difference_of_differences() -> None:
    exp = made()
    base = {"A": 5.0, "B": 1.0}
    tab = table(lambda a, p, n, m: base[a] + (3.0 if (a, p) == ("A", "noisy") else 0.0), exp)
    claim = Interaction(
        "A", than="B", here=Place(problem="noisy"), there=Place(problem="clean"), metric="acc", margin=2.5
    )
    by_hand = {
        r: np.mean([
            tab.values("acc", "A", "noisy", {"labels": n})[r] - tab.values("acc", "B", "noisy", {"labels": n})[r]
            - tab.values("acc", "A", "clean", {"labels": n})[r] + tab.values("acc", "B", "clean", {"labels": n})[r]
            for n in (1, 4)
        ])
        for r in tab.replicates
    }  # fmt: skip
    found = decide(claim, tab)
    assert found.values == pytest.approx(by_hand)
    assert (found.verdict, found.unit, found.margin_line) == ("holds", "points", "by the claimed 2.5: yes")
    assert claim.describe() == "A's advantage over B is larger at noisy than at clean by at least 2.5 (acc)"
    swapped = replace(claim, here=claim.there, there=claim.here)
    assert decide(swapped, tab).verdict == "does not hold"


def test_places_may_be_swept_points_or_metrics_and_one_arm_may_do() -> None:
    exp = made()
    tab = table(lambda a, p, n, m: float(n), exp)
    more = Interaction("A", here=Place(at={"labels": 4}), there=Place(at={"labels": 1}), metric="acc", on="clean")
    assert decide(more, tab).effect == pytest.approx(3.0, abs=0.3)
    assert more.reads() == {"labels": (4, 1)}
    lower = replace(more, metric="loss")
    assert decide(lower, tab).effect == pytest.approx(-3.0, abs=0.3), "a higher loss is no better"
    with pytest.raises(InputError, match="same unit"):
        decide(Interaction("A", here=Place(metric="acc"), there=Place(metric="loss"), on="clean"), tab)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"here": Place(problem="noisy"), "there": Place()}, "must name a problem if"),
        ({"here": Place(problem="a"), "there": Place(problem="b"), "on": "clean"}, "must be given once"),
        ({"here": Place(at={"labels": 1}), "there": Place(at={"labels": 4})}, "must be given once"),
        ({"here": Place(at={"labels": 1}), "there": Place(at={"labels": 1}), "on": "clean"}, "another place"),
        (
            {"here": Place(at={"labels": 1}), "there": Place(at={"labels": 4}), "on": "clean", "than": "A"},
            "must differ",
        ),
    ],
)
def test_places_that_say_nothing_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Interaction("A", metric="acc", **options)


def test_unknown_names_are_found() -> None:
    for place in (Place(at={"labels": 7}), Place(at={"width": 1})):
        claim = Interaction("A", here=place, there=Place(at={"labels": 1}), metric="acc", on="clean")
        with pytest.raises(InputError, match=r"^at: "):
            claim.check(made())


def test_what_cannot_be_tested_stands_beside_the_rest_and_costs_nothing() -> None:
    exp = made()
    tab = table(lambda a, p, n, m: {"A": 3.0, "B": 1.0}[a], exp)
    others = [Better("A", than="B", metric="acc", on=p) for p in ("clean", "noisy")]
    untested = NotTestable("It doubles the accuracy on DomainNet", "600,000 images do not fit here", published="2x")
    alone, beside = decide_all(others, tab), decide_all([*others, untested], tab)
    assert [v.interval for v in beside[:2]] == [v.interval for v in alone]
    assert (beside[2].verdict, beside[2].reason, beside[2].published) == (
        "not testable here", "600,000 images do not fit here", "2x",
    )  # fmt: skip
    assert untested.readable(set(), exp, Scale())
    with pytest.raises(InputError, match="must say something"):
        NotTestable("x", " ")
    with pytest.raises(InputError, match="role"):
        NotTestable("x", "y", role="control", expect="found")


def test_own_data_keep_no_claim_between_problems_and_none_that_cannot_be_tested() -> None:
    headline = Better("A", than="B", metric="acc", on=("clean", "noisy"), role="headline")
    between = Interaction("A", here=Place(problem="noisy"), there=Place(problem="clean"), metric="acc")
    said: dict[str, Any] = {}

    def own(paths: Any, columns: Any) -> Problem:
        said.update(paths=paths, columns=columns)
        return Given()

    exp = made(claims=(headline, between, NotTestable("a", "b")), own=own, roles=("label",))
    found = on_own_data(exp, ["x.csv"], {"label": "y"})
    assert [type(claim).__name__ for claim in found.claims] == ["Better"]
    assert found.claims[0].problems == (OWN,)
    assert said["columns"] == {"label": "y"}
    with pytest.raises(InputError, match="--column: must name one of the roles label"):
        on_own_data(exp, ["x.csv"], {"lable": "y"})
    with pytest.raises(InputError, match="no columns to choose from"):
        on_own_data(made(own=own, claims=(headline,)), ["x.csv"], {"label": "y"})


# ------------------------------------------------------------------------------------ points of arms, cases of metrics
def test_an_arm_uses_its_values_only_and_claims_read_what_all_their_arms_use() -> None:
    exp = made()
    assert exp.swept(None, "clean", ("narrow",)) == {"labels": [1]}
    assert exp.swept(None, "clean", ("A",)) == {"labels": (1, 4)}
    records = [
        r for r in table(lambda a, p, n, m: n, exp, ("A", "narrow")).records if r.arm == "A" or r.point["labels"] == 1
    ]
    tab = RecordTable(records, exp, exp.scales["small"])
    found = decide(Better("A", than="narrow", metric="acc", on="clean"), tab)
    assert found.n == 8
    assert abs(found.effect or 9) < 0.3, "compared where both were run"
    with pytest.raises(InputError, match=r"arm 'A': points: labels: must be of \[1, 4\]"):
        made(arms={"A": Arm(Given(), points={"labels": (2,)})})


def records_with_cases(exp: Experiment, metric: str, cases: Any, factor: float = 1.0) -> RecordTable:
    records = []
    for r in range(8):
        for arm in ("A", "B"):
            values = cases(arm, r)
            score = factor * exp.metrics[metric].of_cases(np.asarray(values))
            kept = {"values": values.tolist(), "units": list(range(len(values)))}
            records.append(Record("", arm, "fixed", {}, 1000 + r, "ok", {metric: score}, per_unit={metric: kept}))
    return RecordTable(records, exp, exp.scales["small"])


def scored(arm: str, r: int) -> np.ndarray:
    rng = np.random.default_rng(r)
    label = np.arange(60) % 2
    return np.stack([(1.5 if arm == "A" else 0.2) * label + rng.normal(size=60), label], axis=1)


@pytest.mark.parametrize("metric", ["rank", "rate"])
def test_metrics_that_are_no_mean_over_cases_are_bootstrapped_through_themselves(metric: str) -> None:
    exp = made(points={}, arms={"A": Arm(Given()), "B": Arm(Given())})
    tab = records_with_cases(exp, metric, lambda a, r: scored(a, r) + (0 if metric == "rank" else [[3.0, 1.0]]))
    claim = Better("A", than="B", metric=metric, on="fixed")
    spread = decide(claim, tab)
    assert "over 60 cases" in spread.reason
    # Independently: redraw the rows of all replicates at once, by an explicit loop.
    rng = np.random.default_rng(1)
    values = {(r.arm, r.replicate): np.asarray(r.per_unit[metric]["values"]) for r in tab.records}
    effects = []
    for _ in range(400):
        rows = rng.integers(0, 60, 60)
        one = {k: exp.metrics[metric].of_cases(v[rows]) for k, v in values.items()}
        effects.append(np.mean([one["A", r] - one["B", r] for r in tab.replicates]))
    over_cases = next(note for note in spread.notes if note["kind"] == "joined")["cases"]
    width = over_cases[1] - over_cases[0]
    from holdfast.decision.intervals import t_quantile

    assert width == pytest.approx(2 * float(t_quantile(spread.confidence, 59)) * np.std(effects), rel=0.2)
    assert cases_read([claim], exp) == {("A", "fixed", metric), ("B", "fixed", metric)}


def test_a_metric_that_does_not_follow_from_its_cases_is_noticed() -> None:
    exp = made(points={}, arms={"A": Arm(Given()), "B": Arm(Given())})
    tab = records_with_cases(exp, "rank", scored, factor=0.9)
    assert (
        "does not follow from its values per case"
        in decide(Better("A", than="B", metric="rank", on="fixed"), tab).reason
    )


def test_a_claim_between_metrics_can_be_copied_and_bound_to_another_problem():
    claim = Interaction("A", here=Place(metric="acc"), there=Place(metric="loss"), on="clean", margin=1)
    assert dataclasses.replace(claim, margin=2).metrics == ("acc", "loss")
    assert claim.rebind(("yours",)).problems == ("yours",)
    with pytest.raises(InputError, match="metric"):
        dataclasses.replace(claim, metric="other")
