"""Where trials run: in this process, or in local worker processes.

An executor is anything with `run(tasks, listener)` that yields one record per task, in any order. Tasks and records are
small and picklable and stages live on a path, so that an executor for a cluster needs nothing else.

Worker processes are our own few lines over `multiprocessing` rather than a pool library: each worker has a pipe of its
own and shares no lock with its siblings, so one that dies at any moment (signal, out of memory) cannot block the rest.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from holdfast.experiment import Record
from holdfast.trials.execute import Task, died, execute

REPORT_EVERY_S = 0.1
LOOK_EVERY_S = 0.2  # upper bound of the delay with which a time limit is noticed


class Listener(Protocol):
    """Is told what happens; a display implements it."""

    def started(self, task: Task) -> None: ...
    def stepped(self, task: Task, done: int, total: int) -> None: ...
    def finished(self, task: Task, record: Record) -> None: ...


class Executor(Protocol):
    """Runs tasks."""

    def run(self, tasks: Sequence[Task], listener: Listener) -> Iterator[Record]:
        """Yields one record per task as each ends."""
        ...


class InProcess:
    """One after the other in this process: for smoke runs, debugging and notebooks. Time limits are not enforced."""

    def run(self, tasks: Sequence[Task], listener: Listener) -> Iterator[Record]:
        for task in tasks:
            listener.started(task)
            record = execute(task, _throttled(lambda done, total, task=task: listener.stepped(task, done, total)))
            listener.finished(task, record)
            yield record


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    task: Task | None = None
    since: float = 0.0


class LocalProcesses:
    """`jobs` worker processes. A worker's death fails the trial it was running and nothing else.

    Args:
        jobs: how many trials run at a time.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._context = multiprocessing.get_context("spawn")  # fork is unsafe once torch has started threads

    def run(self, tasks: Sequence[Task], listener: Listener) -> Iterator[Record]:
        todo = deque(tasks)
        workers: list[_Worker] = []
        try:
            while todo or any(w.task for w in workers):
                self._assign(todo, workers, listener)
                ready = wait([w.pipe for w in workers if w.task], timeout=LOOK_EVERY_S)
                for worker in [w for w in workers if w.task]:
                    record = self._listen(worker, listener) if worker.pipe in ready else None
                    if record is None and (record := _overdue(worker)) is None:
                        continue
                    listener.finished(worker.task, record)  # type: ignore[arg-type]
                    worker.task = None
                    if not worker.process.is_alive():
                        workers.remove(worker)
                    yield record
        finally:
            # Also the way out for Ctrl-C: stages and records are written whole or not at all, so killing loses nothing.
            for worker in workers:
                worker.process.kill()
            for worker in workers:
                worker.process.join()
                worker.pipe.close()

    def _assign(self, todo: deque[Task], workers: list[_Worker], listener: Listener) -> None:
        idle = [w for w in workers if w.task is None]
        while todo and (idle or len(workers) < self.jobs):
            worker = idle.pop() if idle else self._start()
            if worker not in workers:
                workers.append(worker)
            try:
                worker.pipe.send(todo[0])
            except OSError:  # it died while idle
                worker.process.join()
                workers.remove(worker)
                continue
            worker.task, worker.since = todo.popleft(), time.monotonic()
            listener.started(worker.task)

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs,), daemon=True, name="holdfast-worker")
        process.start()
        theirs.close()
        return _Worker(process, ours)

    def _listen(self, worker: _Worker, listener: Listener) -> Record | None:
        assert worker.task is not None
        try:
            kind, value = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join()
            return died(worker.task, _obituary(worker.process.exitcode), time.monotonic() - worker.since)
        if kind == "record":
            return value
        listener.stepped(worker.task, *value)
        return None


def _overdue(worker: _Worker) -> Record | None:
    assert worker.task is not None
    limit, spent = worker.task.time_limit_s, time.monotonic() - worker.since
    if limit is None or spent <= limit:
        return None
    worker.process.kill()
    worker.process.join()
    return died(worker.task, f"ended after {spent:.0f} s: the scale's time limit is {limit:g} s", spent)


def _obituary(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
        return f"the worker process was killed by {name}{hint}"
    return f"the worker process ended with exit code {code}"


def _work(pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    _die_with_parent()
    while True:
        try:
            task: Task = pipe.recv()
        except (EOFError, OSError):
            return
        record = execute(task, _throttled(lambda done, total: pipe.send(("step", (done, total)))))
        pipe.send(("record", record))


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            wait([parent.sentinel])
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()


def _throttled(report: Any) -> Any:
    last = 0.0

    def throttled(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= REPORT_EVERY_S:
            last = now
            report(done, total)

    return throttled
