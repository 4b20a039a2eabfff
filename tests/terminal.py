"""Starting a process as a terminal does."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"  # the cursor


def in_foreground(command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    """A process in a group of its own that listens to Ctrl-C.

    A shell lets the processes it starts in the background ignore it, and their children inherit that: without this,
    tests of Ctrl-C would depend on how the tests were started.
    """

    def listen() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    return subprocess.Popen(command, text=True, start_new_session=True, preexec_fn=listen, **options)


class OnTerminal:
    """A process with a terminal of its own."""

    def __init__(self, process: subprocess.Popen[str], ours: int) -> None:
        self.process, self._ours, self._seen = process, ours, b""

    @property
    def text(self) -> str:
        """All that has appeared there so far."""
        return self._seen.decode("utf-8", "replace")

    def press(self, keys: str) -> None:
        """Type, Ctrl-C being "\\x03"."""
        os.write(self._ours, keys.encode())

    def wait_for(self, words: str, within_s: float = 60.0) -> None:
        """Until the words appear.

        Raises:
            AssertionError: they do not, before the process ends.
        """
        self._read_until(lambda: words in self.text, within_s)
        assert words in self.text, f"{words!r} is not in ...{self.text[-500:]!r}"

    def ends(self, within_s: float = 60.0) -> int:
        """The exit code, once the process is done and all it wrote is in `text`."""
        self._read_until(lambda: False, within_s)
        return self.process.wait(timeout=30)

    def _read_until(self, enough: Callable[[], bool], within_s: float) -> None:
        """Until it is enough, or nothing more can come."""
        end = time.monotonic() + within_s
        while not enough() and time.monotonic() < end:
            over = self.process.poll() is not None  # asked first: what it wrote last is there by now
            if not self._read(0.1) and over:
                return

    def _read(self, wait_s: float) -> bool:
        if not select.select([self._ours], [], [], wait_s)[0]:
            return False
        try:
            piece = os.read(self._ours, 65536)
        except OSError:  # nobody holds the other end any more
            return False
        self._seen += piece
        return bool(piece)


@contextmanager
def on_terminal(
    command: Sequence[str], cwd: Path, env: Mapping[str, str], columns: int = 100, **streams: Any
) -> Iterator[OnTerminal]:
    """Run a command on a terminal; some of its streams may be elsewhere (`stdout=...`)."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))

    def control() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        fcntl.ioctl(2, termios.TIOCSCTTY, 0)

    used: dict[str, Any] = {"stdin": theirs, "stdout": theirs, "stderr": theirs, **streams}
    environment = {name: value for name, value in env.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        command, cwd=cwd, env={"TERM": "xterm", **environment}, text=True, start_new_session=True,
        preexec_fn=control, **used,
    )  # fmt: skip
    os.close(theirs)
    try:
        yield OnTerminal(process, ours)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(ours)
