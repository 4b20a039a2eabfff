"""Starting a process as a terminal does."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from typing import Any


def in_foreground(command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    """A process in a group of its own that listens to Ctrl-C.

    A shell lets the processes it starts in the background ignore it, and their children inherit that: without this,
    tests of Ctrl-C would depend on how the tests were started.
    """

    def listen() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    return subprocess.Popen(command, text=True, start_new_session=True, preexec_fn=listen, **options)
