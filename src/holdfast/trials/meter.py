"""What a trial costs, without the work it shares with others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from holdfast.trials.memory import PeakMemory


class Meter:
    """Seconds and peak bytes since construction."""

    def __init__(self) -> None:
        self._memory = PeakMemory()
        self._start, self._aside = time.perf_counter(), 0.0

    def read(self) -> dict[str, float]:
        """The cost so far: "seconds" and "peak_bytes"."""
        spent = time.perf_counter() - self._start - self._aside
        return {"seconds": spent, "peak_bytes": float(self._memory.bytes())}

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What happens in the block is not counted."""
        start = time.perf_counter()
        try:
            with self._memory.aside():
                yield
        finally:
            self._aside += time.perf_counter() - start
