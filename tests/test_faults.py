"""A few of the faults of `make faults`, and that broken promises are noticed."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import pytest

if os.name == "nt":
    pytest.skip("signals and limits are those of POSIX", allow_module_level=True)
sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.faults import concurrency, damage, disks, kills, migrations, plans, plugins, signals, surroundings, trials
from tests.faults.campaign import FAULTS, Campaign, Fault, Found, Scene
from tests.faults.workspace import Done, Lost, Numbers, Workspace

MODULES = (concurrency, damage, disks, kills, migrations, plans, plugins, signals, surroundings, trials)


def test_a_run_that_was_killed_ends_with_the_same_numbers() -> None:
    told: list[str] = []
    chosen = [FAULTS["page-writing-killed"]]
    (found,) = Campaign(chosen, seed=1, jobs=1, share=0.01, tell=lambda f, found: told.append(f.name)).run()
    assert (found.losses, found.row.lost, found.row.tried) == ([], "nothing", 1)
    assert told == ["page-writing-killed"]


def test_a_broken_promise_is_recorded() -> None:
    def breaks(scene: Scene) -> str:
        raise Lost("a record is missing")

    found = Found(Fault("f", "a fault", "somehow", breaks, tries=3, each=2))
    found.losses.append("try 0: a record is missing")
    found.outcomes.update(["ended", "ended otherwise"])
    assert (found.row.tried, found.row.lost) == (6, "try 0: a record is missing")  # two faults in each try
    assert found.row.outcome == "ended (1x); ended otherwise (1x)"


def test_other_numbers_missing_and_left_over_files_are_noticed(tmp_path: Path) -> None:
    work = Workspace(tmp_path / "work")
    work.run("out", "--scale", "smoke", "--jobs", "0").completed()
    undisturbed = work.numbers()
    work.same(undisturbed)
    artifact = next((work.runs / "out" / "artifacts").glob("*/values.txt"))
    text = artifact.read_text()
    artifact.write_text("0" + text)
    with pytest.raises(Lost, match="files that differ"):
        work.same(undisturbed)
    artifact.unlink()
    with pytest.raises(Lost, match="files missing"):
        work.same(undisturbed)
    artifact.write_text(text)
    (work.runs / "out" / ".holdfast-file.0").mkdir()
    (work.runs / "out" / ".holdfast-file.0" / "page.html").write_text("half")
    with pytest.raises(Lost, match="files too many"):
        work.same(undisturbed, second_look=True)


def test_a_process_is_killed_before_the_chosen_file_operation(tmp_path: Path) -> None:
    work = Workspace(tmp_path / "work")
    code = "import sys\nfor i in range(4): open(f'{sys.argv[1]}/f{i}', 'w').close()"
    env: dict[str, str | None] = {"FAULTY_KILL": "3 /runs/f"}
    ended = work.command(work.runs, program=(sys.executable, "-c", code), env=env)
    assert ended.code == -signal.SIGKILL
    assert sorted(p.name for p in work.runs.iterdir()) == ["f0", "f1"]


@pytest.mark.parametrize(
    "done",
    [Done(1, "", "holdfast: x.json: no"), Done(2, "", "Traceback\nholdfast: x.json: no"), Done(2, "", "holdfast: no")],
)
def test_only_one_line_with_the_file_counts_as_a_refusal(done: Done) -> None:
    assert Done(2, "", "holdfast: x.json: must be whole\n").refused("x.json")
    with pytest.raises(Lost):
        done.refused("x.json")


def test_every_fault_is_described_and_tried() -> None:
    assert len({f.what for f in FAULTS.values()}) == len(FAULTS) > 70
    assert all(f.how and f.tries >= 1 for f in FAULTS.values())
    assert {f.provoke.__module__ for f in FAULTS.values()} == {m.__name__ for m in MODULES}


@pytest.mark.parametrize(("name", "number"), [("migration-writing-killed", 24), ("migration-writing-killed", 25)])
def test_a_migration_that_was_killed_is_resumed_byte_for_byte(name: str, number: int, tmp_path: Path) -> None:
    nothing = Numbers({}, None, {})
    scene = Scene(Workspace(tmp_path / "work"), random.Random(0), nothing, tmp_path, number)
    assert "every byte" in FAULTS[name].provoke(scene)
