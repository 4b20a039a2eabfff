"""What the second replicate of the good guess does where FAULTY_TRIAL names it. Nothing where it is unset."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from holdfast.experiment import Measurement, Scalar
from holdfast.experiment.run import Run

MEGABYTE = 2**20
VARIABLE = "FAULTY_TRIAL"


class Strange(BaseException):
    """Neither an Exception nor anything that the standard library knows."""


def asked(run: Run) -> str:
    """The misbehaviour that this trial is to show, or ""."""
    return os.environ.get(VARIABLE, "") if run.arm_name == "good" and (run.replicate or 0) % 100 == 1 else ""


def provoke(run: Run) -> Iterator[Measurement]:
    """Misbehave, if this is the trial to do it and a misbehaviour is asked for."""
    what = asked(run)
    if what in ALL:
        (run.dir / "half.txt").write_text("half of a file")
        ALL[what]()
        (run.dir / "half.txt").unlink()
    yield from YIELDED.get(what, ())  # type: ignore[misc]


def leaves_half_a_file() -> None:
    raise RuntimeError("told to fail")


def sleeps() -> None:
    time.sleep(3600)


def spins_in_c() -> None:
    """Matching backtracks for ages in C, with the interpreter's lock held."""
    re.match(r"(a+)+$", "a" * 60 + "b")


def exits_at_once() -> None:
    os._exit(7)


def exits() -> None:
    sys.exit(7)


def interrupts_itself() -> None:
    raise KeyboardInterrupt


def raises_something_strange() -> None:
    raise Strange("neither fish nor fowl")


def stops_the_generator() -> None:
    raise GeneratorExit


def raises_what_cannot_be_printed() -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    raise Unprintable


def segfaults() -> None:
    ctypes.string_at(0)


def aborts() -> None:
    os.abort()


def is_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def prints_100_megabytes() -> None:
    line = "x" * 1023 + "\n"
    for _ in range(50 * 1024):
        sys.stdout.write(line)
    os.write(1, b"y" * MEGABYTE)
    for _ in range(50 * 1024):
        sys.stderr.write(line)


def forks_and_leaves_children() -> None:
    for _ in range(2):
        if os.fork() == 0:
            time.sleep(3600)
            os._exit(0)
    subprocess.Popen(["sleep", "3600"])


def forks_and_dies() -> None:
    forks_and_leaves_children()
    os._exit(3)


def leaves_a_thread() -> None:
    threading.Thread(target=time.sleep, args=(3600,)).start()


def takes_all_memory() -> None:
    """More than the address space that the test allows."""
    held = [bytearray(64 * MEGABYTE) for _ in range(1024)]
    raise RuntimeError(f"{len(held)} blocks fitted")


def recurses() -> None:
    recurses()


def recurses_in_c() -> None:
    sys.setrecursionlimit(10**8)
    nested: list[object] = []
    for _ in range(10**6):
        nested = [nested]
    repr(nested)


def closes_files() -> None:
    os.closerange(3, 256)


def changes_folder() -> None:
    os.chdir("/")
    os.environ["TMPDIR"] = "/nowhere"


def ignores_signals() -> None:
    for name in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(name, signal.SIG_IGN)
    time.sleep(3600)


ALL: dict[str, Callable[[], None]] = {
    what.__name__: what
    for what in (
        leaves_half_a_file,
        sleeps,
        spins_in_c,
        exits_at_once,
        exits,
        interrupts_itself,
        raises_something_strange,
        stops_the_generator,
        raises_what_cannot_be_printed,
        segfaults,
        aborts,
        is_killed,
        prints_100_megabytes,
        forks_and_leaves_children,
        forks_and_dies,
        leaves_a_thread,
        takes_all_memory,
        recurses,
        recurses_in_c,
        closes_files,
        changes_folder,
        ignores_signals,
    )
}
YIELDED: dict[str, tuple[Any, ...]] = {
    "yields_nan": (Scalar("score", float("nan")),),
    "yields_infinity": (Scalar("score", float("inf")),),
    "yields_twice": (Scalar("score", 1.0),),
    "yields_a_number": (3.0,),
}
