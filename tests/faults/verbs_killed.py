"""SIGKILL of commands other than runs: a training by a verb, a report, a comparison, the digest."""

from __future__ import annotations

import hashlib
import shlex
import sys
from pathlib import Path

from tests.faults.campaign import Scene, fault
from tests.faults.kills import kill_after
from tests.faults.workspace import check

from holdfast import catalogue


def digests(folder: Path) -> dict[str, str]:
    """Name -> digest of every file below a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@fault(
    "a model's training by a command is killed",
    "`adamatch fit`: SIGKILL at a random moment, or just before a random write of its state, then --resume; twice",
    tries=2,
    each=2,
)
def fit_killed(scene: Scene) -> str:
    first = catalogue.load("adamatch").card.first
    assert first is not None
    scene.work.command(program=(sys.executable, "-c", first.sample)).completed()
    words = shlex.split(first.command)[1:]
    scene.work.command(*words).completed()
    model = scene.work.repo / "model"
    undisturbed = digests(model)
    model.rename(scene.work.repo / "undisturbed")
    for _ in range(2):
        resume = ["--resume"] if any(scene.work.repo.glob(".model.training/*.safetensors")) else []
        if scene.number % 2:
            process = scene.work.start(*words, *resume)
            scene.work.wait_for_python(process)
            kill_after(process, scene.rng.uniform(2, 8))
        else:
            moment = f"{scene.rng.randint(2, 24)} /[.]model[.]training/"
            scene.work.command(*words, *resume, env={"FAULTY_KILL": moment})
        if model.exists():
            break
    if not model.exists():
        resume = ["--resume"] if any(scene.work.repo.glob(".model.training/*.safetensors")) else []
        scene.work.command(*words, *resume).completed()
    check("the model is another one", digests(model) == undisturbed)
    left = sorted(p.name for p in scene.work.repo.glob(".model*"))
    check(f"left over: {left}", not left)
    return "with --resume it ends with the model of a training that was left alone"


PAGES = (
    ("report", "runs/out", "--out", "pages/x.html"),
    ("report", "runs/out", "runs/second", "--out", "pages/x.html"),
    ("digest", "--out", "pages"),
)


@fault(
    "a report, comparison or digest is killed",
    "SIGKILL just before each of its first file operations, one after the other",
    tries=9,
)
def page_killed(scene: Scene) -> str:
    scene.work.run().completed()
    scene.work.run("second", "--replicates", "3").completed()
    before = scene.work.numbers()
    words = PAGES[scene.number % len(PAGES)]
    scene.work.command(*words).completed()
    whole = digests(scene.work.repo / "pages")
    scene.work.command(*words, env={"FAULTY_KILL": f"{scene.number // len(PAGES) + 1} /pages/"})
    found = digests(scene.work.repo / "pages")
    check("an earlier page is gone or half written", {n: d for n, d in found.items() if n in whole} == whole)
    scene.work.command(*words).completed()
    check("the page differs, or something is left over", digests(scene.work.repo / "pages") == whole)
    scene.work.same(before)
    return "the earlier page stays whole; the same command writes it again"
