"""Settings as JSON."""

from __future__ import annotations

import enum
import json
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.canonical import canonical, digest, dumps, qualified_name
from holdfast.errors import InputError


class Colour(enum.Enum):
    RED = "r"


class Level(enum.IntEnum):
    LOW = 1


@dataclass(frozen=True)
class Inner:
    rate: float = 0.1


@dataclass(frozen=True)
class Outer:
    inner: Inner
    how: Any = None


@dataclass(frozen=True)
class Named:
    type: str


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_json_stays_what_it_is(value: Any) -> None:
    assert canonical(value) == value
    assert json.loads(dumps(value)) == value
    assert digest(json.loads(dumps(value))) == digest(value)


@given(st.dictionaries(st.text(), st.integers()))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    assert dumps(dict(reversed(value.items()))) == dumps(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, 2), [1, 2]),
        ({3, 1, 2}, [1, 2, 3]),
        (PurePosixPath("/a b/c"), "/a b/c"),
        (Colour.RED, "r"),
        (Level.LOW, 1),
        (math.inf, "inf"),
        (np.float64("nan"), "nan"),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (torch.tensor(2), 2),
        (Outer(Inner()), {"type": "Outer", "inner": {"type": "Inner", "rate": 0.1}, "how": None}),
        (Inner, "test_canonical:Inner"),
        (json.dumps, "json:dumps"),
        (math.sin, "math:sin"),
        ({2: "b", "1": "a"}, {"1": "a", "2": "b"}),
    ],
)
def test_what_settings_are_made_of(value: Any, expected: Any) -> None:
    found = canonical(value)
    assert str(found).replace(f"{__name__}:", "test_canonical:") == str(expected)
    json.loads(dumps(value))


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (lambda: 1, "how"),
        ([np.zeros(2)], r"how\[0\]"),
        ({"k": torch.zeros(1, 1)}, r"how\.k"),
        (Inner().__init__, "how"),
        ([].append, "how"),
        (partial(print), "how"),
        (b"bytes", "how"),
    ],
)
def test_what_has_no_identity_is_refused_by_its_place(value: Any, where: str) -> None:
    with pytest.raises(InputError, match=rf"arm 'x'\.{where}: must be made of"):
        canonical(Outer(Inner(), value), "arm 'x'")


def test_what_would_collide_is_refused() -> None:
    with pytest.raises(InputError, match="differ as strings"):
        canonical({1: "a", "1": "b"})
    with pytest.raises(InputError, match=r"value\.type: is no name for a field"):
        canonical(Named("x"))


def test_different_settings_have_different_digests() -> None:
    values = [Inner(), Inner(0.2), Outer(Inner()), [1, [2]], [[1], 2], "1", 1, None, "None", Path, Inner]
    assert len({digest(v) for v in values}) == len(values)


def test_a_qualified_name_is_one_that_can_be_imported() -> None:
    assert qualified_name(Outer.__init__) is not None
    assert qualified_name(3) is None
    assert qualified_name(dict.fromkeys) is None  # bound to its class: a subclass's would have the same name
