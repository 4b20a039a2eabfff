"""What a record read from a file may hold: a store or ledger can be a stranger's, and JSON holds anything."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from holdfast.experiment import Record

Check = Callable[[Any], bool]


def check_record(record: Record) -> None:
    """Raise TypeError, naming the field, unless every field of the record holds what `Record` says it does.

    Example:
        >>> check_record(Record("k", "arm", "problem", {}, 0, "ok", {"score": "high"}))
        Traceback (most recent call last):
        TypeError: scalars must map names to finite numbers
    """
    for name, (check, rule) in _FIELDS.items():
        if not check(getattr(record, name)):
            raise TypeError(f"{name} must {rule}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return (isinstance(value, float) and math.isfinite(value)) or (_is_whole(value) and abs(value) < 10**300)


def _is_gap_or_number(value: Any) -> bool:
    return value is None or _is_number(value)


def _maps(check: Check) -> Check:
    return lambda value: isinstance(value, Mapping) and all(_is_text(k) and check(v) for k, v in value.items())


def _lists(check: Check) -> Check:
    return lambda value: isinstance(value, list | tuple) and all(map(check, value))


def _is_curve(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and _lists(_is_number)(value.get("x"))
        and _lists(_is_gap_or_number)(value.get("y"))
        and len(value["x"]) == len(value["y"])
        and _is_text(value.get("x_label"))
    )


def _is_rectangle(value: Any) -> bool:
    """Several numbers a case, as many in each."""
    return _lists(_lists(_is_gap_or_number))(value) and len({len(case) for case in value}) == 1


def _is_per_unit(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and (_lists(_is_gap_or_number)(found := value.get("values")) or _is_rectangle(found))
        and _lists(lambda unit: _is_text(unit) or _is_whole(unit))(value.get("units"))
        and len(value["values"]) == len(value["units"])
    )


_FIELDS: dict[str, tuple[Check, str]] = {
    "key": (_is_text, "be a text"),
    "arm": (_is_text, "be a text"),
    "problem": (_is_text, "be a text"),
    "point": (_maps(lambda v: _is_text(v) or _is_number(v) or isinstance(v, bool)), "map names to numbers or words"),
    "replicate": (lambda v: v is None or _is_whole(v), "be a whole number or null"),
    "status": (lambda v: v in ("ok", "failed"), "be ok or failed"),
    "scalars": (_maps(_is_number), "map names to finite numbers"),
    "cost": (_maps(_is_number), "map names to finite numbers"),
    "curves": (_maps(_is_curve), "map names to curves"),
    "per_unit": (_maps(_is_per_unit), "map names to values and units"),
    "artifacts": (_lists(_maps(_is_text)), "list artifacts"),
    "error": (_is_text, "be a text"),
}


__all__ = ["check_record"]
