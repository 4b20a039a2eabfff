"""A whole run on a toy system."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from holdfast.decision import decide_all
from holdfast.errors import HoldfastError, InputError
from holdfast.experiment import Record, RecordTable
from holdfast.experiment.claims import All, Better
from holdfast.trials.campaign import Campaign, claims_about, pairs_of
from holdfast.trials.display import Quiet
from holdfast.trials.execute import Task
from holdfast.trials.executors import LocalProcesses
from holdfast.trials.plan import ExperimentSource
from toy_system import ToySystem


class Counting(Quiet):
    """Counts what ran; can raise at a given trial."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.ran: list[str] = []
        self.stop_after = stop_after

    def finished(self, task: Task, record: Record) -> None:
        self.ran.append(task.trial.key)
        if self.stop_after is not None and len(self.ran) > self.stop_after:
            raise KeyboardInterrupt


def campaign(toy: ToySystem, folder: Path, **options: object) -> Campaign:
    return Campaign(ExperimentSource(toy.name), "small", folder, **options)  # type: ignore[arg-type]


def test_a_finished_run_is_not_repeated(toy: ToySystem, tmp_path: Path) -> None:
    first, again = Counting(), Counting()
    one = campaign(toy, tmp_path / "run", show=first).run()
    two = campaign(toy, tmp_path / "run", show=again).run()
    assert len(first.ran) == len(set(first.ran)) == len(one.records)
    assert again.ran == []
    assert [v.to_json() for v in one.verdicts] == [v.to_json() for v in two.verdicts]
    assert one.verdicts[0].verdict == "holds"
    assert {r.replicate for r in one.records} == set(range(1000, 1008))


def test_an_undecided_claim_gets_its_second_look_and_only_its_arms_run_on(toy: ToySystem, tmp_path: Path) -> None:
    toy.edit("margin=1.0", "margin=2.0")  # exactly the true difference: paired draws differ by init noise only
    toy.edit('"bad": Arm(Method(1.0)', '"bad": Arm(Method(0.9999)')
    toy.edit('noise = run.rng("split").normal()', 'noise = 3 * run.rng(f"split {run.arm.mean}").normal()')
    results = campaign(toy, tmp_path / "run").run()
    counts = {arm: sum(r.arm == arm for r in results.records) for arm in ("good", "bad", "level")}
    assert counts == {"good": 16, "bad": 16, "level": 8}
    assert results.verdicts[0].n == 16


def test_workers_give_the_same_numbers(toy: ToySystem, tmp_path: Path) -> None:
    source = ExperimentSource(
        f"{toy.name}.experiment:experiment"
    )  # workers have a catalogue of their own, without the toy
    here = dataclasses.replace(campaign(toy, tmp_path / "here", replicates=2), source=source).run()
    there = dataclasses.replace(
        campaign(toy, tmp_path / "there", replicates=2, executor=LocalProcesses(2)), source=source
    ).run()
    assert {r.key: r.scalars for r in here.records} == {r.key: r.scalars for r in there.records}
    assert here.failed == there.failed == []


def test_a_failed_trial_is_recorded_and_tried_again(toy: ToySystem, tmp_path: Path) -> None:
    toy.edit("Method(3.0)", "Method(3.0, fails_at=1003)")
    results = campaign(toy, tmp_path / "run").run()
    assert [(r.arm, r.replicate) for r in results.failed] == [("good", 1003)]
    assert "told to fail" in results.failed[0].error
    assert len(results.records) == 24
    assert results.verdicts[0].missing == (1003,)
    again = Counting()
    campaign(toy, tmp_path / "run", show=again).run()
    assert again.ran == [results.failed[0].key]


def test_an_interrupted_run_goes_on(toy: ToySystem, tmp_path: Path) -> None:
    stopped = Counting(stop_after=6)
    partial = campaign(toy, tmp_path / "run", show=stopped).run()
    assert partial.interrupted
    rest = Counting()
    whole = campaign(toy, tmp_path / "run", show=rest).run()
    undisturbed = campaign(toy, tmp_path / "other").run()
    assert not whole.interrupted
    assert {r.key: r.scalars for r in whole.records} == {r.key: r.scalars for r in undisturbed.records}
    assert len(rest.ran) + len(partial.records) == len(whole.records)


def test_two_runs_into_one_folder(toy: ToySystem, tmp_path: Path) -> None:
    class Meddling(Counting):
        def begin(self, label: str, total: int) -> None:
            with pytest.raises(HoldfastError, match="another run is writing here"):
                campaign(toy, tmp_path / "run").run()
            self.ran.append("refused")

    show = Meddling()
    assert campaign(toy, tmp_path / "run", show=show).run().failed == []
    assert show.ran[0] == "refused"


def test_pilots_are_marked(toy: ToySystem, tmp_path: Path) -> None:
    assert campaign(toy, tmp_path / "run", first=0, replicates=1).run().pilot


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"arms": ("god",)}, "--arms: must be of 'good', 'bad', 'level'; received god"),
        ({"problems": ("q",)}, "--problems: must be of 'p'"),
    ],
)
def test_unknown_names(toy: ToySystem, tmp_path: Path, options: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        campaign(toy, tmp_path / "run", **options).run()


def test_an_unknown_scale(toy: ToySystem, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--scale: must be one of smoke, small"):
        dataclasses.replace(campaign(toy, tmp_path / "run"), scale="huge").run()


def test_claims_need_all_their_pairs(toy: ToySystem, tmp_path: Path) -> None:
    experiment = ExperimentSource(toy.name).load()
    headline = experiment.claims[0]
    assert pairs_of(headline) == [("good", "p"), ("bad", "p")]
    assert claims_about(experiment, experiment.scales["small"], [("good", "p"), ("bad", "p")]) == [headline]
    results = campaign(toy, tmp_path / "run", arms=("good",), replicates=1).run()
    assert results.verdicts == []


def test_a_claims_pairs_are_those_of_what_it_requires_too() -> None:
    required = Better("c", than="d", metric="m", on="q", requires=(Better("e", than=1.0, metric="m", on="q"),))
    claim = Better("a", than="b", metric="m", on="p", requires=(required,))
    wanted = [("a", "p"), ("b", "p"), ("c", "q"), ("d", "q"), ("e", "q")]
    assert pairs_of(claim) == wanted
    assert set(pairs_of(All(claim, Better("a", than="f", metric="m", on="p")))) == {*wanted, ("f", "p")}


def test_a_second_look_is_taken_of_what_a_claim_requires_too(toy: ToySystem, tmp_path: Path) -> None:
    experiment = ExperimentSource(toy.name).load()
    scale = dataclasses.replace(experiment.scales["small"], replicates=None)
    needed = Better("level", than="bad", metric="score", on="p")
    claim = Better("good", than="bad", metric="score", on="p", requires=(needed,))
    verdict = decide_all([claim], RecordTable([], experiment, scale), scale=scale)[0]
    asked = dataclasses.replace(verdict, wants_more=True)
    for pairs in (["good", "bad", "level"], ["good", "bad"]):  # a scale may leave out what a claim requires
        wanted = {(arm, "p"): 8 for arm in pairs}
        assert campaign(toy, tmp_path / "run")._extend(wanted, experiment, scale, [claim], [asked])
        assert wanted == {(arm, "p"): 16 for arm in pairs}


def test_data_that_is_not_here(toy: ToySystem, tmp_path: Path) -> None:
    toy.edit(
        'return "normal draws"',
        'return "normal draws"\n\n    how_to_get = "ask the authors"\n\n    def available(self):\n        return False',
    )
    with pytest.raises(HoldfastError, match="data missing: p: ask the authors"):
        campaign(toy, tmp_path / "run").run()
