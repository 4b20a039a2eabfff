"""The worlds and the arms: what is broken is what was said to be, and simple cases come out as they must."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from holdfast import load
from holdfast.experiment import NotTestable, Scalar
from holdfast.systems.chatgpt_failures.experiment import OneItem, Paired, Subject, Unpaired, memorised, z_test
from holdfast.systems.chatgpt_failures.net import SIGNS, CharAdder, encode, written
from holdfast.systems.chatgpt_failures.problems import FixedItems, Upgrades, judged_suite
from holdfast.systems.chatgpt_failures.tool.cases import CATEGORIES
from holdfast.testing.runs import run_of

CATEGORY = np.repeat(np.arange(11), 200)


def versions(**settings: float):
    cases = {"category": CATEGORY, "right": np.ones(2200, bool), "wrong": np.zeros(2200, bool)}
    return Upgrades(**settings).versions(cases, 3, np.random.default_rng(0))


def test_the_judged_suite_is_whole() -> None:
    cases = judged_suite(40, 30, seed=1)
    counts = np.bincount(cases["category"], minlength=11)
    assert counts.tolist() == [30] * 11
    assert cases["right"].all()
    assert not cases["wrong"].any()


def test_the_defect_is_in_its_category_alone() -> None:
    before, after = versions(defect=0.3, chance=0.0)
    assert before.all()
    worse = (before & ~after).reshape(11, 200).mean(1)
    assert 0.2 < worse[3] < 0.4
    assert worse.sum() == worse[3]
    before, after = versions(defect=0.0, chance=0.02)
    assert 0.01 < 1 - before.mean() < 0.03
    assert 0.01 < 1 - after.mean() < 0.03
    assert (~before & ~after).mean() < 0.002, "each errs on its own"
    before, after = versions(defect=0.0, chance=0.0, shared=0.3)
    assert 0.27 < 1 - before.mean() < 0.33
    assert (before == after).all()


def test_a_z_test_is_that_of_statsmodels() -> None:
    from statsmodels.stats.proportion import proportions_ztest

    before, after = np.arange(200) >= 4, np.arange(200) >= 20
    assert z_test(before, after) == pytest.approx(proportions_ztest([196, 180], [200, 200])[1])
    assert z_test(before, before) == 1.0
    assert z_test(np.ones(9), np.ones(9)) == 1.0


def test_arms_on_a_clear_case() -> None:
    before, after = np.ones(2200, bool), np.ones(2200, bool)
    after[600:640] = False
    after[0] = False
    rng = np.random.default_rng(0)
    assert Paired().flags(CATEGORY, before, after, rng) == {3}
    assert Unpaired().flags(CATEGORY, before, after, rng) == {3}
    assert Unpaired(corrected=True).flags(CATEGORY, before, after, rng) == {3}
    assert OneItem().flags(CATEGORY, before, after, rng) == {0, 3}
    assert Paired(shuffled=True).flags(CATEGORY, before, after, rng) != {3}
    assert Paired().flags(CATEGORY, after, before, rng) == {3}, "an improvement is a change, too"
    for arm in (Paired(), Unpaired(), OneItem()):
        assert arm.flags(CATEGORY, before, before, rng) == set()


def test_correction_takes_the_small_ones_away() -> None:
    before, after = np.ones(2200, bool), np.ones(2200, bool)
    after[:5] = False
    p = 2 * stats.norm.sf(np.sqrt(200 * 0.025**2 / (2 * 0.0125 * 0.9875)))
    assert p < 0.05 < 11 * p
    rng = np.random.default_rng(0)
    assert Unpaired().flags(CATEGORY, before, after, rng) == {0}
    assert Unpaired(corrected=True).flags(CATEGORY, before, after, rng) == set()


def test_subjects() -> None:
    assert memorised(Subject(fresh=0.0), FixedItems(chance=0.0), 1, np.random.default_rng(0)) == 1.0
    assert memorised(Subject(), FixedItems(chance=0.0), 1, np.random.default_rng(0)) == 0.0


# ----------------------------------------------------------------------------------------------- the transformer
def test_sums_are_written_backwards_and_read_back() -> None:
    assert written(9, 1) == "9+1=01."
    lines = encode([written(9, 1), written(10, 10)])
    assert lines.shape == (2, 9)
    assert "".join(SIGNS[i] for i in lines[0]) == "9+1=01.  "


def test_the_loss_is_that_of_the_signs_after_the_equals_sign() -> None:
    torch.manual_seed(0)
    model = CharAdder(8, 2, 1).eval()
    lines = encode([written(3, 4), written(10, 20)])
    expected, count = 0.0, 0
    for text in (written(3, 4), written(10, 20)):
        for t in range(text.index("=") + 1, len(text)):
            logits = model(encode([text[:t]]))[0, -1]
            expected -= float(torch.log_softmax(logits, 0)[SIGNS.index(text[t])].detach())
            count += 1
    loss, _ = model.loss({"lines": lines}, torch.Generator())
    assert float(loss.detach()) == pytest.approx(expected / count, rel=1e-5)
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_what_it_says_is_its_most_likely_continuation() -> None:
    class Fixed(CharAdder):
        """Answers "=" by 2, 1 and an end."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            following = {"=": "2", "2": "1", "1": "."}
            out = torch.zeros(*x.shape, len(SIGNS))
            for i, sign in enumerate(x[0].tolist()):
                out[0, i, SIGNS.index(following.get(SIGNS[sign], "0"))] = 1
            return out

    assert Fixed().add([(5, 7), (33, 44)]) == ["12", "12"]


# ------------------------------------------------------------------------------------------------- declarations
def test_the_finding_of_the_paper_is_not_tested_and_the_trials_yield_what_is_declared(tmp_path: Path) -> None:
    experiment = load("chatgpt_failures").experiment
    assert any(isinstance(claim, NotTestable) for claim in experiment.claims)
    run = run_of(experiment, "paired + Holm", "one defect", tmp_path)
    first, second = (list(experiment.trial(run)) for _ in range(2))
    assert first == second
    assert {m.name for m in first if isinstance(m, Scalar)} == {"true category alone", "false alarms"}
    assert len(CATEGORIES) == 11
