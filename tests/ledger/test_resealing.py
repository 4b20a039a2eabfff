"""Verdicts computed again from records, and trials run again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from holdfast import ledger
from holdfast.cli.commands import recheck_ledger, reseal_ledger, show_verdicts
from holdfast.decision import Verdict, rule
from holdfast.errors import HoldfastError, InputError
from holdfast.ledger.rechecking import Recheck
from holdfast.ledger.resealing import reseal
from holdfast.trials import provenance
from ledger.test_plans_and_ledgers import decided
from toy_system import ToySystem


def content_of(toy: ToySystem) -> dict[str, Any]:
    return json.loads(ledger.ledger_path(toy.system, "small").read_text())


def test_better_words_make_no_ledger_edited_and_no_plan_stale(toy: ToySystem) -> None:
    decided(toy)
    toy.edit('question="Is three more than one?"', 'question="Is 3 more than 1?"')
    toy.edit('margin=1.0, role="headline"', 'margin=1.0, role="headline", text="Three is more", published="two"')
    toy.edit('"bad": Arm(Method(1.0), space=SPACE)', '"bad": Arm(Method(1.0), space=SPACE, about="the bad one")')
    toy.edit('"score": Metric("points")', '"score": Metric("points", about="what is scored")')
    assert ledger.state(toy.system, "small") in ("older code", "current")
    assert reseal(toy.system, "small") == []
    assert ledger.verdicts_of(ledger.read_ledger(toy.system, "small") or {})[0].text == "Three is more"
    assert "resealed" not in content_of(toy)


@pytest.mark.parametrize("change", ['scope="everywhere"', 'on="p", at={}, margin=0.5'])
def test_what_is_claimed_is_no_word(toy: ToySystem, change: str) -> None:
    decided(toy)
    toy.edit("margin=1.0", change if "margin" not in change else "margin=0.5")
    if "scope" in change:
        toy.edit('scope="everywhere"', 'margin=1.0, scope="everywhere"')
    assert ledger.state(toy.system, "small") == "stale"


def test_a_mistake_in_verdicts_is_mended_and_the_earlier_ones_are_kept(
    toy: ToySystem, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as wrong:
        wrong.setattr(rule, "_won", lambda claim, value: False)
        decided(toy)
    assert ledger.state(toy.system, "small") == "edited"
    with pytest.raises(InputError, match="--why"):
        reseal(toy.system, "small")
    capsys.readouterr()
    reseal_ledger(toy.name, "small", "wins were not counted")
    said = capsys.readouterr().out
    assert "holds, wins 0 of 8; now holds, wins 8 of 8" in said
    assert "1 verdicts changed" in said
    assert ledger.state(toy.system, "small") == "current"
    kept = content_of(toy)
    assert kept["resealed"][0]["why"] == "wins were not counted"
    assert kept["resealed"][0]["verdicts"][0]["wins"] == 0
    assert kept["verdicts"][0]["wins"] == 8
    assert reseal(toy.system, "small", "again") == []
    assert len(content_of(toy)["resealed"]) == 1


def test_only_the_ledger_of_this_plan_is_resealed(toy: ToySystem) -> None:
    with pytest.raises(HoldfastError, match="no ledger"):
        reseal(toy.system, "small", "x")
    decided(toy)
    toy.edit("margin=1.0", "margin=0.5")
    with pytest.raises(HoldfastError, match="declares something else"):
        reseal(toy.system, "small", "x")


def test_the_file_is_small_and_holds_no_sentence(toy: ToySystem) -> None:
    decided(toy)
    text = ledger.ledger_path(toy.system, "small").read_text()
    assert "better: yes" not in text
    assert "by the claimed" in text, "the claim's own words are kept for readers that cannot import it"
    assert len(text) < 6000
    assert all(len(row) in (6, 7) for row in content_of(toy)["records"])


# ------------------------------------------------------------------------------------------------- running again
def recheck(toy: ToySystem, name: str = "again") -> Any:
    return Recheck(toy.system, "small", toy.root / "runs" / name).run()


def test_code_that_gives_the_same_numbers_is_stamped(toy: ToySystem, capsys: pytest.CaptureFixture[str]) -> None:
    before = decided(toy)
    toy.edit("def trial(run):", "def trial(run):\n    unused = 1")
    assert ledger.state(toy.system, "small") == "older code"
    capsys.readouterr()
    assert recheck_ledger(toy.name, "small", jobs=0, out=toy.root / "runs" / "again", quiet=True) == 0
    assert "3 trials agree (compared bit for bit)" in capsys.readouterr().out
    assert ledger.state(toy.system, "small") == "current"
    after = content_of(toy)
    assert after["rechecked"][0]["compared"] == "bit for bit"
    assert after["code"] != before["code"]
    assert ledger.read_ledger(toy.system, "small")["records"] == before["records"]
    assert show_verdicts(toy.name, check=True) == 0


def test_code_that_gives_other_numbers_is_not(toy: ToySystem, capsys: pytest.CaptureFixture[str]) -> None:
    decided(toy)
    before = content_of(toy)
    toy.edit("0.3 * run.rng", "0.3000001 * run.rng")
    capsys.readouterr()
    assert recheck_ledger(toy.name, "small", jobs=0, out=toy.root / "runs" / "again", quiet=True) == 1
    said = capsys.readouterr().out
    assert "good on p, replicate 1000: score" in said
    assert "6 differences in 3 trials (compared bit for bit); the ledger is left as it is" in said
    assert content_of(toy) == before
    assert ledger.state(toy.system, "small") == "older code"


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "machine", lambda: "another processor")


def test_on_another_machine_float_noise_is_allowed(toy: ToySystem, monkeypatch: pytest.MonkeyPatch) -> None:
    decided(toy)
    elsewhere(monkeypatch)
    toy.edit("0.3 * run.rng", "0.33 * run.rng")
    found = recheck(toy)
    assert (found.exact, found.differing, found.cells) == (False, (), 3)
    assert content_of(toy)["rechecked"][0]["compared"] == "statistically"
    assert 0 < found.typical <= found.largest < 1
    assert content_of(toy)["rechecked"][0]["largest"] == pytest.approx(found.largest, rel=1e-2)
    assert ledger.state(toy.system, "small") == "current"


def test_on_another_machine_another_method_is_noticed(toy: ToySystem, monkeypatch: pytest.MonkeyPatch) -> None:
    decided(toy)
    elsewhere(monkeypatch)
    toy.edit("value = run.arm.mean", "value = 20 * run.arm.mean")
    found = recheck(toy)
    assert not found.exact
    assert any("good on p" in line and "moved by" in line for line in found.differing)
    assert "rechecked" not in content_of(toy)


def test_a_trial_that_fails_now_is_named(toy: ToySystem) -> None:
    decided(toy)
    toy.edit("noise = run", "1 / 0\n    noise = run")
    found = recheck(toy)
    assert len(found.differing) == 3
    assert all("failed now" in line for line in found.differing)


def test_a_plan_that_is_stale_is_not_rechecked(toy: ToySystem) -> None:
    with pytest.raises(HoldfastError, match="no ledger"):
        recheck(toy)
    decided(toy)
    toy.edit("margin=1.0", "margin=0.5")
    with pytest.raises(HoldfastError, match="freeze a new plan"):
        recheck(toy)


def test_verdicts_kept_with_their_sentences_are_read_as_they_were() -> None:
    """Plans hold those of earlier plans, from before ledgers held numbers only."""
    old = {
        "claim": {"type": "Better", "margin": 5}, "text": "A is better", "role": "headline", "verdict": "holds",
        "effect": 8.0, "interval": [7.1, 8.9], "confidence": 0.97, "region": [5.0, "inf"], "unit": "points", "n": 8,
        "wins": 8, "wins_interval": [0.63, 1.0], "direction": "yes", "needed": None, "wants_more": False,
        "direction_line": "better: yes, +8.0 [7.1, 8.9] points (62 % of the gap closed)", "outliers": [],
        "margin_line": "by the claimed 5: yes", "missing": [], "reason": "decided by: something", "published": "10",
        "source": "abstract", "scope": "here", "parts": [], "values": {"1000": 8.0}, "expected": "",
        "as_expected": None,
    }  # fmt: skip
    read = Verdict.from_json(old)
    for name in ("direction_line", "margin_line", "reason", "published", "source", "scope", "text", "wins"):
        assert getattr(read, name) == old[name], name
    assert Verdict.from_json(read.to_json()) == read
    assert "direction_line" not in read.to_json()
    assert {**read.told(), "interval": [7.1, 8.9]}["reason"] == "decided by: something"
