"""Put on the path as `sitecustomize`: what happens inside a process that a test disturbs.

FAULTY_STARTED=folder      leave a file there that says that the process has started
FAULTY_KILL="n pattern"   SIGKILL just before the n-th file operation (open for writing, move, remove, new folder) on a
                          path that matches the pattern
FAULTY_CLOCK="s every"    time.time() jumps by s seconds after so many calls, again and again, to and fro
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import sys
import time
from contextlib import suppress

CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate")


def kill_at(which: int, pattern: str) -> None:
    """Audit hooks see every file operation of Python's, before it happens."""
    paths, count = re.compile(pattern), itertools.count(1)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            flags = arguments[2]
            if not isinstance(flags, int) or not flags & (os.O_WRONLY | os.O_RDWR):
                return
        elif event not in CHANGES:
            return
        matches = any(isinstance(a, str | os.PathLike) and paths.search(os.fspath(a)) for a in arguments[:2])
        if matches and next(count) == which:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def jump(seconds: float, every: int) -> None:
    """The wall clock jumps, the monotonic clocks do not: as when a machine corrects its time."""
    true, calls = time.time, itertools.count(1)

    def jumping() -> float:
        return true() + seconds * (next(calls) // every % 2)

    time.time = jumping
    time.time_ns = lambda: int(jumping() * 1e9)


def say_so(folder: str) -> None:
    """Leave a file that says that this process has started."""
    with suppress(OSError), open(os.path.join(folder, f"started-{os.getpid()}"), "x"):
        pass


say_so(os.environ.get("FAULTY_STARTED", "/nowhere"))
if wanted := os.environ.get("FAULTY_KILL"):
    number, _, pattern_ = wanted.partition(" ")
    kill_at(int(number), pattern_)
if wanted := os.environ.get("FAULTY_CLOCK"):
    by, _, often = wanted.partition(" ")
    jump(float(by), int(often))
