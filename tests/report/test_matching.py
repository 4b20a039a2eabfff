"""Verdicts on the same claim meet although words and margins changed; what differs between runs is listed."""

from __future__ import annotations

import math

import pytest

from holdfast.report.comparison import compare
from holdfast.report.matching import MOST_SETTINGS, differing_facts, matched_verdicts, not_compared


@pytest.fixture
def comparison(run_results, verdict, tmp_path):
    def make(before, after, **fields):
        first = run_results(tmp_path, replicates=2, verdicts=before)
        return compare([("one", first), ("two", run_results(tmp_path, replicates=2, verdicts=after, **fields))])

    return make


def claim(arm="AdaMatch", than="source only", **fields):
    base = {"type": "Better", "arm": arm, "than": than, "on": ["mnist->digits"], "metric": "accuracy", "margin": 3.0}
    return {**base, **fields}


def test_a_claim_meets_itself_whatever_its_margin_and_words(comparison, verdict):
    before = [verdict(claim=claim(), text="by 3"), verdict(claim=claim(than="DANN"), text="than DANN")]
    after = [
        verdict(claim=claim(than="DANN"), text="than DANN", verdict="does not hold"),
        verdict(claim=claim(margin=5.0, text="other words"), text="by 5", region=(5.0, math.inf)),
    ]
    found = matched_verdicts(comparison(before, after))
    assert [[v.text for v in m.verdicts] for m in found] == [["by 3", "by 5"], ["than DANN", "than DANN"]]
    assert [(m.changed, m.asked_differently) for m in found] == [(False, True), (True, False)]


def test_other_arms_metrics_and_problems_are_other_claims_and_come_last(comparison, verdict):
    before = [verdict(claim=claim(arm="DANN")), verdict(claim=claim())]
    after = [verdict(claim=claim(metric="loss")), verdict(claim=claim(on=["digits->mnist"])), verdict(claim=claim())]
    found = matched_verdicts(comparison(before, after))
    assert [m.shared for m in found] == [True, False, False, False]
    assert not any(m.changed for m in found)


def test_of_several_that_fit_equal_words_decide(comparison, verdict):
    before = [verdict(claim=claim(margin=1.0), text="by 1"), verdict(claim=claim(margin=9.0), text="by 9")]
    after = [verdict(claim=claim(margin=9.0), text="by 9"), verdict(claim=claim(margin=1.0), text="by 1")]
    found = matched_verdicts(comparison(before, after))
    assert [[v.text for v in m.verdicts] for m in found] == [["by 1", "by 1"], ["by 9", "by 9"]]


def test_parts_of_a_compound_count_too(comparison, verdict):
    before = [verdict(claim={"type": "All", "claims": [claim(), claim(than="DANN")]})]
    same = [verdict(claim={"type": "All", "claims": [claim(margin=0.0), claim(than="DANN")]})]
    other = [verdict(claim={"type": "All", "claims": [claim(), claim(than="AdaBN")]})]
    assert [m.shared for m in matched_verdicts(comparison(before, same))] == [True]
    assert [m.shared for m in matched_verdicts(comparison(before, other))] == [False, False]


# --------------------------------------------------------------------------------------------------------- provenance
def facts_of(found):
    return {kind.title: {fact.name: fact.values for fact in kind.facts} for kind in differing_facts(found)}


def test_what_differs_is_listed_and_what_is_equal_is_not(comparison):
    plan = {
        "tuned": {"AdaMatch": {"lr": 0.3, "align": {"type": "Alignment", "ema": 0.9}}},
        "frozen_at": "2025-03-01",
        "looks": {"a": [8, 16]},
    }
    declaration = {
        "scale": {"type": "Scale", "steps": 400},
        "arms": {"AdaMatch": {"about": "x"}, "gone": {"about": "y"}},
    }
    found = facts_of(
        comparison(
            [],
            [],
            plan=plan,
            declaration=declaration,
            provenance={"commit": "fff", "device": "cpu", "versions": "torch 2.9, numpy 2.4", "seconds": "1"},
            command="holdfast run adamatch --scale small",
        )
    )
    assert found["Code and machine"]["commit"] == ("0123abc", "fff")
    assert found["Code and machine"]["torch"] == ("–", "2.9")
    assert "device" not in found["Code and machine"]
    assert "seconds" not in found["Code and machine"]
    assert "The run" not in found
    assert found["Tuned on pilots"]["AdaMatch › lr"] == ("0.1", "0.3")
    assert found["Tuned on pilots"]["AdaMatch › align"] == ("–", "Alignment")
    assert found["Tuned on pilots"]["AdaMatch › align › ema"] == ("–", "0.9")
    assert "Plan" not in found, "the looks are written differently and are the same"
    assert found["Declared settings"]["scale › steps"] == ("–", "400")
    assert not any("gone" in name for name in found["Declared settings"]), "an arm that is not compared"


def test_equal_runs_differ_in_nothing(comparison):
    assert facts_of(comparison([], [])) == {}
    assert not_compared(comparison([], [])) == []


def test_a_flood_of_settings_is_cut_and_counted(comparison):
    declaration = {"scale": {f"s{i}": i for i in range(MOST_SETTINGS + 5)}}
    (kind,) = differing_facts(comparison([], [], declaration=declaration))
    assert (len(kind.facts), kind.cut) == (MOST_SETTINGS, 5)


def test_arms_that_one_run_lacks_are_named(run_results, tmp_path):
    first = run_results(tmp_path, replicates=1)
    other = run_results(tmp_path, replicates=1, arms=("source only", "AdaMatch", "newcomer"))
    (fact,) = not_compared(compare([("one", first), ("two", other)]))
    assert fact.name == "arms that not every run has"
    assert fact.values[1] == "newcomer"
    assert "AdaBN, AdaMatch + 5 labels" in fact.values[0]
