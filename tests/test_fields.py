"""Declarations hold what their annotations say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from holdfast.errors import InputError
from holdfast.experiment import Arm, Metric, Scale, Tuning
from holdfast.fields import check_fields, check_kind


@dataclass(frozen=True)
class Everything:
    text: str = ""
    maybe: str | None = None
    whole: int = 0
    count: int | None = None
    limit: float | None = None
    flag: bool = False
    names: tuple[str, ...] | None = None
    one: str | tuple[str, ...] = ""
    values: dict[str, int] = field(default_factory=dict)  # passed over: no rule for it


WRONG: list[tuple[str, Any, str]] = [
    ("text", 1, "a text"),
    ("text", None, "a text"),
    ("maybe", 1, "a text or None"),
    ("whole", True, "a whole number"),
    ("whole", 1.0, "a whole number"),
    ("count", "1", "a whole number or None"),
    ("limit", float("nan"), "a finite number or None"),
    ("limit", 10**400, "a finite number or None"),
    ("flag", 1, "True or False"),
    ("names", "abc", "a tuple of names or None"),
    ("names", ("a", 1), "a tuple of names or None"),
    ("one", 7, "a name or several"),
]


@pytest.mark.parametrize(("name", "value", "rule"), WRONG)
def test_a_wrong_field_is_named(name: str, value: Any, rule: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"x: {name}: must be {rule}")):
        check_fields(Everything(**{name: value}), "x: ")


def test_right_fields_pass() -> None:
    check_fields(Everything())
    check_fields(Everything("a", "b", -1, 2, 0.5, True, ("c",), ["d", "e"], {"f": 1}))
    for declared in (Arm(Everything()), Metric("s"), Scale(replicates=3, time_limit_s=2), Tuning("m", "p")):
        check_fields(declared)


def test_a_wrong_kind_is_named() -> None:
    check_kind(Metric(), Metric, "metric")
    with pytest.raises(InputError, match="metric: must be a Metric; received 3"):
        check_kind(3, Metric, "metric")
