"""Running programs of answers, where the user allows it."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from holdfast.sandbox import Child
from holdfast.sandbox.wire import Failure
from holdfast.systems.chatgpt_failures.tool.checkers import ProgramFailed

CHILD = "holdfast.systems.chatgpt_failures.tool.program_child"
SECONDS = 5.0
MEMORY_BYTES = 2**30


def run_program(code: str, function: str, calls: list[list[Any]]) -> list[Any]:
    """What a function of a program gives for each list of arguments; a process of its own for each program.

    Raises:
        ProgramFailed: it raised, took too long, took too much memory, or gave what is no JSON.
    """
    try:
        with closing(Child(CHILD, "program")) as child:
            reply = child.ask(SECONDS, MEMORY_BYTES, code=code, function=function, calls=calls)
    except Failure as failure:
        raise ProgramFailed(str(failure)) from None
    results = reply.get("results")
    if not isinstance(results, list) or len(results) != len(calls):
        raise ProgramFailed("it broke what runs it")
    return results


__all__ = ["run_program"]
