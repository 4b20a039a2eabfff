"""Two at the same time."""

from __future__ import annotations

import time
from pathlib import Path

from tests.faults.campaign import Scene, fault
from tests.faults.kills import frozen, ledger, no_half_files, plan
from tests.faults.workspace import Done, check


def both(scene: Scene, first: list[str], second: list[str], apart: float) -> list[Done]:
    """Two commands, the second started a little later; in order of their exit codes."""
    a = scene.work.start(*first)
    time.sleep(apart)
    b = scene.work.start(*second)
    return sorted((scene.work.end(a), scene.work.end(b)), key=lambda done: done.code)


def one_or_both(ended: list[Done], *names: str) -> str:
    ended[0].completed()
    if ended[1].code == 0:
        return "both completed, one after the other"
    ended[1].refused(*names)
    return "one completes; the other says in one line that it has to wait"


@fault("two runs into one folder", "started up to 2 seconds apart", tries=6)
def two_runs(scene: Scene) -> str:
    words = scene.work.run_words()
    told = one_or_both(both(scene, words, words, scene.rng.uniform(0, 2)), "runs/out", "another")
    scene.work.same(scene.undisturbed)
    return told


@fault("four runs into one folder", "started at once", tries=2)
def four_runs(scene: Scene) -> str:
    running = [scene.work.start(*scene.work.run_words()) for _ in range(4)]
    ended = sorted((scene.work.end(process) for process in running), key=lambda done: done.code)
    for done in ended[1:]:
        one_or_both([ended[0], done], "runs/out", "another")
    scene.work.same(scene.undisturbed)
    return "one completes; the others say so in one line"


@fault("two freezes", "at once; with the same folder of pilots, or with different ones", tries=4)
def two_freezes(scene: Scene) -> str:
    others = ["--out", str(scene.work.runs / "elsewhere")] if scene.number % 2 else []
    words = ["freeze", "faulty", "--jobs", "1"]
    ended = both(scene, words, [*words, *others], scene.rng.uniform(0, 0.6))
    told = one_or_both(ended, "another")
    no_half_files(scene.work)
    written = plan(scene.work)
    check("not the first plan", written["number"] == 1)
    return told


@fault("two ledger runs", "at once; into the same folder, or into different ones", tries=4)
def two_ledger_runs(scene: Scene) -> str:
    frozen(scene)
    others = ["--out", str(scene.work.runs / "elsewhere")] if scene.number % 2 else []
    words = ["run", "faulty", "--scale", "small", "--ledger", "--jobs", "1"]
    ended = both(scene, words, [*words, *others], scene.rng.uniform(0, 1))
    ended[0].completed()
    if ended[1].code:
        ended[1].refused(str(Path(scene.work.root)))
    no_half_files(scene.work)
    first = ledger(scene.work)
    (scene.work.package / "ledger" / "small.json").unlink()
    scene.work.command(*words, "--out", str(scene.work.runs / "alone")).completed()
    check("the ledger differs", ledger(scene.work) == first)
    return "one writes the ledger; the other says so in one line, or writes the same"
