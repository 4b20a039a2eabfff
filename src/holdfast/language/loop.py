"""One event loop in a thread of its own, so that asynchronous requests can be made from anywhere.

Notebooks run a loop already, and mappers are called by an engine that knows nothing of loops. Connections stay open
between calls because the loop does.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError
from typing import Any, TypeVar

T = TypeVar("T")


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="holdfast-requests", daemon=True).start()
    return loop


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, from code that is not asynchronous; an interruption cancels it.

    Example:
        >>> async def answer():
        ...     return 42
        >>> wait_for(answer())
        42
    """
    future = asyncio.run_coroutine_threadsafe(work, _loop())
    try:
        return future.result()
    except (KeyboardInterrupt, SystemExit):
        future.cancel()
        raise
    except CancelledError as error:
        raise RuntimeError("the work was cancelled") from error


__all__ = ["wait_for"]
