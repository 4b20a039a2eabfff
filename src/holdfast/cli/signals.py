"""Signals that ask a program to end."""

from __future__ import annotations

import signal
from typing import Any, ClassVar


class Signals:
    """SIGTERM and SIGHUP end a run as Ctrl-C does: what has finished is kept, and the terminal is given back whole."""

    received: ClassVar[int | None] = None

    @classmethod
    def listen(cls) -> None:
        """From here on. A signal that is ignored, as under nohup, stays ignored."""
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, cls.end)

    @classmethod
    def end(cls, number: int, frame: Any) -> None:
        """The handler."""
        cls.received = number
        raise KeyboardInterrupt

    @classmethod
    def code(cls, code: int) -> int:
        """The exit code, as shells count: 128 and the signal's number."""
        return 128 + cls.received if cls.received is not None and code == 130 else code
