"""What is packed into a ledger's rows comes back as it was."""

from __future__ import annotations

import base64
import json
import math
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.experiment import Record
from holdfast.ledger.packing import as_text, pack, unpack

names = st.text(min_size=1, max_size=5)
numbers = st.floats(allow_nan=False, allow_infinity=False)
units = st.lists(st.integers(0, 99) | names, min_size=1, max_size=5)


@st.composite
def per_unit(draw: Any) -> dict[str, Any]:
    cases = draw(units)
    width = draw(st.integers(0, 3))
    gap = st.none() | numbers
    one = gap if width == 0 else st.lists(gap, min_size=width, max_size=width)
    return {"values": [draw(one) for _ in cases], "units": cases}


records = st.builds(
    Record,
    key=st.just(""),
    arm=names,
    problem=names,
    point=st.dictionaries(names, numbers | names, max_size=2),
    replicate=st.none() | st.integers(0, 2000),
    status=st.just("ok"),
    scalars=st.dictionaries(names, numbers, max_size=3),
    cost=st.dictionaries(names, st.integers(0, 10**12).map(float), max_size=2),
    per_unit=st.dictionaries(names, per_unit(), max_size=2),
) | st.builds(
    Record, key=st.just(""), arm=names, problem=names, point=st.just({}), replicate=st.none(),
    status=st.just("failed"), error=st.text(),
)  # fmt: skip


@given(st.lists(records, max_size=6))
def test_rows_come_back(found: list[Record]) -> None:
    cases = {(r.arm, r.problem, metric) for r in found for metric in r.per_unit}
    rows = unpack(json.loads(as_text({**pack(found, cases), "verdicts": []})))
    back = [Record(key="", **row) for row in rows]
    assert len(back) == len(found)
    for old, new in zip(found, back, strict=True):
        for name in ("arm", "problem", "point", "replicate", "status", "scalars", "cost", "error"):
            assert getattr(new, name) == getattr(old, name)
        assert new.per_unit == old.per_unit


def test_only_the_cases_that_an_interval_needs_are_kept() -> None:
    kept = {"values": [1.0, 2.0], "units": [0, 1]}
    record = Record("", "a", "p", {}, 1, "ok", {"m": 1.5}, {"seconds": 1.23456789}, per_unit={"m": kept, "other": kept})
    row = unpack(pack([record], {("a", "p", "m"), ("a", "q", "other")}))[0]
    assert row["per_unit"] == {"m": kept}
    assert row["cost"] == {"seconds": 1.23457}


def test_cases_are_a_third_of_their_digits() -> None:
    values = [math.sin(i) for i in range(2000)]
    record = Record("", "a", "p", {}, 1, "ok", per_unit={"m": {"values": values, "units": list(range(2000))}})
    packed = as_text({**pack([record] * 8, {("a", "p", "m")}), "verdicts": []})
    assert len(packed) < 0.6 * 8 * len(json.dumps(values))
    assert unpack(json.loads(packed))[7]["per_unit"]["m"]["values"] == values


def test_a_record_is_a_line() -> None:
    found = [Record("", "a", "p", {"x": 1}, i, "ok", {"m": 0.5}) for i in range(3)]
    text = as_text({"system": "toy", **pack(found, ()), "verdicts": [{"text": "one"}, {"text": "two"}]})
    assert "[0,0,[1],2,[0.5],[]]\n]," in text
    assert '{"text":"one"},\n{"text":"two"}' in text


BOMB = base64.b64encode(zlib.compress(b"\0" * 10**7)).decode()


@pytest.mark.parametrize(
    "row",
    [
        [0], [5, 0, [], 1, [], []], ["a", 0, [], 1, [], []], [-1, 0, [], 1, [], []], [0, 0, [1], 1, [], []],
        [0, 0, [], 1, [1.0, 2.0], []], [0, 0, [], 1, [], [], {"cases": {"m": [0, 0, "no base64"]}}],
        [0, 0, [], 1, [], [], {"cases": {"m": [0, 0, BOMB]}}],
        [0, 0, [], 1, [], [], {"cases": {"m": [0, 10**9, BOMB]}}],
        [0, 0, [], 1, [], [], {"cases": {"m": [3, 0, BOMB]}}], [0, 0, [], 1, [], [], 7], None,
    ],
)  # fmt: skip
def test_rows_that_are_none_are_refused(row: Any) -> None:
    names = {"arms": ["a"], "problems": ["p"], "points": [], "scalars": ["m"], "costs": [], "cases": [[0, 1]]}
    with pytest.raises((LookupError, TypeError, ValueError)):
        unpack({"names": names, "records": [row]})
