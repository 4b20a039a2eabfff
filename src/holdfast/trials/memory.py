"""Peak memory of one trial in a process that runs many."""

from __future__ import annotations

import sys
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """Peak resident bytes since construction.

    On Linux the kernel's high-water mark is reset first, so a later trial does not inherit an earlier one's peak.
    Elsewhere the mark of the whole process is all there is.
    """

    def __init__(self) -> None:
        try:
            CLEAR.write_text("5")
            self.resets = True
        except OSError:
            self.resets = False

    def bytes(self) -> int:
        """The peak so far."""
        if STATUS.exists():
            for line in STATUS.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        try:
            import resource
        except ImportError:  # Windows
            import psutil

            return int(psutil.Process().memory_info().peak_wset)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
