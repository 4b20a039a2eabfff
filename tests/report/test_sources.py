"""A run is found by its folder, by a file in it, by a ledger file and by the name of a system."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from holdfast import ledger
from holdfast.canonical import sealed
from holdfast.cli import commands
from holdfast.cli.commands import Request
from holdfast.errors import HoldfastError, InputError
from holdfast.report.sources import find
from holdfast.trials import runfolder
from toy_system import ToySystem
from toy_system import toy as toy


@pytest.fixture
def folder(toy: ToySystem, capsys: pytest.CaptureFixture[str]) -> Path:
    """A finished run."""
    commands.run_system(Request(toy.name, "small", jobs=0, quiet=True))
    return toy.root / "holdfast-runs" / toy.name / "small"


@pytest.fixture
def kept(toy: ToySystem) -> Path:
    """A ledger with its plan."""
    commands.freeze_system(toy.name, "small", why="", jobs=0, out=toy.root / "runs", device="cpu", quiet=True)
    toy.commit("plan")
    commands.run_system(Request(toy.name, "small", jobs=0, quiet=True, ledger=True, out=toy.root / "runs" / "small"))
    return ledger.ledger_path(toy.system, "small")


def test_a_run_is_found_by_its_folder_and_by_any_file_in_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = find(str(folder))
    assert len(found.records) == 24
    assert found.declaration["metrics"]["score"]["unit"] == "points"
    for name in (runfolder.RUN, runfolder.STORE, runfolder.NUMBERS, runfolder.PAGE):
        assert find(str(folder / name)).records == found.records
    monkeypatch.chdir(folder.parent)
    assert find("small").records == found.records


def test_a_ledger_is_found_by_its_file_and_by_the_name_of_its_system(toy: ToySystem, kept: Path) -> None:
    found = find(toy.name)
    assert found.plan["number"] == 1
    assert found.provenance["plan"].startswith("number 1, ")
    for name in (f"{toy.name}/small", str(kept)):
        again = find(name)
        assert (again.records, again.verdicts, again.plan) == (found.records, found.verdicts, found.plan)


def test_a_ledger_of_another_commit_says_what_was_declared_then(toy: ToySystem, kept: Path) -> None:
    copy = toy.root / "elsewhere" / "old.json"
    copy.parent.mkdir()
    shutil.copy(kept, copy)
    assert find(str(copy)).plan["number"] == 1, "the system's own plan is the one it was measured against"
    shutil.copy(ledger.plan_path(toy.system, "small"), copy.parent / "old.plan.json")
    ledger.plan_path(toy.system, "small").unlink()
    toy.edit('"score": Metric("points")', '"score": Metric("marks")')
    found = find(str(copy))
    assert found.plan["number"] == 1
    assert found.metric("score").unit == "points", "as declared when it was measured"
    (copy.parent / "old.plan.json").unlink()
    assert find(str(copy)).plan == {}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere", "nowhere: must be the folder of a run, a file in it, a ledger file, or SYSTEM"),
        (".", "received a folder without one"),
        ("NAME", "must have a ledger at scale small"),
        ("NAME/full", "must have a ledger at scale full"),
        ("a.txt", "a.txt: must be valid JSON"),
        ("list.json", "must be a ledger .*received something else"),
        ("NAME/card.toml", "must be valid JSON"),
    ],
)
def test_what_is_no_run_is_named_in_one_line(toy: ToySystem, name: str, said: str) -> None:
    (toy.root / "a.txt").write_text("text")
    (toy.root / "list.json").write_text("[]")
    with pytest.raises(InputError, match=said) as caught:
        find(name.replace("NAME", toy.name))
    assert "\n" not in str(caught.value)


def test_plans_and_damaged_ledgers_are_refused(toy: ToySystem, kept: Path) -> None:
    with pytest.raises(InputError, match=r"must be a ledger .*received a plan"):
        find(str(ledger.plan_path(toy.system, "small")))
    content = json.loads(kept.read_text())
    kept.write_text(json.dumps({**content, "records": content["records"][1:]}))
    with pytest.raises(InputError, match="restore it with git"):
        find(str(kept))
    odd = {**{k: v for k, v in content.items() if k != "digest"}, "records": [{"arm": 3}]}
    kept.write_text(json.dumps(sealed(odd)))
    with pytest.raises(InputError, match="must be as holdfast wrote it"):
        find(str(kept))
    kept.write_text(json.dumps(sealed({**odd, "records": [], "system": "gone"})))
    with pytest.raises(HoldfastError, match="must be one of the systems"):
        find(str(kept))
