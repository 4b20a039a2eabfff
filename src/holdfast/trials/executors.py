"""Where trials run: in this process, or in local worker processes.

An executor is anything with `run(tasks, listener)` that yields one record per task, in any order. Tasks and records are
small and picklable and stages live on a path, so that an executor for a cluster needs nothing else.

Worker processes are our own few lines over `multiprocessing` rather than a pool library: each worker has a pipe of its
own and shares no lock with its siblings, so one that dies at any moment (signal, out of memory) cannot block the rest.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import shutil
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Protocol

from holdfast.errors import InputError
from holdfast.experiment import Record
from holdfast.files import open_standard_streams
from holdfast.trials.execute import Progress, Task, died, execute, prepare
from holdfast.trials.orphans import guard_this_worker

REPORT_EVERY_S = 0.1
LOOK_EVERY_S = 0.2  # upper bound of the delay with which a time limit, or a death that closes no pipe, is noticed
BEGUN = "begun"  # what a worker says when it has imported what a trial needs
IMPORTING_S = 600.0  # for imports, which on a busy machine take long and are no part of the trial


class Listener(Protocol):
    """Is told what happens; a display implements it."""

    def started(self, task: Task) -> None: ...
    def stepped(self, task: Task, done: int, total: int) -> None: ...
    def finished(self, task: Task, record: Record) -> None: ...


class TrialExecutor(Protocol):
    """Runs tasks."""

    def run(self, tasks: Sequence[Task], listener: Listener) -> Iterator[Record]:
        """Yields one record per task as each ends."""
        ...


class InProcess:
    """One after the other in this process: for smoke runs, debugging and notebooks. Time limits are not enforced."""

    def run(self, tasks: Sequence[Task], listener: Listener) -> Iterator[Record]:
        for task in tasks:
            listener.started(task)
            record = execute(task, _throttled(partial(listener.stepped, task)))
            listener.finished(task, record)
            yield record


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    task: Task | None = None
    since: float = 0.0
    begun: bool = False

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


class LocalProcesses:
    """`jobs` worker processes. A worker's death fails the trial it was running and nothing else.

    Args:
        jobs: how many trials run at a time.
    """

    def __init__(self, jobs: int) -> None:
        if jobs < 1:
            raise InputError("jobs", "must be at least 1", jobs)
        self.jobs = jobs
        self._context = multiprocessing.get_context("spawn")  # fork is unsafe once torch has started threads

    def run(self, tasks: Sequence[Task], listener: Listener) -> Iterator[Record]:
        open_standard_streams()
        todo = deque(tasks)
        workers: list[_Worker] = []
        end_all = partial(_end, workers)
        # Workers are no daemons, so that a trial may start processes of its own; an interpreter that leaves while this
        # generator hangs somewhere would wait for them for ever.
        atexit.register(end_all)
        try:
            while todo or any(w.task for w in workers):
                self._assign(todo, workers, listener)
                busy = [(w, w.task) for w in workers if w.task is not None]
                ready = wait([w.pipe for w, _ in busy], timeout=LOOK_EVERY_S)
                for worker, task in busy:
                    record = _heard(worker, task, listener, worker.pipe in ready) or _overdue(worker, task)
                    if record is None:
                        continue
                    worker.task = None
                    if not worker.process.is_alive():
                        workers.remove(worker)
                        worker.end()
                    listener.finished(task, record)
                    yield record
        finally:
            # Also the way out for Ctrl-C: stages and records are written whole or not at all, so killing loses nothing.
            end_all()
            atexit.unregister(end_all)

    def _assign(self, todo: deque[Task], workers: list[_Worker], listener: Listener) -> None:
        idle = [w for w in workers if w.task is None]
        while todo and (idle or len(workers) < self.jobs):
            worker = idle.pop() if idle else self._start(workers)
            try:
                worker.pipe.send(todo[0])
            except OSError:  # it died while idle
                workers.remove(worker)
                worker.end()
                continue
            task = worker.task = todo.popleft()
            worker.since, worker.begun = time.monotonic(), False
            listener.started(task)

    def _start(self, workers: list[_Worker]) -> _Worker:
        with _interrupts_blocked():
            ours, theirs = self._context.Pipe()
            process = self._context.Process(target=_work, args=(theirs,), name="holdfast-worker")
            process.start()
            theirs.close()
            workers.append(worker := _Worker(process, ours))
        return worker


def _end(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.process.kill()  # all of them first, and then wait for each
    while workers:
        workers.pop().end()


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Ctrl-C waits until the block has ended. A process started in it inherits that and never hears of Ctrl-C.

    So no worker is started that nobody knows of, and none prints a traceback because it was still importing.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # or starting a process does that, and up to Python 3.11 unblocks the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _heard(worker: _Worker, task: Task, listener: Listener, ready: bool) -> Record | None:
    """Take one message from a worker; the record if it was one, or if the worker is dead.

    A dead worker's pipe stays open as long as something that its trial started holds it.
    """
    if not ready and (worker.process.is_alive() or worker.pipe.poll()):
        return None
    try:
        message = worker.pipe.recv() if ready else None
    except (EOFError, OSError):
        message = None
    if message is None:
        worker.process.join()
        return _dead(worker, task, _obituary(worker.process.exitcode))
    if isinstance(message, Record):
        return message
    if message == BEGUN:
        worker.since, worker.begun = time.monotonic(), True
    else:
        listener.stepped(task, *message)
    return None


def _overdue(worker: _Worker, task: Task) -> Record | None:
    limit, spent = task.time_limit_s, time.monotonic() - worker.since
    allowed = limit if limit is None or worker.begun else limit + IMPORTING_S
    if allowed is None or spent <= allowed:
        return None
    worker.process.kill()
    worker.process.join()
    return _dead(worker, task, f"ended after {spent:.0f} s: the scale's time limit is {limit:g} s")


def _dead(worker: _Worker, task: Task, why: str) -> Record:
    shutil.rmtree(task.directory, ignore_errors=True)  # half of what the trial wanted to leave
    return died(task, why, time.monotonic() - worker.since)


def _obituary(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
        return f"the worker process was killed by {name}{hint}"
    return f"the worker process ended with exit code {code}"


def _work(pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    guard_this_worker()
    try:
        while True:
            task: Task = pipe.recv()
            prepare(task)
            pipe.send(BEGUN)
            report = _throttled(lambda done, total: pipe.send((done, total)))
            pipe.send(execute(task, report, interruptible=False))
    except (EOFError, OSError):  # the parent has gone, or a trial closed what was not its own
        os._exit(1)  # without a word about what cannot be closed twice


def _throttled(report: Progress) -> Progress:
    last = 0.0

    def throttled(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= REPORT_EVERY_S:
            last = now
            report(done, total)

    return throttled
