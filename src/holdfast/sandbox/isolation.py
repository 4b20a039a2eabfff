"""What the operating system takes away from the child process before it sees a program.

`isolate` cannot be undone by the process: no file can be opened any more, whatever library asks for it (the number of
open files is limited to those that are open), none can grow, no memory is dumped. `memory` is set around each request.
Where a limit does not exist (Windows, and the address space on macOS), the parent's watch over the child's memory and
its clock remain, and what the child enforces itself.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Sandbox:
    """Limits on the current process."""

    def __init__(self) -> None:
        self._resource: Any = None
        if os.name == "posix":
            import resource

            self._resource = resource
        self._statm = os.open("/proc/self/statm", os.O_RDONLY) if sys.platform == "linux" else None

    def isolate(self) -> None:
        """Take away what no request needs. Call it once everything is imported and opened."""
        if (resource := self._resource) is None:
            return
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write that may not be fails instead of killing
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    @contextmanager
    def memory(self, megabytes: int) -> Iterator[None]:
        """At most so many megabytes more than now."""
        if self._resource is None or self._statm is None:
            yield
            return
        kind = self._resource.RLIMIT_AS
        soft, hard = self._resource.getrlimit(kind)
        now = int(os.pread(self._statm, 200, 0).split()[0]) * PAGE
        self._resource.setrlimit(kind, (now + megabytes * 2**20, hard))
        try:
            yield
        finally:
            self._resource.setrlimit(kind, (soft, hard))

    @contextmanager
    def alarm(self, seconds: float) -> Iterator[None]:
        """The kernel ends the process if it takes that long, also inside a library that looks at no clock."""
        if not hasattr(signal, "setitimer"):
            yield
            return
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


__all__ = ["Sandbox"]
