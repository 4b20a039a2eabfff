"""SIGKILL: of the run, of its workers, at random moments and just before chosen file operations."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import suppress
from typing import Any

import psutil
from tests.faults.campaign import Scene, fault
from tests.faults.workspace import Workspace, check

from holdfast.ledger.packing import unpack

RUN_S = 3.0  # about what an undisturbed run takes

AGAIN = "the rerun completes with the same numbers"


def kill_after(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """SIGKILL a command at that time; whether it was still there."""
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=seconds)
        return False
    process.kill()
    process.communicate()
    return True


def workers_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Worker processes of a run."""
    found = []
    with suppress(psutil.Error):
        for child in psutil.Process(process.pid).children():
            with suppress(psutil.Error):
                if "spawn_main" in " ".join(child.cmdline()):
                    found.append(child)
    return found


@fault("a run is killed", "SIGKILL of the parent of 2 workers at a random moment, 3 times in a row", tries=10, each=3)
def run_killed(scene: Scene) -> str:
    for _ in range(3):
        with scene.work.nothing_left_running():
            kill_after(scene.work.start(*scene.work.run_words()), scene.rng.uniform(0, RUN_S))
    scene.work.run().completed()
    scene.work.same(scene.undisturbed)
    return f"workers end with it; {AGAIN}"


@fault("a run without workers is killed", "SIGKILL with --jobs 0 at a random moment, twice in a row", tries=5, each=2)
def run_in_process_killed(scene: Scene) -> str:
    for _ in range(2):
        words = scene.work.run_words("out", "--jobs", "0")
        kill_after(scene.work.start(*words), scene.rng.uniform(0.5, RUN_S))
    scene.work.run().completed()
    scene.work.same(scene.undisturbed)
    return AGAIN


@fault("a worker is killed", "SIGKILL of one of 2 workers at a random moment, 3 times in a run", tries=8, each=3)
def worker_killed(scene: Scene) -> str:
    process = scene.work.start(*scene.work.run_words())
    for _ in range(3):
        time.sleep(scene.rng.uniform(0.1, 0.8))
        end = time.monotonic() + 2
        while process.poll() is None and time.monotonic() < end:
            if found := workers_of(process):
                with suppress(psutil.Error):
                    scene.rng.choice(found).kill()
                break
            time.sleep(0.01)
    done = scene.work.end(process)
    check(f"ended with {done.code}: {done.err[-300:]}", done.code in (0, 1))
    check(f"a traceback: {done.err[-300:]}", "Traceback" not in done.err)
    scene.work.run().completed()
    scene.work.same(scene.undisturbed, second_look=True)
    return f"the others go on; {AGAIN}"


def killed_at(scene: Scene, pattern: str, most: int, *words: str) -> None:
    """Run `holdfast` with these words, killed just before a random one of its first `most` operations on such files."""
    command = words or scene.work.run_words()
    scene.work.command(*command, env={"FAULTY_KILL": f"{scene.rng.randint(1, most)} {pattern}"})


@fault(
    "a worker is killed while it writes",
    "SIGKILL just before a random file operation in stages/ or artifacts/",
    tries=6,
)
def worker_killed_writing(scene: Scene) -> str:
    killed_at(scene, "/(stages|artifacts)/", 60)
    scene.work.run().completed()
    scene.work.same(scene.undisturbed, second_look=True)
    return AGAIN


@fault(
    "a run is killed while it writes a stage",
    "SIGKILL just before a random file operation in stages/, without workers, twice in a row",
    tries=4,
    each=2,
)
def stage_writing_killed(scene: Scene) -> str:
    for _ in range(2):
        killed_at(scene, "/stages/", 60, *scene.work.run_words("out", "--jobs", "0"))
    scene.work.run().completed()
    scene.work.same(scene.undisturbed)
    return AGAIN


@fault(
    "a run is killed while it writes the page",
    "SIGKILL just before each file operation on run.json, results.json and page.html, one after the other",
    tries=12,
)
def page_writing_killed(scene: Scene) -> str:
    command = scene.work.run_words()
    scene.work.command(*command, env={"FAULTY_KILL": f"{scene.number + 1} /out/[^/]*(json|html)"})
    scene.work.run().completed()
    scene.work.same(scene.undisturbed)
    return AGAIN


STORING = """
import sys
from pathlib import Path
from holdfast.experiment import Record
from holdfast.trials.store import Store
with Store(Path(sys.argv[1])) as store:
    for i in range(100000):
        curves = {"c": {"x": [i] * 200, "y": [i] * 200, "x_label": "step"}}
        store.put(Record(f"k{i}", "arm", "problem", {}, i, "ok", {"m": i / 3}, curves=curves))
        print(i, flush=True)
"""


@fault(
    "the store is killed while it writes", "SIGKILL of a process that does nothing else, at a random moment", tries=10
)
def store_writing_killed(scene: Scene) -> str:
    path = scene.work.runs / "trials.sqlite"
    process = scene.work.start(path, program=(sys.executable, "-c", STORING))
    time.sleep(scene.rng.uniform(0.3, 1.2))
    process.kill()
    out, _ = process.communicate()
    confirmed = [int(line) for line in out.split()[:-1]]
    code = (
        "import sys, json; from pathlib import Path; from holdfast.trials.store import Store\n"
        "s = Store(Path(sys.argv[1])); found = s.get(f'k{i}' for i in range(int(sys.argv[2])))\n"
        "print(json.dumps([[r.replicate, r.scalars['m']] for r in found.values()])); s.close()"
    )
    read = scene.work.command(path, str(len(confirmed)), program=(sys.executable, "-c", code))
    read.completed()
    check("a confirmed record is missing or another", json.loads(read.out) == [[i, i / 3] for i in confirmed])
    return "every confirmed record is there, whole"


# ------------------------------------------------------------------------------------------- plans and ledgers
def plan(work: Workspace) -> dict[str, Any]:
    """The plan without its times."""
    content = json.loads((work.package / "ledger" / "small.plan.json").read_text())
    return {k: v for k, v in content.items() if k not in ("frozen_at", "digest", "earlier")}


def ledger(work: Workspace) -> list[Any]:
    """Records and verdicts of the ledger without times and memory."""
    content = json.loads((work.package / "ledger" / "small.json").read_text())
    records = [{**r, "cost": {"guesses": r["cost"]["guesses"]}} for r in unpack(content)]
    return [records, content["verdicts"]]


def no_half_files(work: Workspace) -> None:
    """Nothing is in the folder of plans and ledgers but those."""
    found = {p.name for p in (work.package / "ledger").iterdir()}
    check(f"files left over: {sorted(found)}", found <= {"small.plan.json", "small.json"})


def frozen(scene: Scene) -> None:
    """Freeze and commit a plan."""
    scene.work.command("freeze", "faulty", "--jobs", "0").completed()
    scene.work.commit("plan")


@fault("a freeze is killed", "SIGKILL at a random moment, or just before a file operation in ledger/", tries=6)
def freeze_killed(scene: Scene) -> str:
    words = ("freeze", "faulty", "--jobs", "2")
    if scene.number % 2:
        killed_at(scene, "/ledger", 4, *words)
    else:
        with scene.work.nothing_left_running():
            kill_after(scene.work.start(*words), scene.rng.uniform(0.3, 2.0))
    written = scene.work.package / "ledger" / "small.plan.json"
    if not written.exists():
        scene.work.command(*words).completed()
    no_half_files(scene.work)
    before = plan(scene.work)
    scene.work.command("freeze", "faulty", "--why", "to compare").completed()
    again = plan(scene.work)
    check("the plan differs", all(before[k] == again[k] for k in ("declaration", "tuned", "tuning", "looks")))
    return "no plan or a whole one; the next freeze completes"


@fault("a ledger run is killed", "SIGKILL just before a file operation in ledger/ or at a random moment", tries=6)
def ledger_run_killed(scene: Scene) -> str:
    frozen(scene)
    words = ("run", "faulty", "--scale", "small", "--ledger", "--jobs", "2")
    if scene.number % 2:
        killed_at(scene, "/ledger/", 4, *words)
    else:
        with scene.work.nothing_left_running():
            kill_after(scene.work.start(*words), scene.rng.uniform(0.5, RUN_S))
    if not (scene.work.package / "ledger" / "small.json").exists():
        scene.work.command(*words).completed()
    no_half_files(scene.work)
    first = ledger(scene.work)
    (scene.work.package / "ledger" / "small.json").unlink()
    scene.work.command(*words, "--out", str(scene.work.runs / "undisturbed")).completed()
    check("the ledger differs", ledger(scene.work) == first)
    return "no ledger or a whole one; the rerun writes the same"


@fault(
    "a new plan is killed", "SIGKILL just before each file operation of `freeze --why`, one after the other", tries=5
)
def new_plan_killed(scene: Scene) -> str:
    frozen(scene)
    scene.work.command("run", "faulty", "--scale", "small", "--ledger", "--jobs", "2").completed()
    scene.work.commit("ledger")
    decided = ledger(scene.work)[1]
    words = ("freeze", "faulty", "--why", "margins were wrong")
    scene.work.command(*words, env={"FAULTY_KILL": f"{scene.number + 1} /ledger/"})
    scene.work.command(*words).completed()
    no_half_files(scene.work)
    content = json.loads((scene.work.package / "ledger" / "small.plan.json").read_text())
    kept = [earlier["verdicts"] for earlier in content["earlier"]]
    check("verdicts of the first plan are lost", kept[0] == decided)
    check("verdicts are told of a plan that never ran", not any(kept[1:]))
    checked = scene.work.command("verdicts", "faulty", "--check")
    check(f"the state is wrong: {checked.out}", checked.code == 0 and "plan frozen, not run yet" in checked.out)
    return "earlier verdicts stay with their plan"


# --------------------------------------------------------------------------------------------------- models

SAVING = """
import sys
import numpy as np
from faulty.estimator import Centre
Centre().fit(np.full((4, 3), float(sys.argv[2]))).save(sys.argv[1])
"""
LOADING = """
import sys
import numpy as np
from faulty.estimator import Centre
print(Centre.load(sys.argv[1]).predict(np.zeros((1, 3)))[0].tolist())
"""


@fault(
    "saving a model over another is killed",
    "SIGKILL just before each file operation of `Estimator.save`, one after the other",
    tries=16,
)
def model_saving_killed(scene: Scene) -> str:
    folder = scene.work.runs / "model"
    program = (sys.executable, "-c", SAVING)
    scene.work.command(folder, "1", program=program).completed()
    scene.work.command(folder, "2", program=program, env={"FAULTY_KILL": f"{scene.number + 1} /runs/.*model"})
    loaded = scene.work.command(folder, program=(sys.executable, "-c", LOADING))
    check(
        f"neither model can be loaded: {loaded.err[-200:]}",
        loaded.out.strip() in ("[-1.0, -1.0, -1.0]", "[-2.0, -2.0, -2.0]"),
    )
    scene.work.command(folder, "3", program=program).completed()
    loaded = scene.work.command(folder, program=(sys.executable, "-c", LOADING))
    check("the next save is not there", loaded.out.strip() == "[-3.0, -3.0, -3.0]")
    left = sorted(p.name for p in scene.work.runs.iterdir())
    check(f"left over: {left}", left == ["model"])
    return "the old model or the new one is there; the next save removes what was left"
