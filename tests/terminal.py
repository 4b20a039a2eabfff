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

DONE = b"\x01"
# Leads the session, says when the command is done and waits for a line: a terminal whose leader has gone is hung up,
# and what was written last can be lost. Ctrl-C reaches the command, and the leader waits for its end.
LEADER = 'trap : INT; "$@"; code=$?; printf "\\001" >/dev/tty; read -r _ </dev/tty; exit $code'
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
        return self._seen.partition(DONE)[0].decode("utf-8", "replace")

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
        self.press("\n")
        return self.process.wait(timeout=30)

    def _read_until(self, enough: Callable[[], bool], within_s: float) -> None:
        """Until it is enough, or nothing more can come."""
        end = time.monotonic() + within_s
        while not enough() and DONE not in self._seen and time.monotonic() < end:
            if select.select([self._ours], [], [], 0.1)[0]:
                self._seen += os.read(self._ours, 65536)


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
        ["/bin/sh", "-c", LEADER, "sh", *command], cwd=cwd, env={"TERM": "xterm", **environment}, text=True,
        start_new_session=True, preexec_fn=control, **used,
    )  # fmt: skip
    os.close(theirs)
    try:
        yield OnTerminal(process, ours)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(ours)
