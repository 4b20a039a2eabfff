"""Workers do not outlive their run, whatever their trials do, and what trials start does not outlive the workers."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

import toy_experiment
from holdfast.experiment import Record
from holdfast.trials.execute import Task
from holdfast.trials.executors import LocalProcesses
from holdfast.trials.plan import ExperimentSource, plan
from terminal import in_foreground

TOY = ExperimentSource("toy_experiment:experiment")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")


class Silent:
    def started(self, task: Task) -> None: ...
    def stepped(self, task: Task, done: int, total: int) -> None: ...
    def finished(self, task: Task, record: Record) -> None: ...


def ran(folder: Path, *arms: str, limit: float | None = None) -> dict[str, Record]:
    trials = plan(TOY, "smoke", [1000], pairs=[(arm, "p") for arm in arms])
    tasks = [Task(TOY, "smoke", t, folder, time_limit_s=limit) for t in trials]
    return {record.arm: record for record in LocalProcesses(1).run(tasks, Silent())}


def until(what: str, true: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def processes(folder: Path) -> list[int]:
    """Those whose number a trial left."""
    return [int(path.name.removeprefix("pid-")) for path in folder.rglob("pid-*")]


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_what_a_trial_started_neither_outlives_its_worker_nor_hides_its_death(tmp_path: Path) -> None:
    records = ran(tmp_path, "leaves_a_process", "good")
    assert records["leaves_a_process"].error == "the worker process ended with exit code 3"
    assert records["good"].status == "ok"
    (child,) = processes(tmp_path)
    until("the process is gone", lambda: not alive(child))
    assert list(tmp_path.rglob("half.txt")) == []


def test_what_is_no_exception_fails_its_own_trial_only(tmp_path: Path) -> None:
    records = ran(tmp_path, "raises_strangely", "interrupts_itself", "good")
    assert records["raises_strangely"].error.endswith("toy_experiment.Strange: neither fish nor fowl")
    assert records["interrupts_itself"].error.endswith("KeyboardInterrupt")
    assert records["good"].status == "ok"
    assert list(tmp_path.rglob("half.txt")) == []


def test_a_time_limit_ends_what_holds_the_interpreter(tmp_path: Path) -> None:
    records = ran(tmp_path, "spins", "good", limit=0.7)
    assert records["spins"].error == "ended after 1 s: the scale's time limit is 0.7 s"
    assert records["good"].status == "ok"


SLOW = """
import time
time.sleep(1.0)
from toy_experiment import *
"""


def test_imports_do_not_count_as_time_of_the_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_to_import.py").write_text(SLOW)
    monkeypatch.syspath_prepend(str(tmp_path))
    source = ExperimentSource("slow_to_import:experiment")
    (trial,) = plan(source, "smoke", [1000], pairs=[("good", "p")])
    (record,) = LocalProcesses(1).run([Task(source, "smoke", trial, tmp_path, time_limit_s=0.9)], Silent())
    assert record.error == ""


SCRIPT = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], str(Path(sys.argv[1], "trials"))]
from test_orphans import ran

if __name__ == "__main__":
    ran(Path(sys.argv[2]), "spins")
"""


def test_a_worker_that_holds_the_interpreter_ends_with_its_run(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    tests = Path(toy_experiment.__file__).parent
    run = in_foreground([sys.executable, str(script), str(tests), str(tmp_path)], stdout=subprocess.DEVNULL)
    until("the trial is running", lambda: processes(tmp_path))
    (worker,) = processes(tmp_path)
    assert alive(worker)
    run.kill()
    run.wait()
    until("the worker is gone", lambda: not alive(worker), 5)


def test_the_directory_is_the_keys(tmp_path: Path) -> None:
    (trial,) = plan(TOY, "smoke", [1000], pairs=[("good", "p")])
    task = Task(TOY, "smoke", dataclasses.replace(trial, key="0123456789abcdef0"), tmp_path)
    assert task.directory == tmp_path / "artifacts" / "0123456789abcdef"
