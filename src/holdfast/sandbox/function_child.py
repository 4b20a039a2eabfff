"""The child's side of calling a function of a stranger: no file, no process, no network, few modules.

The operating system refuses files and sockets (no descriptor can be opened) and new processes; memory and time are
limited. On top of it the program sees only a list of modules, which were imported before. Python's own restrictions can
be broken; the limits of the system cannot be lifted from inside.
"""

from __future__ import annotations

import builtins
import importlib
import json
import os
from typing import Any

from holdfast.sandbox.isolation import Sandbox
from holdfast.sandbox.serving import serve
from holdfast.sandbox.wire import Failure, Refused

resource: Any = importlib.import_module("resource") if os.name == "posix" else None

MODULES = (
    "bisect", "collections", "copy", "datetime", "functools", "heapq", "itertools", "json", "math", "operator",
    "random", "re", "statistics", "string", "typing",
)  # fmt: skip
TAKEN = ("open", "input", "breakpoint", "exit", "quit", "help", "__import__")
MEMORY_MB = 256
GRACE_S = 5.0  # the parent's clock ends it before; this is for a parent that is gone


def main(name: str) -> None:
    """Answer one request: {code, function, calls} -> {results}."""
    known = {module: importlib.import_module(module) for module in MODULES}
    sandbox = Sandbox()

    def importing(module: str, *arguments: Any) -> Any:
        if module not in known:
            raise ImportError(f"only {', '.join(known)} can be imported")
        return known[module]

    def handle(request: dict[str, Any]) -> dict[str, Any]:
        sandbox.isolate()  # `serve` has its files by now
        if resource is not None:
            resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        allowed = {key: value for key, value in vars(builtins).items() if key not in TAKEN}
        scope: dict[str, Any] = {"__builtins__": {**allowed, "__import__": importing}, "__name__": "function"}
        with sandbox.memory(MEMORY_MB), sandbox.alarm(request["seconds"] + GRACE_S):
            try:
                exec(compile(request["code"], "<function>", "exec"), scope)
                results = [plain(scope[request["function"]](*call)) for call in request["calls"]]
            except (Refused, MemoryError):
                raise
            except BaseException as error:  # noqa: BLE001  whatever a stranger's program raises is its answer
                raise Failure("error", f"{type(error).__name__}: {str(error)[:200]}") from None
        return {"results": results}

    serve(name, handle)


def plain(value: Any) -> Any:
    """A result as JSON has it."""
    return json.loads(json.dumps(value))


__all__ = ["main"]
