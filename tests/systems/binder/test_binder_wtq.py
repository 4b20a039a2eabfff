"""The official evaluation of WikiTableQuestions agrees with its port on every vector; the looser one is looser."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.systems.binder.tool.wtq import BinderScorer, Date, Number, WTQEvaluator, normalize, value_of

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "binder.json").read_text(encoding="utf-8"))


def test_normalisation_agrees_on_every_string() -> None:
    assert len(VECTORS["strings"]) == 738
    assert [normalize(text) for text in VECTORS["strings"]] == VECTORS["normalized"]


def test_values_agree_on_every_string() -> None:
    for text, expected in zip(VECTORS["strings"], VECTORS["values"], strict=True):
        value = value_of(text)
        if isinstance(value, Number):
            found: list[object] = ["N", value.amount, value.normalized]
        elif isinstance(value, Date):
            found = ["D", [value.year, value.month, value.day], value.normalized]
        else:
            found = ["S", value.normalized]
        assert found == expected


def test_judgements_agree_on_every_pair() -> None:
    pairs, evaluator = VECTORS["pairs"], WTQEvaluator()
    assert len(pairs) == 1525
    assert sum(pair["match"] for pair in pairs) == 1268
    wrong = [p for p in pairs if evaluator.match(p["target"], p["pred"], p["target_canon"]) != p["match"]]
    assert wrong == []


@pytest.mark.parametrize(
    ("target", "given", "right"),
    [
        ("435", 4.35 * 100, False),  # 434.99999999999994, which the official evaluation cuts off
        ("434", 4.35 * 100, True),
        ("435", 435.0000001, True),
        ("435.0000009", 435, True),
        ("434.9999991", "434", True),
        ("434.99999", "435", False),
        ("-3", -2.9999999, False),
        ("-2", -2.9999999, True),
        ("-3", -3.0000001, True),
        ("0", 1.0 - 1e-9, True),
        ("0.3", 0.1 + 0.2, True),
    ],
)
def test_numbers_within_a_millionth_below_a_whole_one_are_cut_off(target: str, given: object, right: bool) -> None:
    assert WTQEvaluator().match([target], [given]) is right


def test_normalising_twice_changes_nothing_on_real_strings() -> None:
    assert [normalize(text) for text in VECTORS["normalized"]] == VECTORS["normalized"]
    assert normalize("a..") == "a."  # the known exception: one point per pass


@given(st.lists(st.sampled_from(["1", "1.0", "a", "A ", "b", "2001-xx-xx", "xxxx-05-01"]), max_size=5), st.randoms())
def test_answers_are_sets(answers: list[str], random: object) -> None:
    shuffled = list(answers)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert WTQEvaluator().match(answers, shuffled + shuffled)
    assert not WTQEvaluator().match(answers, [*shuffled, "something else"])


def test_the_looser_rules_accept_what_the_official_ones_accept() -> None:
    scorer = BinderScorer()
    accepted = [p for p in VECTORS["pairs"] if p["match"]]
    assert all(scorer.match(p["target"], p["pred"], "which?", p["target_canon"]) for p in accepted)


@pytest.mark.parametrize(
    ("target", "given", "question", "right"),
    [
        (["yes"], [1], "is it?", True),
        (["yes"], [0], "is it?", False),
        (["no"], ["0"], "is it?", True),
        (["before"], [1], "after or before?", True),
        (["before"], [0], "after or before?", False),
        (["17 years"], [17], "how long?", True),
        (["17 years"], [18], "how long?", False),
        (["-3"], ["3 m"], "how deep?", False),
        (["1,200"], [1200], "how many?", True),
        (["September 7, 2007"], ["2007-09-07"], "when?", True),
        (["september 2007"], ["september"], "when?", True),
        (["september 2007"], ["october"], "when?", False),
        (["a", "b"], ["a"], "which?", False),
        (["a", "b"], [1], "a or b?", False),
    ],
)
def test_the_looser_rules(target: list[str], given: list[object], question: str, right: bool) -> None:
    assert BinderScorer().match(target, given, question) is right


def test_accuracy_and_bad_input() -> None:
    evaluator = WTQEvaluator()
    assert evaluator.accuracy([["a"], ["1"]], [["A"], ["2"]]) == 0.5
    with pytest.raises(InputError, match="list of answers"):
        evaluator.match("a", ["a"])
    with pytest.raises(InputError, match="as many forms"):
        evaluator.match(["a"], ["a"], ["a", "b"])
    with pytest.raises(InputError, match="one list for each"):
        evaluator.accuracy([["a"]], [])
