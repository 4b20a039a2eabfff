"""Which trials a run consists of, and their keys."""

from __future__ import annotations

import dataclasses
import itertools
import pickle
from pathlib import Path
from typing import Any

import pytest

import toy_experiment
from holdfast.errors import InputError
from holdfast.experiment import Arm, Experiment, Scale
from holdfast.trials import plan as module
from holdfast.trials.plan import (
    OWN,
    ExperimentSource,
    applicable,
    configured,
    on_own_data,
    plan,
    scale_settings,
    tuned_for,
)

TOY = ExperimentSource("toy_experiment:experiment")
EXPERIMENT = toy_experiment.experiment


def declared(monkeypatch: pytest.MonkeyPatch, **change: Any) -> Experiment:
    """Let the toy module declare something else."""
    made = dataclasses.replace(EXPERIMENT, **change)
    monkeypatch.setattr(toy_experiment, "experiment", made)
    module._load.cache_clear()
    return made


@pytest.fixture(autouse=True)
def _fresh() -> Any:
    yield
    module._load.cache_clear()


def keys(scale: str = "smoke", replicates: Any = (1000,), **options: Any) -> list[str]:
    return [t.key for t in plan(TOY, scale, replicates, **options)]


def test_replicates_come_one_after_the_other_and_deterministic_arms_once() -> None:
    trials = plan(TOY, "smoke", [5, 3], pairs=[("good", "p"), ("constant", "p"), ("good", "q")])
    assert [(t.arm, t.problem, t.replicate) for t in trials] == [
        ("good", "p", 5),
        ("constant", "p", None),
        ("good", "q", 5),
        ("good", "p", 3),
        ("good", "q", 3),
    ]
    assert len({t.key for t in trials}) == len(trials)
    assert all(pickle.loads(pickle.dumps(t)) == t for t in trials)
    assert len(pickle.dumps(trials[0])) < 1000


def test_a_deterministic_arm_runs_in_every_replicate_of_data_that_are_redrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(EXPERIMENT.problems["p"]), "redrawn", True)
    trials = plan(TOY, "smoke", [5, 3], pairs=[("constant", "p")])
    assert [(t.arm, t.replicate) for t in trials] == [("constant", 5), ("constant", 3)]


def test_an_arm_takes_the_values_found_on_its_problem_or_else_the_first_ones() -> None:
    tuned = {"good": {"mean": 3.0}, "good on q": {"mean": 4.0}}
    trials = plan(TOY, "smoke", [5], pairs=[("good", "p"), ("good", "q"), ("bad", "q")], tuned=tuned)
    assert [t.settings for t in trials] == [{"mean": 3.0}, {"mean": 4.0}, {}]
    assert tuned_for(tuned, "good", "elsewhere") == {"mean": 3.0}
    untuned = plan(TOY, "smoke", [5], pairs=[("good", "q")], tuned={"good": {"mean": 4.0}})
    assert untuned[0].key == trials[1].key  # what a trial is does not depend on where its values were found


def test_every_point_of_a_sweep_is_a_trial() -> None:
    trials = plan(ExperimentSource("toy_experiment:swept"), "smoke", [1, 2])
    points = [{"width": 1, "depth": "low"}, {"width": 2, "depth": "low"}]
    expected = [("a", p, 1) for p in points] + [("b", p, None) for p in points] + [("a", p, 2) for p in points]
    assert [(t.arm, t.point, t.replicate) for t in trials] == expected
    assert len({t.key for t in trials}) == 6


def test_pairs_are_those_of_the_scale_that_apply_and_have_data() -> None:
    assert applicable(EXPERIMENT, EXPERIMENT.scales["small"]) == [
        ("good", "p"),
        ("bad", "p"),
        ("good", "q"),
        ("bad", "q"),
        ("only q", "q"),
    ]
    everything = applicable(EXPERIMENT, Scale())
    assert {arm for arm, _ in everything} == set(EXPERIMENT.arms)
    assert {problem for _, problem in everything} == {"p", "q"}


def test_keys_change_with_what_changes_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = [("good", "p")]
    arm, problem = EXPERIMENT.arms["good"], EXPERIMENT.problems["p"]
    found = [keys(pairs=pair), keys(pairs=[("good", "q")]), keys(pairs=[("bad", "p")])]
    found += [keys(replicates=[1001], pairs=pair), keys("two threads", pairs=pair)]
    found += [keys(pairs=pair, device="cuda:1"), keys(pairs=pair, tuned={"good": {"mean": 4.0}})]
    for what, value in (("closure_hash", lambda _: "changed"), ("versions", lambda: {"torch": "0"})):
        with monkeypatch.context() as patch:
            patch.setattr(module, what, value)
            found.append(keys(pairs=pair))
    for change in (
        {
            "arms": {
                **EXPERIMENT.arms,
                "good": dataclasses.replace(arm, method=toy_experiment.Does(toy_experiment.scores)),
            }
        },
        {"arms": {**EXPERIMENT.arms, "good": dataclasses.replace(arm, reseed=2)}},
        {"problems": {**EXPERIMENT.problems, "p": dataclasses.replace(problem, shift=0.5)}},
    ):
        with monkeypatch.context() as patch:
            declared(patch, **change)
            found.append(keys(pairs=pair))
    module._load.cache_clear()
    assert len(set(itertools.chain(*found))) == len(found)
    assert keys(pairs=pair) == found[0]


def test_keys_change_with_the_files_of_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("one")
    source = ExperimentSource(TOY.reference, (str(file),))
    before = plan(source, "smoke", [0])
    file.write_text("two")
    after = plan(source, "smoke", [0])
    assert not {t.key for t in before} & {t.key for t in after}


def test_keys_do_not_change_with_how_much_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = [("good", "p")]
    before = keys(pairs=pair)
    scale = Scale(replicates=99, arms=("good",), problems=("p",), slow=True, time_limit_s=5.0, status="not yet run")
    declared(
        monkeypatch,
        scales={"smoke": scale},
        claims=[],
        question="Another?",
        arms={"good": dataclasses.replace(EXPERIMENT.arms["good"], about="x", may_collapse=True, space={})},
    )
    assert keys(pairs=pair) == before
    assert keys(replicates=range(1000, 1003), pairs=pair)[0] == before[0]
    assert keys(pairs=pair, device="cpu:0") == before
    assert keys(pairs=[*pair, *pair]) == before


def test_a_subclass_of_scale_brings_its_settings_into_the_key() -> None:
    @dataclasses.dataclass(frozen=True)
    class Steps(Scale):
        steps: int = 3

    assert scale_settings(Steps()) == {"threads": 1, "steps": 3}


def test_tuned_values_are_the_declared_objects() -> None:
    how = (toy_experiment.scores, toy_experiment.constant)
    arms = {
        "a": Arm(toy_experiment.Does(toy_experiment.large, 1.0), space={"what": how, "mean": (2.0,)}),
        "b": Arm(toy_experiment.Does(toy_experiment.large), tuned_as="a", reseed=1),
    }
    made = dataclasses.replace(toy_experiment.swept, arms=arms)
    for arm in arms:
        tuned = configured(made, arm, {"what": "toy_experiment:constant", "mean": 2})
        assert tuned == toy_experiment.Does(toy_experiment.constant, 2.0)
    assert configured(made, "a", {"what": "toy_experiment:large"}).what is toy_experiment.large
    assert configured(made, "a", {}) is arms["a"].method
    for settings in ({"mean": 3.0}, {"mode": 1}, {"what": "toy_experiment:escapes"}):
        with pytest.raises(InputError, match="must be a declared candidate of the arm's search space"):
            configured(made, "a", settings)
    trials = plan(TOY, "smoke", [0], tuned={"good": {"mean": 4.0}})
    assert {t.arm: t.settings for t in trials} == {"good": {"mean": 4.0}, "bad": {}, "constant": {}}


def test_an_unknown_scale() -> None:
    with pytest.raises(InputError, match="scale: must be one of smoke, small, two threads; received huge"):
        plan(TOY, "huge", [0])


def test_a_source_is_a_system_or_an_attribute_of_a_module() -> None:
    assert TOY.load() is EXPERIMENT
    assert ExperimentSource("adamatch").module == "holdfast.systems.adamatch.experiment"
    with pytest.raises(InputError, match="nearest: adamatch"):
        ExperimentSource("adamatsch").load()


def test_on_own_data(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("one")
    made = ExperimentSource(TOY.reference, (str(file),)).load()
    assert made.problems == {OWN: toy_experiment.Own(str(file))}
    assert "only q" not in made.arms
    assert {"good", "bad", "constant"} <= set(made.arms)
    assert made.scales["small"].arms == ("good", "bad")
    assert made.scales["small"].problems is None
    # Kept is what is about the headline's problem alone, its preconditions included.
    assert [claim.problems for claim in made.claims] == [(OWN,)]
    assert made.claims[0].arms == ("good", "bad")
    trials = plan(ExperimentSource(TOY.reference, (str(file),)), "small", [1000])
    assert [(t.arm, t.problem) for t in trials] == [("good", OWN), ("bad", OWN)]


def test_on_own_data_where_the_task_has_none() -> None:
    with pytest.raises(InputError, match=r"--on: is not possible for this system.*received a b"):
        on_own_data(toy_experiment.swept, ["a", "b"])
