"""No worker outlives its run, and nothing that a trial started outlives its worker.

A worker is asked to end in many ways: its run is killed, it is killed itself, its trial hangs in C with the
interpreter's lock held, so that no Python of its own runs any more. So it is watched from outside, by a process that is
forked before any trial runs, does nothing but wait, and then kills the whole group.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait

LOOK_EVERY_S = 0.1


def guard_this_worker() -> None:
    """Call it first in a worker process, while it has one thread."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    if not hasattr(os, "fork"):  # Windows: a thread has to do
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
        return
    os.setsid()  # a group of its own, which nobody else's signals reach
    worker = os.getpid()
    if os.fork() == 0:
        try:
            _watch(worker, parent.sentinel)
        finally:
            os.killpg(0, signal.SIGKILL)  # this process too


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def _watch(worker: int, sentinel: int) -> None:
    """Return when the worker or its parent is gone."""
    # Pipes that stay open here would keep others from noticing that the worker has died.
    for first, last in ((0, sentinel), (sentinel + 1, os.sysconf("SC_OPEN_MAX"))):
        os.closerange(first, min(last, 4096))
    while os.getppid() == worker:
        if wait([sentinel], LOOK_EVERY_S):
            return
