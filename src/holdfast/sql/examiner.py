"""The child process that reads programs: a parser may take for ever, or all memory. Started by `reading`."""

from __future__ import annotations

from typing import Any

from holdfast.errors import InputError
from holdfast.sandbox.isolation import Sandbox
from holdfast.sandbox.serving import serve
from holdfast.sandbox.wire import Failure
from holdfast.sql.guard import UnsafeProgram, examine
from holdfast.sql.tokens import ParseError

DIALECTS = ("sqlite", "duckdb")
# Whatever the parser imports when it is first needed must be there before files are out of reach.
WARM = (
    "SELECT MAX(a), CAST(b AS INT) FROM w WHERE c IN (1) OR d LIKE 'x%' ORDER BY 1 LIMIT 2",
    "SELECT 'x' IN 'y'",
    "(",
)
GRACE_S = 2.0
SPARE_MB = 64  # for the interpreter itself


def main(name: str) -> None:
    """Serve requests until the parent closes the pipe."""
    sandbox = Sandbox()
    for dialect in DIALECTS:
        for sql in WARM:
            perform({"sql": sql, "dialect": dialect}, told=False)

    def handle(request: dict[str, Any]) -> dict[str, Any]:
        sandbox.isolate()  # `serve` has its files by now
        with sandbox.alarm(float(request["seconds"]) + GRACE_S), sandbox.memory(request["megabytes"] + SPARE_MB):
            return perform(request)

    serve(name, handle)


def perform(request: dict[str, Any], told: bool = True) -> dict[str, Any]:
    """The reply to one request."""
    try:
        return {"stars": examine(request["sql"], request["dialect"])}
    except ParseError as error:
        failure = Failure("syntax", error.rule, str(error.position))
    except UnsafeProgram as error:
        failure = Failure("unsafe", error.rule, error.received)
    except InputError as error:
        failure = Failure("input", error.rule, str(error.received))
    except RecursionError:
        failure = Failure("unsafe", "must not be nested that deeply", request["sql"][:100])
    if told:
        raise failure
    return {}


__all__ = ["main"]
