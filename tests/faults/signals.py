"""Ctrl-C, SIGTERM, SIGHUP, a closed terminal and a reader that has gone."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tests.faults.campaign import Scene, fault
from tests.faults.kills import AGAIN, RUN_S
from tests.faults.workspace import Done, check

HIDDEN, SHOWN = b"\x1b[?25l", b"\x1b[?25h"  # the cursor


def ended_by(done: Done, *codes: int) -> None:
    """An orderly end: a code that says why, and no traceback."""
    # Python ends itself by SIGINT if the signal came while it executed a string, as dataclasses do when imported.
    check(f"ended with {done.code}: {done.err[-300:]}", done.code in (*codes, -signal.SIGINT))
    check(f"a traceback: {done.err[-300:]}", "Traceback" not in done.err + done.out)


def signalled(scene: Scene, send: Callable[[subprocess.Popen[bytes]], None], *codes: int) -> str:
    with scene.work.nothing_left_running():
        process = scene.work.start(*scene.work.run_words())
        scene.work.wait_for_python(process)
        time.sleep(scene.rng.uniform(0.05, RUN_S))
        if process.poll() is None:
            with suppress(ProcessLookupError):
                send(process)
        ended_by(scene.work.end(process, within=15), 0, *codes)
    scene.work.run().completed()
    scene.work.same(scene.undisturbed)
    return f"an orderly end; {AGAIN}"


def to_all(number: int) -> Callable[[subprocess.Popen[bytes]], None]:
    return lambda process: os.killpg(process.pid, number)


@fault("Ctrl-C", "SIGINT to the whole process group at a random moment", tries=5)
def ctrl_c(scene: Scene) -> str:
    return signalled(scene, to_all(signal.SIGINT), 130)


@fault("Ctrl-C twice", "the second within half a second of the first", tries=5)
def ctrl_c_twice(scene: Scene) -> str:
    def twice(process: subprocess.Popen[bytes]) -> None:
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(scene.rng.uniform(0, 0.5))
        os.killpg(process.pid, signal.SIGINT)

    return signalled(scene, twice, 130)


@fault("SIGTERM", "to the run alone, or to the whole process group", tries=4)
def sigterm(scene: Scene) -> str:
    send = to_all(signal.SIGTERM) if scene.number % 2 else lambda process: process.terminate()
    return signalled(scene, send, 1, 143)  # 1: the workers were hit before the run was


@fault("SIGHUP", "to the whole process group", tries=3)
def sighup(scene: Scene) -> str:
    return signalled(scene, to_all(signal.SIGHUP), 1, 129)


@fault("SIGHUP under nohup", "SIGHUP is ignored from the start", tries=1)
def nohup(scene: Scene) -> str:
    process = scene.work.start(*scene.work.run_words(), before=lambda: ignore(signal.SIGHUP))
    scene.work.wait_for_python(process)
    time.sleep(1.0)
    os.killpg(process.pid, signal.SIGHUP)
    scene.work.end(process).completed()
    scene.work.same(scene.undisturbed)
    return "the run goes on"


def ignore(number: int) -> None:
    signal.signal(number, signal.SIG_IGN)


@fault("the reader of the output has gone", "`| head -1`; a closed stdout; stdout and stderr on a broken pipe", tries=3)
def broken_pipe(scene: Scene) -> str:
    def closed() -> None:
        os.close(1)

    if scene.number == 0:
        process = scene.work.start(*scene.work.run_words())
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        _, err = process.communicate(timeout=60)
        ended_by(Done(process.returncode, "", err.decode()), 0, 141)
    elif scene.number == 1:
        ended_by(scene.work.run(before=closed, stdout=None), 0, 141)
    else:
        read, write = os.pipe()
        process = scene.work.start(*scene.work.run_words(), stdout=write, stderr=write)
        os.close(write)
        os.close(read)
        ended_by(scene.work.end(process), 0, 141)
    scene.work.run().completed()
    scene.work.same(scene.undisturbed)
    return AGAIN


def on_a_terminal(scene: Scene) -> tuple[subprocess.Popen[bytes], int]:
    """The run with a terminal of its own; the other end of which is returned."""
    ours, theirs = pty.openpty()

    def control() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    streams: dict[str, Any] = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    process = scene.work.start(*scene.work.run_words(), before=control, env={"TERM": "xterm"}, **streams)
    os.close(theirs)
    return process, ours


def shown(ours: int, process: subprocess.Popen[bytes], until: float) -> bytes:
    """What appears on the terminal until then, or until the run ends."""
    text = b""
    while time.monotonic() < until:
        if select.select([ours], [], [], 0.05)[0]:
            try:
                text += os.read(ours, 65536)
            except OSError:  # nobody holds the other end any more
                break
        elif process.poll() is not None:
            break
    return text


@fault("the terminal is closed", "a pseudo-terminal hangs up during the run", tries=4)
def terminal_closed(scene: Scene) -> str:
    with scene.work.nothing_left_running(10):
        process, ours = on_a_terminal(scene)
        shown(ours, process, time.monotonic() + scene.rng.uniform(1.0, RUN_S))
        os.close(ours)
        process.wait(timeout=20)
    scene.work.run().completed()
    scene.work.same(scene.undisturbed)
    return f"run and workers end; {AGAIN}"


@fault("the run is ended on a terminal", "Ctrl-C, SIGTERM or SIGHUP while progress is shown", tries=3)
def terminal_restored(scene: Scene) -> str:
    process, ours = on_a_terminal(scene)
    try:
        before = shown(ours, process, time.monotonic() + 2.2)
        process.send_signal((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[scene.number % 3])
        text = before + shown(ours, process, time.monotonic() + 15)
        process.wait(timeout=5)
    finally:
        os.close(ours)
    check(f"a traceback: {text[-300:]!r}", b"Traceback" not in text)
    check("the cursor stays hidden", text.rfind(HIDDEN) <= text.rfind(SHOWN))
    scene.work.run().completed()
    scene.work.same(scene.undisturbed)
    return f"the cursor is back; {AGAIN}"
