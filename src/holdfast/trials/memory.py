"""Peak memory of one trial in a process that runs many."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """Peak resident bytes since construction, without what happened `aside`.

    On Linux the kernel's high-water mark is reset first, so a later trial does not inherit an earlier one's peak.
    Elsewhere the mark of the whole process is all there is.
    """

    def __init__(self) -> None:
        self._before = 0
        _reset()

    def bytes(self) -> int:
        """The peak so far."""
        return max(self._before, _high_water())

    @contextmanager
    def aside(self) -> Iterator[None]:
        """The block's memory does not count, unless it is still held when the block ends."""
        self._before = self.bytes()
        try:
            yield
        finally:
            _reset()


def _reset() -> bool:
    try:
        CLEAR.write_text("5")  # see proc(5): resets the peak resident set size
    except OSError:
        return False
    return True


def _high_water() -> int:
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
