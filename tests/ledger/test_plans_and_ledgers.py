"""Plans and ledgers, and attempts to cheat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from holdfast import ledger
from holdfast.canonical import sealed
from holdfast.cli.commands import Request, run_system, show_verdicts
from holdfast.errors import HoldfastError, InputError
from holdfast.files import begin, release
from holdfast.ledger.freezing import Tuner, freeze
from holdfast.trials.campaign import sole_use
from holdfast.trials.plan import ExperimentSource
from holdfast.trials.runfolder import read
from toy_system import ToySystem


def frozen(toy: ToySystem, *, why: str = "", commit: bool = True) -> Path:
    path = freeze(toy.system, Tuner(ExperimentSource(toy.name), "small", toy.root / "runs" / "pilots"), why=why)
    if commit:
        toy.commit("plan")
    return path


def decided(toy: ToySystem) -> dict[str, Any]:
    frozen(toy)
    assert run_system(Request(toy.name, "small", jobs=0, out=toy.root / "runs" / "small", ledger=True, quiet=True)) == 0
    found = ledger.read_ledger(toy.system, "small")
    assert found is not None
    return found


def run_for_ledger(toy: ToySystem) -> int:
    return run_system(Request(toy.name, "small", jobs=0, out=toy.root / "runs" / "small", ledger=True, quiet=True))


def rewrite(path: Path, change: Any, *, seal: bool) -> None:
    content = json.loads(path.read_text())
    change(content)
    if seal:
        content = sealed({k: v for k, v in content.items() if k != "digest"})
    path.write_text(json.dumps(content))


def test_a_frozen_plan_is_decided_and_recorded(toy: ToySystem, capsys: pytest.CaptureFixture[str]) -> None:
    found = decided(toy)
    assert ledger.state(toy.system, "small") == "current"
    headline = ledger.headline_of(ledger.verdicts_of(found))
    assert headline is not None
    assert headline.verdict == "holds"
    replicates = {row["replicate"] for row in found["records"]}
    assert min(replicates) == 1000
    assert len(found["commit"]) == 40
    assert found["plan"] == ledger.read_plan(toy.system, "small")["digest"]
    capsys.readouterr()
    assert show_verdicts(toy.name, check=True) == 0
    assert "holds" in capsys.readouterr().out
    results = ledger.as_results(toy.system, "small")
    assert results is not None
    assert len(results.records) == len(found["records"])


def test_every_arm_tries_the_same_number_of_configurations(toy: ToySystem) -> None:
    frozen(toy)
    plan = ledger.read_plan(toy.system, "small")
    tried = {arm: [t for t in plan["tuning"] if t["arm"] == arm] for arm in ("good", "bad")}
    assert {len(t) for t in tried.values()} == {3}
    for trace in tried.values():
        assert sum(t["chosen"] for t in trace) == 1
        best = max(trace, key=lambda t: t["mean"])
        assert best["chosen"]
        assert best["configuration"] == {"bonus": 1.0}
        assert all(len(t["pilots"]) == 2 for t in trace)
    assert plan["tuned"]["level"] == plan["tuned"]["bad"]


def test_an_arm_is_tuned_on_every_problem_that_tuning_names(toy: ToySystem) -> None:
    toy.edit('problems={"p": Draws()}', 'problems={"p": Draws(), "q": Draws(), "r": Draws()}')
    toy.edit('metric="validation", problem="p"', 'metric="validation", problem=("q", "p")')
    frozen(toy)
    plan = ledger.read_plan(toy.system, "small")
    assert list(plan["tuned"]) == ["good", "good on p", "bad", "bad on p", "level", "level on p"]
    assert plan["tuned"]["level on p"] == plan["tuned"]["bad on p"]
    for arm in ("good", "bad"):
        for problem, key in (("q", arm), ("p", f"{arm} on p")):
            tried = [t for t in plan["tuning"] if (t["arm"], t["problem"]) == (arm, problem)]
            assert len(tried) == 3
            best = max(tried, key=lambda t: t["mean"])
            assert best["chosen"]
            assert plan["tuned"][key] == best["configuration"]
    assert {t["problem"] for t in plan["tuning"]} == {"p", "q"}


def test_pilots_run_at_the_scale_that_tuning_names(toy: ToySystem) -> None:
    toy.edit('"small": Scale()', '"small": Scale(), "cheap": Scale(threads=2)')
    toy.edit("value - 1", "value - 1 if run.scale.threads == 1 else -run.arm.bonus")
    frozen(toy)
    before = ledger.read_plan(toy.system, "small")
    assert "scale" not in before["declaration"]["tuning"]  # plans that were made before it could be named stay valid
    toy.edit("pilots=2", 'pilots=2, scale="cheap"')
    frozen(toy, why="cheaper pilots")
    after = ledger.read_plan(toy.system, "small")
    assert [plan["tuned"]["good"] for plan in (before, after)] == [{"bonus": 1.0}, {"bonus": -1.0}]
    assert [t["mean"] for t in after["tuning"] if t["arm"] == "good" and t["chosen"]] == [1.0]
    assert after["declaration"]["tuning"]["scale"] == "cheap"


def test_no_ledger_without_a_plan(toy: ToySystem) -> None:
    with pytest.raises(HoldfastError, match=r"no plan; .holdfast freeze"):
        run_for_ledger(toy)


def test_no_ledger_against_an_uncommitted_plan(toy: ToySystem) -> None:
    frozen(toy, commit=False)
    with pytest.raises(HoldfastError, match="is not committed"):
        run_for_ledger(toy)


def test_no_ledger_from_a_dirty_checkout(toy: ToySystem) -> None:
    frozen(toy)
    (toy.root / "notes.txt").write_text("x")
    with pytest.raises(HoldfastError, match=r"uncommitted changes .*notes.txt"):
        run_for_ledger(toy)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("margin=1.0", "margin=0.5", r"claims\[0\].margin: 1.0, now 0.5"),
        ('"bad": Arm(Method(1.0), space=SPACE)', '"bad": Arm(Method(0.0), space=SPACE)', "arms.bad.method.mean"),
        ('"level": Arm(Method(1.0), tuned_as="bad", reseed=1),', "", "changed|removed"),
        ("configurations=3", "configurations=2", "tuning.configurations: 3, now 2"),
        ("(0.0, 1.0, -1.0)", "(0.0, 1.0, -1.0, 2.0)", "space.bonus"),
    ],
)
def test_a_change_after_freezing_is_refused(toy: ToySystem, old: str, new: str, said: str) -> None:
    decided(toy)
    if "level" in old:
        toy.edit('Differs("bad", "level", metric="score", on="p", role="control", expect="not found"),', "")
    toy.edit(old, new)
    toy.commit("cheat")
    assert ledger.state(toy.system, "small") == "stale"
    with pytest.raises(HoldfastError, match=rf"changed since the plan was frozen \(.*({said})"):
        run_for_ledger(toy)


def test_only_the_implementation_changed(toy: ToySystem) -> None:
    decided(toy)
    toy.edit("def trial(run):", "def trial(run):\n    # another comment")
    assert ledger.state(toy.system, "small") == "current", "a comment is no code"
    toy.edit("def trial(run):", "def trial(run):\n    unused = 1")
    assert ledger.state(toy.system, "small") == "older code"


@pytest.mark.parametrize("seal", [False, True])
def test_a_record_edited_by_hand_is_noticed(toy: ToySystem, seal: bool) -> None:
    decided(toy)

    def better(content: dict[str, Any]) -> None:
        good, score = content["names"]["arms"].index("good"), content["names"]["scalars"].index("score")
        for row in content["records"]:
            if row[0] == good:
                row[4][score] += 2

    rewrite(ledger.ledger_path(toy.system, "small"), better, seal=seal)
    assert ledger.state(toy.system, "small") == "edited"
    assert show_verdicts(toy.name, check=True) == 1 if seal else True
    if not seal:
        with pytest.raises(InputError, match="restore it with git"):
            ledger.read_ledger(toy.system, "small")


def test_a_verdict_edited_by_hand_is_noticed(toy: ToySystem) -> None:
    decided(toy)

    def flip(content: dict[str, Any]) -> None:
        content["verdicts"][0]["verdict"] = "does not hold"

    rewrite(ledger.ledger_path(toy.system, "small"), flip, seal=True)
    assert ledger.state(toy.system, "small") == "edited"


def test_pilots_cannot_enter_a_ledger(toy: ToySystem) -> None:
    path = frozen(toy)

    def pilots(content: dict[str, Any]) -> None:
        content["first_replicate"] = 0

    rewrite(path, pilots, seal=True)
    toy.commit("cheat")
    with pytest.raises(HoldfastError, match="final replicates start at 1000"):
        run_for_ledger(toy)


def test_replicates_of_pilots_in_a_ledger_are_noticed(toy: ToySystem) -> None:
    decided(toy)

    def renumber(content: dict[str, Any]) -> None:
        for row in content["records"]:
            row[3] -= 1000

    rewrite(ledger.ledger_path(toy.system, "small"), renumber, seal=True)
    assert ledger.state(toy.system, "small") == "edited"


def test_a_plan_edited_by_hand_is_refused(toy: ToySystem) -> None:
    path = frozen(toy)
    rewrite(path, lambda content: content["tuned"]["bad"].update(bonus=-1.0), seal=False)
    toy.commit("cheat")
    with pytest.raises(InputError, match="content that was changed"):
        run_for_ledger(toy)


def test_options_that_choose_are_refused_with_ledger(toy: ToySystem) -> None:
    frozen(toy)
    with pytest.raises(InputError, match="--arms: cannot be combined with --ledger"):
        run_system(Request(toy.name, "small", ledger=True, arms=("good",), quiet=True))


def test_a_new_plan_says_why_keeps_old_verdicts_and_uses_fresh_replicates(toy: ToySystem) -> None:
    old = decided(toy)
    toy.commit("ledger")
    toy.edit("margin=1.0", "margin=1.5")
    with pytest.raises(InputError, match="--why"):
        freeze(toy.system, Tuner(ExperimentSource(toy.name), "small", toy.root / "runs" / "pilots"))
    assert ledger.read_ledger(toy.system, "small") is not None  # nothing was lost
    frozen(toy, why="the margin was too small to matter")
    plan = ledger.read_plan(toy.system, "small")
    assert (plan["number"], plan["first_replicate"]) == (2, 1100)
    assert plan["earlier"][0]["verdicts"] == old["verdicts"]
    assert ledger.state(toy.system, "small") == "not run"
    assert run_for_ledger(toy) == 0
    new = ledger.read_ledger(toy.system, "small")
    assert {row["replicate"] for row in new["records"]}.isdisjoint({row["replicate"] for row in old["records"]})


def test_too_small_a_search_space_is_refused(toy: ToySystem) -> None:
    toy.edit('"bad": Arm(Method(1.0), space=SPACE)', '"bad": Arm(Method(1.0), space={"bonus": (0.0, 1.0)})')
    with pytest.raises(InputError, match="arm 'bad': must have a search space of at least 3 configurations"):
        frozen(toy)
    assert not ledger.plan_path(toy.system, "small").exists()


def test_a_new_plan_that_was_killed_while_written_does_not_take_over_verdicts(toy: ToySystem) -> None:
    decided(toy)
    kept = ledger.ledger_path(toy.system, "small")
    text = kept.read_text()
    toy.commit("ledger")
    frozen(toy, why="killed after the plan was written, before the old ledger was removed")
    kept.write_text(text)
    assert ledger.read_ledger(toy.system, "small") is None
    assert ledger.state(toy.system, "small") == "not run"
    frozen(toy, why="once more")
    plan = ledger.read_plan(toy.system, "small")
    assert plan is not None
    assert [(p["number"], len(p["verdicts"])) for p in plan["earlier"]] == [(1, 2), (2, 0)]
    assert not kept.exists()


def test_two_freezes_at_a_time(toy: ToySystem) -> None:
    class Overtaken(Tuner):
        def tune(self) -> Any:
            frozen(toy, commit=False)
            return super().tune()

    with pytest.raises(HoldfastError, match=r"small\.plan\.json: another freeze has written it meanwhile"):
        freeze(toy.system, Overtaken(ExperimentSource(toy.name), "small", toy.root / "runs" / "elsewhere"))
    with sole_use(toy.root / "runs" / "pilots"), pytest.raises(HoldfastError, match="another run is writing here"):
        frozen(toy, why="at the same time")


def test_what_a_killed_run_left_in_the_ledger_is_no_change_of_the_checkout(toy: ToySystem) -> None:
    frozen(toy)
    left, lock = begin(toy.system.ledger, "file.")
    (left / "small.json").write_text("half")
    release(lock)
    assert ledger.ready(toy.system, "small")["number"] == 1
    assert not left.exists()


@pytest.mark.parametrize("field", ["declaration", "first_replicate", "earlier"])
def test_a_plan_without_what_it_needs_is_refused(toy: ToySystem, field: str) -> None:
    rewrite(frozen(toy), lambda plan: plan.pop(field), seal=True)
    with pytest.raises(InputError, match=r"small\.plan\.json: must be as holdfast wrote it"):
        ledger.read_plan(toy.system, "small")


def test_without_git(toy: ToySystem, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen(toy)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(HoldfastError, match="git is not installed"):
        ledger.ready(toy.system, "small")


def plain_run(toy: ToySystem) -> set[int | None]:
    """The replicates that a run without --ledger shows."""
    out = toy.root / "runs" / "plain"
    assert run_system(Request(toy.name, "small", jobs=0, out=out, quiet=True)) == 0
    return {record.replicate for record in read(out).records}


def test_final_replicates_are_not_looked_at_before_the_ledger_is_written(
    toy: ToySystem, capsys: pytest.CaptureFixture[str]
) -> None:
    frozen(toy)
    assert max(r or 0 for r in plain_run(toy)) < 100
    assert "plan 1 is not decided yet, so this run explores, on pilots; --ledger decides it" in capsys.readouterr().out
    assert run_for_ledger(toy) == 0
    assert min(r or 0 for r in plain_run(toy)) == 1000, "afterwards anyone may repeat them"


def test_a_plan_that_is_replaced_undecided_leaves_a_trace(toy: ToySystem, capsys: pytest.CaptureFixture[str]) -> None:
    frozen(toy)
    frozen(toy, why="a better margin")
    capsys.readouterr()
    assert show_verdicts(toy.name, check=True) == 0
    assert "plan 1 was replaced before it was decided" in capsys.readouterr().out
