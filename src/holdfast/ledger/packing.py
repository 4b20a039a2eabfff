"""Records in little space: a record a line, names once, values per case packed; nothing is lost but digits of costs.

A ledger's file holds `names` (of arms, problems, swept parameters, metrics, costs, and the lists of cases) and
`records`, each a list

    [arm, problem, [point], replicate, [scalars], [costs], {more}]

whose first two are places in the lists of names, and whose `more`, left out where it is empty, holds `cases` (metric ->
[place in the lists of cases, numbers a case, float64 in base64]) and, of a trial that failed, its `error`.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from holdfast.canonical import canonical
from holdfast.experiment import Record

Case = tuple[str, str, str]  # names of an arm, a problem and a metric
COST_DIGITS = 6
LARGEST = 50_000_000  # bytes that the values of one record may unpack to


def pack(records: Sequence[Record], cases: Collection[Case]) -> dict[str, Any]:
    """`names` and `records` of a ledger's file.

    Args:
        records: of a finished run.
        cases: where values per case are kept: those that an interval of some claim needs.
    """
    names: dict[str, list[Any]] = {
        "arms": _first_seen(r.arm for r in records),
        "problems": _first_seen(r.problem for r in records),
        "points": _first_seen(name for r in records for name in r.point),
        "scalars": _first_seen(name for r in records for name in r.scalars),
        "costs": _first_seen(name for r in records for name in r.cost),
        "cases": [],
    }
    return {"names": names, "records": [_row(record, names, cases) for record in records]}


def _first_seen(names: Any) -> list[str]:
    return list(dict.fromkeys(names))


def _row(record: Record, names: Mapping[str, list[Any]], cases: Collection[Case]) -> list[Any]:
    more: dict[str, Any] = {}
    kept = {m: v for m, v in record.per_unit.items() if (record.arm, record.problem, m) in cases}
    if kept:
        more["cases"] = {metric: _packed(found, names["cases"]) for metric, found in kept.items()}
    if record.status != "ok":
        more["error"] = record.error
    row = [
        names["arms"].index(record.arm),
        names["problems"].index(record.problem),
        [canonical(record.point.get(name)) for name in names["points"]],
        record.replicate,
        [record.scalars.get(name) for name in names["scalars"]],
        [_short(record.cost.get(name)) for name in names["costs"]],
    ]
    return [*row, more] if more else row


def _short(cost: float | None) -> float | int | None:
    if cost is None:
        return None
    if float(cost).is_integer():
        return int(cost)
    return float(f"{cost:.{COST_DIGITS}g}")


def _packed(found: Mapping[str, Any], lists: list[Any]) -> list[Any]:
    import numpy as np

    units = list(found["units"])
    if units not in lists:
        lists.append(units)
    values = np.array([[math.nan if v is None else v for v in _many(case)] for case in found["values"]], "<f8")
    width = len(_many(found["values"][0])) if found["values"] and isinstance(found["values"][0], list | tuple) else 0
    # Bytes of the same significance together: they repeat, and so are packed.
    data = zlib.compress(values.reshape(-1).view("u1").reshape(-1, 8).T.tobytes(), 9)
    return [lists.index(units), width, base64.b64encode(data).decode()]


def _many(case: Any) -> Sequence[Any]:
    return case if isinstance(case, list | tuple) else [case]


def unpack(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The records of a ledger's file as mappings, a field a key.

    Ledgers from before rows were packed hold such mappings already.

    Raises:
        KeyError, TypeError, ValueError, IndexError: the file holds something else.
    """
    rows = content["records"]
    if "names" not in content:
        return list(rows)
    names = content["names"]
    return [_unpacked(row, names) for row in rows]


def _unpacked(row: Sequence[Any], names: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    arm, problem, point, replicate, scalars, costs, *rest = row
    more = rest[0] if rest else {}
    record = {
        "arm": names["arms"][_place(arm)],
        "problem": names["problems"][_place(problem)],
        "point": _named(names["points"], point),
        "replicate": replicate,
        "status": "failed" if "error" in more else "ok",
        "scalars": _named(names["scalars"], scalars),
        "cost": _named(names["costs"], costs),
    }
    if "cases" in more:
        record["per_unit"] = {metric: _cases(kept, names["cases"]) for metric, kept in more["cases"].items()}
    if "error" in more:
        record["error"] = more["error"]
    return record


def _place(number: Any) -> int:
    if not isinstance(number, int) or number < 0:
        raise TypeError("a place in a list of names must be a whole number")
    return number


def _named(names: Sequence[Any], values: Sequence[Any]) -> dict[str, Any]:
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


def _cases(kept: Sequence[Any], lists: Sequence[Any]) -> dict[str, Any]:
    import numpy as np

    place, width, text = kept
    units = list(lists[_place(place)])
    expected = 8 * len(units) * max(1, _place(width))
    if expected > LARGEST:
        raise ValueError("too many values per case")
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(base64.b64decode(text, validate=True), expected + 1)
    except (zlib.error, binascii.Error) as error:
        raise ValueError("values per case must be packed as holdfast packs them") from error
    if len(data) != expected:
        raise ValueError("there must be as many values as cases")
    values = np.frombuffer(data, "u1").reshape(8, -1).T.copy().view("<f8").reshape(-1)
    numbers = [None if math.isnan(v) else v for v in values.tolist()]
    if width:
        return {"values": [numbers[i : i + width] for i in range(0, len(numbers), width)], "units": units}
    return {"values": numbers, "units": units}


def as_text(content: Mapping[str, Any]) -> str:
    """A ledger's file: strict JSON, each record and each verdict on a line of its own.

    Example:
        >>> print(as_text({"system": "toy", "records": [[0, 1], [0, 2]], "verdicts": []}), end="")
        {
        "system": "toy",
        "records": [
        [0,1],
        [0,2]
        ],
        "verdicts": []
        }
    """
    parts = []
    for name, value in content.items():
        if name in ("records", "verdicts") and value:
            inside = ",\n".join(_line(item) for item in value)
            parts.append(f"{_line(name)}: [\n{inside}\n]")
        else:
            parts.append(f"{_line(name)}: {_line(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


__all__ = ["Case", "as_text", "pack", "unpack"]
