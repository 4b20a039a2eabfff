"""The child's side: reads requests, has them handled, replies, until the parent closes the pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from holdfast.sandbox.wire import Failure, receive_request, send_reply


def serve(ready: str, handle: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Serve the parent that started this process, and nobody else.

    Args:
        ready: what the parent waits for: the argument that `main` was given.
        handle: request -> reply, both of plain values. What it raises as a `Failure` is told to the parent, and so is
            what Python raises where values do not fit.
    """
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not land between replies
    send_reply(replies, {"ready": ready})
    while (request := receive_request(requests)) is not None:
        try:
            reply = handle(request)
        except Failure as failure:
            reply = {"failed": failure.kind, "reason": failure.reason, "detail": failure.detail}
        except MemoryError:
            reply = {"failed": "memory", "reason": "it needs more memory than it may", "detail": ""}
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            reply = {"failed": "error", "reason": f"{type(error).__name__}: {error}", "detail": ""}
        send_reply(replies, reply)


__all__ = ["serve"]
