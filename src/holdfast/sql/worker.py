"""The child process: reads requests, runs them in an engine, replies. Started by `session` and by nothing else."""

from __future__ import annotations

import base64
import math
from array import array
from typing import Any

from holdfast.sandbox.isolation import Sandbox
from holdfast.sandbox.serving import serve

REPLY_BYTES = 64 * 2**20
SPARE_MB = 64  # for the interpreter itself, to turn rows into a reply
GRACE_S = 2.0


def make_engine(name: str) -> Any:
    """The engine by its name, with all that it imports."""
    if name == "duckdb":
        from holdfast.sql.duck import DuckDB

        return DuckDB()
    from holdfast.sql.sqlite import SQLite

    return SQLite()


def perform(engine: Any, sandbox: Sandbox, request: dict[str, Any]) -> dict[str, Any]:
    """The reply to one request."""
    do, seconds = request["do"], float(request["seconds"])
    with sandbox.alarm(seconds + GRACE_S), engine.until(seconds):
        if do == "load":
            load(engine, sandbox, request)
        elif do == "run":
            return {"rows": [engine.run(sql) for sql in request["statements"]][-1]}
        elif do == "column":
            return encoded(engine.run(request["sql"]))
        elif do == "fill":
            engine.fill(request["table"], request["column"], request["batch"])
        else:
            with sandbox.memory(request["megabytes"] + SPARE_MB):
                return program(engine, do, request)
    return {}


def load(engine: Any, sandbox: Sandbox, request: dict[str, Any]) -> None:
    """A part of a table; the first brings the columns, the last ends the loading."""
    if "columns" in request:
        engine.open(request["columns"], request["megabytes"], request["threads"])
        sandbox.isolate()  # before there is a program, and once and for all
    engine.insert(request["rows"])
    if request["last"]:
        engine.loaded()


def encoded(rows: list[list[Any]]) -> dict[str, Any]:
    """A column as its different values and the place among them of each row's: generated columns repeat themselves."""
    cells = [cell for (cell,) in rows]
    places = {cell: place for place, cell in enumerate(dict.fromkeys(cells))}
    codes = array("I", map(places.__getitem__, cells))
    return {"values": list(places), "codes": base64.b64encode(codes.tobytes()).decode("ascii")}


def program(engine: Any, do: str, request: dict[str, Any]) -> dict[str, Any]:
    """What a stranger's query is wanted for."""
    if do == "check":
        return {"columns": engine.check(request["sql"])}
    if do == "stage":
        engine.stage(request["name"], request["sql"])
        return {}
    columns, rows = engine.query(request["sql"], request["count"], REPLY_BYTES)
    return {"columns": columns, "rows": [[_plain(cell) for cell in row] for row in rows]}


def _plain(cell: Any) -> Any:
    """A cell as JSON and tables know it; infinities as text and NaN as nothing, as in tables that are read."""
    if cell is None or isinstance(cell, str | int):
        return cell if not isinstance(cell, bool) else int(cell)
    try:
        real = float(cell)  # DECIMAL too
    except (TypeError, ValueError):
        return str(cell)
    if not math.isfinite(real):
        return None if math.isnan(real) else str(real)
    return real if isinstance(cell, float) or not real.is_integer() else int(cell)


def main(name: str) -> None:
    """Serve requests until the parent closes the pipe."""
    engine, sandbox = make_engine(name), Sandbox()
    serve(name, lambda request: perform(engine, sandbox, request))


__all__ = ["main"]
