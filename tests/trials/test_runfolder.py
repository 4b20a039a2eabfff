"""A run folder can be shown again: finished, killed, on data that are gone, and as an earlier version wrote it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.cli.commands import Request, _tuned, run_system
from holdfast.errors import HoldfastError, InputError
from holdfast.trials import campaign, runfolder
from holdfast.trials.plan import ExperimentSource
from toy_system import ToySystem
from toy_system import toy as toy

OWN = """
@dataclass(frozen=True)
class Own(Problem):
    source: ClassVar[str] = "file"
    path: str

    def describe(self):
        return self.path


def own(paths, columns):
    if not paths[0].is_file():
        raise FileNotFoundError(2, "No such file", str(paths[0]))
    return Own(str(paths[0]))


SPACE ="""


@pytest.fixture
def folder(toy: ToySystem) -> Path:
    return toy.root / "holdfast-runs" / toy.name / "small"


def test_a_run_comes_back_as_it_was(toy: ToySystem, folder: Path) -> None:
    run_system(Request(toy.name, "small", jobs=0, quiet=True))
    found = runfolder.read(folder)
    assert len(found.records) == 24
    assert [v.role for v in found.verdicts] == ["headline", "control"]
    assert not found.interrupted
    assert found.declaration["question"] == "Is three more than one?"
    assert json.loads((folder / runfolder.NUMBERS).read_text())["trials"] == 24


def test_a_killed_run_shows_what_had_finished(toy: ToySystem, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As kill -9 leaves it: the store has records, and nothing was written after the trials had started."""
    run_system(Request(toy.name, "small", jobs=0, quiet=True, replicates=3))
    finished = runfolder.read(folder)

    def killed(*arguments: object) -> None:
        raise MemoryError("as good as a kill")

    monkeypatch.setattr(campaign, "run_missing", killed)
    with pytest.raises(MemoryError):
        run_system(Request(toy.name, "small", jobs=0, quiet=True))
    found = runfolder.read(folder)
    assert found.interrupted
    assert found.records == finished.records, "of the 24 planned, 9 had finished"
    assert found.provenance["commit"] == finished.provenance["commit"]
    assert [v.text for v in found.verdicts] == [v.text for v in finished.verdicts]
    assert {v.verdict for v in found.verdicts} == {"undecided"}


def test_own_data_that_are_gone_are_named_and_the_rest_is_shown(toy: ToySystem) -> None:
    toy.edit("SPACE =", OWN.strip("\n").removesuffix("SPACE =") + "\nSPACE =")
    toy.edit("    trial=trial,", "    trial=trial,\n    own=own,")
    (toy.root / "mine.csv").write_text("1")
    out = toy.root / "runs" / "own"
    run_system(Request(toy.name, "small", on=("mine.csv",), jobs=0, quiet=True, out=out))
    before = runfolder.read(out)
    (toy.root / "mine.csv").unlink()
    toy.reload()
    after = runfolder.read(out)
    assert [v.to_json() for v in after.verdicts] == [v.to_json() for v in before.verdicts]
    assert after.records == before.records
    (problem,) = after.experiment.problems.values()
    assert problem.describe() == f"{toy.root / 'mine.csv'} (not on this machine)"
    assert not problem.available()


def test_what_is_set_about_own_data_reaches_them_and_is_kept(toy: ToySystem, tmp_path: Path) -> None:
    given = OWN.replace("paths, columns", "paths, columns, horizon='7'").replace("str(paths[0]))\n\n", "horizon)\n\n")
    toy.edit("SPACE =", given.strip("\n").removesuffix("SPACE =") + "\nSPACE =")
    toy.edit("    trial=trial,", "    trial=trial,\n    own=own,\n    settings=('horizon',),")
    (toy.root / "mine.csv").write_text("1")
    common = {"on": ("mine.csv",), "jobs": 0, "quiet": True}
    for settings, expected in (((), "7"), (("horizon=28",), "28")):
        out = tmp_path / expected
        run_system(Request(toy.name, "smoke", settings=settings, out=out, **common))
        (problem,) = runfolder.read(out).experiment.problems.values()
        assert problem.describe() == expected
    for wrong, said in (("horizon", "must be name=value"), ("steps=3", "must name one of the settings horizon")):
        with pytest.raises(InputError, match=f"--set: {said}"):
            run_system(Request(toy.name, "smoke", settings=(wrong,), out=tmp_path, **common))
    with pytest.raises(InputError, match="--set: may name each once"):
        run_system(Request(toy.name, "smoke", settings=("horizon=1", "horizon=2"), out=tmp_path, **common))
    with pytest.raises(InputError, match="--set: needs --on"):
        run_system(Request(toy.name, "smoke", settings=("horizon=1",), quiet=True))


def test_own_arms_are_not_given_what_others_were_tuned_to() -> None:
    source = ExperimentSource("adamatch")
    space = {name: source.load().space(name) for name in source.load().arms}
    tunable = next(name for name, found in space.items() if found)
    setting, candidates = next(iter(space[tunable].items()))
    plan = {"tuned": {tunable: {setting: candidates[0]}, "another": {"lr": 1}, f"{tunable} on x": {}}}
    assert _tuned(plan, source) == {tunable: {setting: candidates[0]}}
    assert _tuned({"tuned": {tunable: {"of another": 1}}}, source) == {}


def test_folders_that_are_none_or_damaged_are_named(toy: ToySystem, folder: Path) -> None:
    with pytest.raises(InputError, match="must be the folder of a run"):
        runfolder.read(toy.root)
    run_system(Request(toy.name, "smoke", jobs=0, quiet=True, out=folder))
    (folder / runfolder.STORE).rename(folder / "away")
    with pytest.raises(InputError, match=r"trials\.sqlite: must be there"):
        runfolder.read(folder)
    (folder / "away").rename(folder / runfolder.STORE)
    content = json.loads((folder / runfolder.RUN).read_text())
    del content["declaration"]  # as earlier versions wrote it
    (folder / runfolder.RUN).write_text(json.dumps(content))
    assert runfolder.read(folder).declaration == {}
    for wrong in ({"keys": 3}, {"scale": ["smoke", "smoke"]}, {"scale": "absent"}):
        (folder / runfolder.RUN).write_text(json.dumps({**content, **wrong}))
        with pytest.raises(InputError, match="must be as holdfast wrote it"):
            runfolder.read(folder)
    (folder / runfolder.RUN).write_text(json.dumps({**content, "source": ["gone", []]}))
    with pytest.raises(HoldfastError, match="must be one of the systems"):
        runfolder.read(folder)


@pytest.mark.parametrize("field", ["provenance", "source", "scale", "keys", "plan", "command", "pilot", "interrupted"])
@pytest.mark.parametrize("forged", [[1], {"x": 1}, {"x": "y"}, "x", 1, None, True, ["x"]])
def test_another_kind_of_value_is_refused_by_its_name(toy: ToySystem, folder: Path, field: str, forged: object) -> None:
    """A provenance of [1] ended `report` in a traceback."""
    folder.mkdir(parents=True)
    source = [toy.name, [], []]
    whole = {
        "source": source,
        "scale": "small",
        "plan": {},
        "provenance": {},
        "command": "",
        "keys": [],
        "verdicts": [],
    }
    whole |= {"pilot": False, "interrupted": False}
    if type(forged) is type(whole[field]):
        return
    (folder / "run.json").write_text(json.dumps({**whole, field: forged}))
    with pytest.raises(InputError, match=rf"run\.json: must be as holdfast wrote it.*received {field}: "):
        runfolder.read(folder)
