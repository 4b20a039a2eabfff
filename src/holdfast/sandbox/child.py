"""The parent's side of a child process: starts it without an environment, asks it things, keeps clock and memory."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
import weakref
from typing import IO, Any

from holdfast.sandbox.processes import end
from holdfast.sandbox.wire import Failure, receive_reply, send_request

START = "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from {0} import main; main(sys.argv[2])"
KEPT_VARIABLES = (
    "SYSTEMROOT",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "TZ",
    "LANG",
    "LC_ALL",
    "COVERAGE_PROCESS_START",
)
LOOK_S = 0.05
GRACE_S = 1.0  # a child that keeps its own clock is given so much longer
START_S = 60.0


class Child:
    """A process that runs `main(argument)` of a module, which answers requests by `serving.serve`.

    Not for several threads at once. `close` ends the process; so does forgetting the object.

    Args:
        module: the child's; imported there.
        argument: for its `main`, which says it back when it is ready.

    Raises:
        Failure: it does not start.
    """

    def __init__(self, module: str, argument: str) -> None:
        environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        environment |= {"OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
        command = [sys.executable, "-I", "-c", START.format(module), json.dumps(sys.path), argument]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
            cwd=os.sep
        )  # fmt: skip
        self._replies: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._end = weakref.finalize(self, end, self._process)
        threading.Thread(target=_listen, args=(self._process.stdout, self._replies), daemon=True).start()
        if self._reply(START_S, None) != {"ready": argument}:
            self.close()
            raise Failure("ended", "its process did not start")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, seconds: float, most_bytes: int | None = None, **request: Any) -> dict[str, Any]:
        """The reply to a request.

        Args:
            seconds: that the reply may take; the child is told, and killed a little later.
            most_bytes: of memory that the process may take while it works; None = any.
            request: what the child's `main` understands.

        Raises:
            Failure: what the child says; or of kind "timeout", "memory" or "ended", after which there is no child.
        """
        try:
            if not self.alive:
                raise BrokenPipeError
            send_request(self._process.stdin, {**request, "seconds": seconds})  # type: ignore[arg-type]
        except (OSError, ValueError):
            self.close()
            raise Failure("ended", "its process has ended") from None
        try:
            reply = self._reply(seconds + GRACE_S, most_bytes)
        except BaseException:  # the reply would be taken for that to the next request
            self.close()
            raise
        if "failed" in reply:
            raise Failure(str(reply["failed"]), str(reply.get("reason", "")), str(reply.get("detail", "")))
        return reply

    def close(self) -> None:
        """End the process."""
        self._end()

    def _reply(self, seconds: float, most_bytes: int | None) -> dict[str, Any]:
        late = time.monotonic() + seconds
        while True:
            try:
                reply = self._replies.get(timeout=LOOK_S)
                break
            except queue.Empty:
                if time.monotonic() > late:
                    raise Failure("timeout", "it took too long; its process was killed") from None
                if most_bytes is not None and self._used() > most_bytes:
                    raise Failure("memory", "it needs more memory than it may; its process was killed") from None
        if reply is None:
            reason = "its process died: it needs more memory than it may, or breaks what runs it"
            raise Failure("memory", reason)
        return reply

    def _used(self) -> int:
        import psutil

        try:
            return int(psutil.Process(self._process.pid).memory_info().rss)
        except psutil.Error:
            return 0


def _listen(stream: IO[bytes], replies: queue.Queue[dict[str, Any] | None]) -> None:
    while True:
        try:
            reply = receive_reply(stream)
        except (OSError, ValueError):
            reply = None
        replies.put(reply)
        if reply is None:
            return


__all__ = ["Child"]
