"""Between freezing and deciding: what makes a ledger is checked, and each refusal says what to do."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.faults.campaign import Scene, fault
from tests.faults.kills import frozen, ledger
from tests.faults.workspace import check

from holdfast.canonical import sealed

WORDS = ("run", "faulty", "--scale", "small", "--ledger", "--jobs", "2")


def plan_file(scene: Scene) -> Path:
    return scene.work.package / "ledger" / "small.plan.json"


@fault("the plan was not committed", "a run with --ledger after a freeze alone; then committed", tries=1)
def plan_not_committed(scene: Scene) -> str:
    scene.work.command("freeze", "faulty").completed()
    scene.work.command(*WORDS).refused("small.plan.json", "commit")
    scene.work.commit("plan")
    scene.work.command(*WORDS).completed()
    return "one line says so; committed, it runs"


def margin(content: dict[str, Any]) -> None:
    content["declaration"]["claims"][0]["margin"] = 0.1


def tuned(content: dict[str, Any]) -> None:
    content["tuned"]["good"]["bonus"] = 0.5


def declaration_missing(content: dict[str, Any]) -> None:
    del content["declaration"]


def first_replicate(content: dict[str, Any]) -> None:
    content["first_replicate"] = 0


def nothing_in_it(content: dict[str, Any]) -> None:
    content.clear()


EDITS: tuple[tuple[Callable[[dict[str, Any]], None], bool], ...] = (
    (margin, False),
    (tuned, False),
    (first_replicate, False),
    (margin, True),
    (first_replicate, True),
    (declaration_missing, True),
    (nothing_in_it, True),
)


@fault(
    "the plan was edited and committed",
    "a margin, a tuned value, the first replicate; also with a new digest, and without the fields it needs",
    tries=len(EDITS),
)
def plan_edited(scene: Scene) -> str:
    frozen(scene)
    edit, seal = EDITS[scene.number]
    content = json.loads(plan_file(scene).read_text())
    edit(content)
    content = sealed({k: v for k, v in content.items() if k != "digest"}) if seal else content
    plan_file(scene).write_text(json.dumps(content))
    scene.work.commit("edited")
    scene.work.command(*WORDS).refused("small.plan.json")
    check("a ledger was written", not (scene.work.package / "ledger" / "small.json").exists())
    return "one line names the plan; nothing is written"


@fault("the ledger is of another commit", "the code changes after the ledger: its implementation; its claims", tries=2)
def ledger_of_another_commit(scene: Scene) -> str:
    frozen(scene)
    scene.work.command(*WORDS).completed()
    scene.work.commit("ledger")
    file = scene.work.package / "experiment.py"
    text = file.read_text()
    changed = text.replace("margin=1.0", "margin=0.5") if scene.number else f"{text}\nCHANGED = 1\n"
    file.write_text(changed)
    scene.work.commit("another")
    done = scene.work.command("verdicts", "faulty", "--check")
    check(f"a traceback: {done.err[-300:]}", "Traceback" not in done.err)
    state, code = (("stale", 1), ("older code", 0))[1 - scene.number]
    check(f"not {state}: {done.out} {done.code}", f": {state}" in done.out and done.code == code)
    if scene.number:
        scene.work.command(*WORDS).refused("small.plan.json", "claims[0]")
    return "verdicts --check says older code, or stale; a stale plan is not run"


@fault("the checkout has uncommitted changes", "a new file; an edited one", tries=2)
def checkout_dirty(scene: Scene) -> str:
    frozen(scene)
    if scene.number:
        (scene.work.package / "experiment.py").open("a").write("\n# edited\n")
    else:
        (scene.work.repo / "new.txt").write_text("new")
    scene.work.command(*WORDS).refused("uncommitted")
    return "one line names the file"


@fault("git is missing, or there is no repository", "a PATH without git; .git removed", tries=2)
def git_missing(scene: Scene) -> str:
    frozen(scene)
    env: dict[str, str | None] = {}
    if scene.number:
        shutil.rmtree(scene.work.repo / ".git")
    else:
        env["PATH"] = os.devnull
    scene.work.command(*WORDS, env=env).refused("git")
    scene.work.run(env=env).completed()
    shutil.rmtree(scene.work.package / "ledger")
    scene.work.run("pilots", env=env).completed()
    scene.work.same(scene.undisturbed, "pilots")
    return "one line says so; runs without --ledger complete"


@fault("the ledger run is disturbed from outside", "a file is changed in the checkout while it runs", tries=1)
def changed_meanwhile(scene: Scene) -> str:
    frozen(scene)
    process = scene.work.start(*WORDS)
    (scene.work.repo / "new.txt").write_text("new")
    scene.work.end(process).refused("commit")
    (scene.work.repo / "new.txt").unlink()
    scene.work.command(*WORDS).completed()
    check("no verdicts", ledger(scene.work)[1])
    return "one line says so; the rerun writes the ledger from the trials that are there"
