"""Calling a Python function that a stranger wrote, in a process that can reach nothing."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from holdfast.errors import HoldfastError
from holdfast.sandbox.child import Child
from holdfast.sandbox.wire import Failure

CHILD = "holdfast.sandbox.function_child"
SECONDS = 5.0
MEMORY_BYTES = 2**30


class FunctionFailed(HoldfastError):
    """A function raised, took too long, took too much memory, or gave what is no JSON."""


def call_function(code: str, function: str, calls: list[list[Any]], seconds: float = SECONDS) -> list[Any]:
    """What a function of a program gives for each list of arguments; a new process for each program.

    Args:
        code: the program.
        function: name of a function that it defines.
        calls: arguments of each call, as JSON has them.
        seconds: for all calls together.

    Returns:
        Results as JSON has them (tuples are lists).

    Raises:
        FunctionFailed: says why.

    Example:
        >>> call_function("def twice(x): return 2 * x", "twice", [[2], ["ab"]])
        [4, 'abab']
    """
    try:
        with closing(Child(CHILD, "function")) as child:
            reply = child.ask(seconds, MEMORY_BYTES, code=code, function=function, calls=calls)
    except Failure as failure:
        raise FunctionFailed(str(failure)) from None
    results = reply.get("results")
    if not isinstance(results, list) or len(results) != len(calls):
        raise FunctionFailed("it broke what runs it")
    return results


__all__ = ["FunctionFailed", "call_function"]
