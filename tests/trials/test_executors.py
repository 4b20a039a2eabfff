"""Trials in this process and in workers, and what the death of a worker may do."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest

import toy_experiment
from holdfast.errors import InputError
from holdfast.experiment import Record
from holdfast.trials.execute import Task
from holdfast.trials.executors import InProcess, LocalProcesses, _obituary, _throttled
from holdfast.trials.plan import ExperimentSource, plan
from terminal import in_foreground

TOY = ExperimentSource("toy_experiment:experiment")
GOOD = [("good", "p"), ("bad", "p"), ("constant", "p"), ("everything", "p"), ("draws_from_libraries", "p")]
FATAL = ("raises", "is_killed", "exits_at_once", "hangs", "leaves", "runs_out_of_memory", "undeclared")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")


def tasks(
    folder: Path, pairs: list[tuple[str, str]], replicates: Iterator[int] | range = range(1000, 1001)
) -> list[Task]:
    limit = {"hangs": 1.5}
    trials = plan(TOY, "smoke", replicates, pairs=pairs)
    return [Task(TOY, "smoke", t, folder, time_limit_s=limit.get(t.arm)) for t in trials]


@dataclass
class Told:
    """A listener that keeps what it was told."""

    started_: list[str] = field(default_factory=list)
    stepped_: list[tuple[str, int, int]] = field(default_factory=list)
    finished_: list[str] = field(default_factory=list)

    def started(self, task: Task) -> None:
        self.started_.append(task.trial.key)

    def stepped(self, task: Task, done: int, total: int) -> None:
        self.stepped_.append((task.trial.arm, done, total))

    def finished(self, task: Task, record: Record) -> None:
        assert record.key == task.trial.key
        self.finished_.append(record.key)


@dataclass
class Outcome:
    records: dict[tuple[str, int | None], Record]
    told: Told
    folder: Path


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """One run with two workers of trials that end well, trials that end badly, and trials that share a stage."""
    folder, told = tmp_path_factory.mktemp("mixed"), Told()
    pairs = [("shares", "p"), ("shares too", "p"), *((arm, "p") for arm in FATAL), *GOOD]
    todo = tasks(folder, pairs)
    records = list(LocalProcesses(2).run(todo, told))
    assert sorted(r.key for r in records) == sorted(t.trial.key for t in todo)
    return Outcome({(r.arm, r.replicate): r for r in records}, told, folder)


@pytest.mark.parametrize(
    ("arm", "error"),
    [
        ("raises", "RuntimeError: told to fail"),
        ("is_killed", "the worker process was killed by SIGKILL; the system may have run out of memory"),
        ("exits_at_once", "the worker process ended with exit code 3"),
        ("hangs", "ended after . s: the scale's time limit is 1.5 s"),
        ("leaves", "SystemExit: 4"),
        ("runs_out_of_memory", "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 300. MiB"),
        ("undeclared", "Scalar 'scoer': must be one of the metrics ['score']; received scoer"),
    ],
)
def test_a_trial_that_dies_fails_with_the_reason(mixed: Outcome, arm: str, error: str) -> None:
    record = mixed.records[arm, 1000]
    assert record.status == "failed"
    assert re.match(error.replace("[", r"\["), record.error.splitlines()[-1])
    assert record.cost["seconds"] >= 0
    assert record.scalars == {}


def test_the_others_end_well_with_the_numbers_they_have_in_this_process(mixed: Outcome, tmp_path: Path) -> None:
    here = list(InProcess().run(tasks(tmp_path, GOOD), Told()))
    assert len(here) == len(GOOD)
    for record in here:
        there = mixed.records[record.arm, record.replicate]
        assert there.status == record.status == "ok"
        assert (there.key, there.scalars, there.curves, there.per_unit) == (
            record.key,
            record.scalars,
            record.curves,
            record.per_unit,
        )
        assert [dict(a) for a in there.artifacts] == [dict(a) for a in record.artifacts]


def test_two_processes_compute_a_stage_once(mixed: Outcome) -> None:
    one, two = mixed.records["shares", 1000], mixed.records["shares too", 1000]
    assert one.error == two.error == ""
    assert two.scalars["score"] - one.scalars["score"] == pytest.approx(1)
    assert len((mixed.folder / "calls.log").read_text().splitlines()) == 1
    assert sum("shared_seconds" in r.cost for r in (one, two)) == 1


def test_the_listener_hears_of_every_trial_once(mixed: Outcome) -> None:
    keys = sorted(r.key for r in mixed.records.values())
    assert sorted(mixed.told.started_) == sorted(mixed.told.finished_) == keys
    assert ("everything", 0, 3) in mixed.told.stepped_


def workers_here() -> list[BaseProcess]:
    """This process's workers; libraries that other tests call keep processes of their own."""
    return [child for child in multiprocessing.active_children() if child.name == "holdfast-worker"]


def test_no_worker_is_left_over(mixed: Outcome) -> None:
    assert workers_here() == []


def test_one_worker_runs_many_trials_and_is_replaced_when_it_dies(tmp_path: Path) -> None:
    """Its trials do not inherit memory; killed between two trials it costs neither; a trial may start processes."""
    told = Told()
    pairs = [("good", "p"), ("large", "p"), ("bad", "p"), ("starts_a_process", "p")]
    run = LocalProcesses(1).run(tasks(tmp_path, pairs), told)
    peaks = {}
    pids = set()
    for _ in ("good", "large", "bad"):
        record = next(run)
        assert record.error == ""
        peaks[record.arm] = record.cost["peak_bytes"]
        (worker,) = workers_here()
        pids.add(worker.pid)
    assert len(pids) == 1
    assert peaks["large"] > peaks["good"] + 290 * toy_experiment.MEGABYTE
    assert peaks["bad"] < peaks["good"] + 100 * toy_experiment.MEGABYTE
    worker.kill()
    worker.join()
    record = next(run)
    assert (record.error, record.scalars) == ("", {"score": 1.0})
    (another,) = workers_here()
    assert another.pid not in pids
    assert list(run) == []
    assert workers_here() == []


def test_a_listener_that_is_interrupted_ends_the_run_at_once(tmp_path: Path) -> None:
    class Interrupting(Told):
        def started(self, task: Task) -> None:
            super().started(task)
            if len(self.started_) == 2:
                self.at = time.monotonic()
                raise KeyboardInterrupt

    told = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        list(LocalProcesses(2).run(tasks(tmp_path, [("constant", "p"), ("hangs", "p")], range(2)), told))
    assert time.monotonic() - told.at < 2
    assert workers_here() == []


def test_a_run_that_is_given_up_ends_its_workers(tmp_path: Path) -> None:
    run = LocalProcesses(1).run(tasks(tmp_path, [("good", "p"), ("bad", "p")]), Told())
    next(run)
    assert len(workers_here()) == 1
    run.close()  # type: ignore[attr-defined]
    assert workers_here() == []


SCRIPT = """
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path
sys.path[:0] = [sys.argv[1], str(Path(sys.argv[1], "trials"))]
from test_executors import Told, tasks
from holdfast.trials.executors import LocalProcesses

class Saying(Told):
    def started(self, task):
        print("started", flush=True)

if __name__ == "__main__":
    import dataclasses
    todo = [dataclasses.replace(t, time_limit_s=None) for t in tasks(Path(sys.argv[2]), [("hangs", "p")], range(2))]
    run = LocalProcesses(2).run(todo, Saying())
    try:
        next(run)
    except KeyboardInterrupt:
        sys.exit("interrupted")
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of its own, in a group of its own, with two workers that hang."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(Path(toy_experiment.__file__).parent), str(tmp_path)]
    pipe = subprocess.PIPE
    process = in_foreground(command, stdout=pipe, stderr=pipe)
    try:
        assert process.stdout is not None
        for _ in range(2):
            assert process.stdout.readline() == "started\n"
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # workers that should be gone hold the pipes open
        process.communicate()


def workers_of(parent: subprocess.Popen[str]) -> list[psutil.Process]:
    """Both of them, as soon as there are."""
    found: list[psutil.Process] = []

    def both() -> bool:
        children = psutil.Process(parent.pid).children()
        found[:] = [c for c in children if "spawn_main" in " ".join(c.cmdline())]
        return len(found) == 2

    until("two workers", 10, both)
    return found


def until(what: str, seconds: float, true: object) -> None:
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def test_ctrl_c_while_workers_are_starting_ends_all_without_a_traceback(parent: subprocess.Popen[str]) -> None:
    workers = workers_of(parent)
    for worker in workers if Path("/proc/self/status").exists() else []:
        status = Path(f"/proc/{worker.pid}/status").read_text()
        blocked = int(re.findall(r"SigBlk:\s*(\w+)", status)[0], 16)
        assert blocked >> (signal.SIGINT - 1) & 1  # or it could print a traceback, depending on when it is hit
    start = time.monotonic()
    os.killpg(parent.pid, signal.SIGINT)  # as a terminal does
    _, errors = parent.communicate(timeout=10)
    assert time.monotonic() - start < 2
    assert errors == "interrupted\n"
    until("workers are gone", 1, lambda: gone(workers))


def test_workers_do_not_outlive_a_parent_that_is_killed(parent: subprocess.Popen[str], tmp_path: Path) -> None:
    workers = workers_of(parent)
    until("both trials are running", 20, lambda: len(list((tmp_path / "artifacts").glob("pid-*"))) == 2)
    assert not gone(workers)
    parent.kill()
    until("workers are gone", 5, lambda: gone(workers))


def test_at_least_one_job() -> None:
    with pytest.raises(InputError, match="jobs: must be at least 1; received 0"):
        LocalProcesses(0)


def test_nothing_to_do(tmp_path: Path) -> None:
    assert list(LocalProcesses(2).run([], Told())) == list(InProcess().run([], Told())) == []


def test_obituaries() -> None:
    assert _obituary(-signal.SIGSEGV) == "the worker process was killed by SIGSEGV"
    assert _obituary(0) == "the worker process ended with exit code 0"


def test_reports_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    now, told = [100.0], []
    monkeypatch.setattr("holdfast.trials.executors.time.monotonic", lambda: now[0])
    report = _throttled(lambda done, total: told.append(done))
    for done in range(100):
        report(done, 100)
        now[0] += 0.03
    assert told == list(range(0, 100, 4))


WITH_CLOSED_STDIN = """
import sys
from pathlib import Path
import test_executors as t
from holdfast.trials.executors import LocalProcesses
if __name__ == "__main__":
    records = list(LocalProcesses(1).run(t.tasks(Path(sys.argv[1]), [("good", "p"), ("bad", "p")]), t.Told()))
    sys.exit(len([r for r in records if r.status != "ok"]) or (0 if len(records) == 2 else 9))
"""


def test_workers_need_no_standard_input_of_their_parent(tmp_path: Path) -> None:
    """A daemon's is closed: the guard of a worker got its number, and multiprocessing closed it again in the worker."""
    (tmp_path / "daemon.py").write_text(WITH_CLOSED_STDIN)
    done = subprocess.run(
        [sys.executable, tmp_path / "daemon.py", tmp_path / "run"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
        preexec_fn=lambda: os.close(0),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
