"""Regular expressions under a clock.

Some expressions take for ever on some texts, and texts come from strangers. Nothing interrupts Python's `re` from
outside but the end of its process, so it has one of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from typing import IO

from holdfast.errors import HoldfastError
from holdfast.sandbox.processes import end

SEARCH = """
import json, re, sys
for line in sys.stdin:
    pattern, texts = json.loads(line)
    found = map(re.compile(pattern, re.IGNORECASE).search, texts)
    print(json.dumps([None if m is None else m.re.groups and m[1] or "" for m in found]), flush=True)
"""


class PatternTimeout(HoldfastError):
    """An expression took longer than it may."""


class Searcher:
    """Searches texts for regular expressions, in any case, in a process that starts with the first search.

    Example:
        >>> Searcher().search(r"([0-9]+) ft", ["about 20 FT", "?"], seconds=10)
        ['20', None]
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._end: weakref.finalize[..., object] | None = None
        self._lock = threading.Lock()

    def search(self, pattern: str, texts: Sequence[str], seconds: float) -> list[str | None]:
        """What the first group finds in each text ("" if there is no group, or it takes no part); None = no match.

        Raises:
            PatternTimeout: it took longer than that many seconds for all of them.
        """
        with self._lock:
            process = self._process or self._start()
            try:
                process.stdin.write(json.dumps([pattern, list(texts)]) + "\n")  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]
                reply = self._replies.get(timeout=seconds)
            except (queue.Empty, OSError):
                reply = ""
            if not reply:
                self.close()
                what = f"regular expression {pattern!r}: takes longer than {seconds:g} s on {len(texts)} rows"
                raise PatternTimeout(f"{what}; make it simpler, such as without a repetition inside of a repetition")
            found: list[str | None] = json.loads(reply)
            return found

    def _start(self) -> subprocess.Popen[str]:
        kept = {name: os.environ[name] for name in ("SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", SEARCH], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=kept, text=True, encoding="ascii"
        )  # fmt: skip
        self._replies: queue.Queue[str] = queue.Queue()
        self._process, self._end = process, weakref.finalize(self, end, process)
        threading.Thread(target=_listen, args=(process.stdout, self._replies), daemon=True).start()
        return process

    def close(self) -> None:
        """End the process; the next search starts another."""
        if self._end is not None:
            self._end()
        self._process = None


def _listen(stream: IO[str], replies: queue.Queue[str]) -> None:
    with contextlib.suppress(OSError, ValueError):  # closed while we wait
        for line in stream:
            replies.put(line)
    replies.put("")


__all__ = ["PatternTimeout", "Searcher"]
