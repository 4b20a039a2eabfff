"""Valid things, changed a little: what random inputs hardly ever are is almost right."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from fuzz.words import NASTY, SIZES

LEAVES: tuple[Any, ...] = (
    *NASTY,
    *SIZES,
    None,
    True,
    False,
    0.5,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    [{}],
    {"": 0},
)


def changed(valid: Any) -> st.SearchStrategy[Any]:
    """JSON like `valid` with one to three places replaced, removed, doubled, renamed or nested."""
    return st.builds(_changed, st.just(valid), st.integers(0, 2**32), st.integers(1, 3))


def _changed(valid: Any, seed: int, times: int) -> Any:
    rng, value = random.Random(seed), copy.deepcopy(valid)
    for _ in range(times):
        if rng.random() < 0.02:
            return rng.choice(LEAVES)
        places = list(_places(value))
        if places:
            _change(*rng.choice(places), rng)
    return value


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key), larger containers thinned out so that long lists of numbers do not draw all changes."""
    if isinstance(value, dict | list):
        keys = list(value) if isinstance(value, dict) else list(range(min(len(value), 6)))
        for key in keys:
            yield value, key
            yield from _places(value[key])


def _change(container: Any, key: Any, rng: random.Random) -> None:
    kind = rng.randrange(6)
    if kind == 0:
        del container[key]
    elif kind == 1 and isinstance(container, dict):
        container[str(rng.choice(NASTY))] = container.pop(key)
    elif kind == 2 and isinstance(container, dict):
        container[str(rng.choice(NASTY))] = rng.choice(LEAVES)
    elif kind == 3:
        container[key] = [container[key]] * rng.choice((1, 2, 50))
    elif kind == 4 and isinstance(container, list):
        container.insert(key, rng.choice(LEAVES))
    else:
        container[key] = rng.choice(LEAVES)


def damaged(valid: bytes) -> st.SearchStrategy[bytes]:
    """The bytes cut off, with bytes changed, doubled, or with something else in between."""
    length = len(valid)
    cut = st.integers(0, max(length - 1, 0)).map(lambda n: valid[:n])
    places = st.lists(st.tuples(st.integers(0, max(length - 1, 0)), st.integers(0, 255)), min_size=1, max_size=4)
    changed_bytes = places.map(lambda changes: _with(valid, changes))
    inserted = st.tuples(st.integers(0, length), st.binary(max_size=40)).map(
        lambda where: valid[: where[0]] + where[1] + valid[where[0] :]
    )
    return st.one_of(cut, changed_bytes, inserted, st.just(valid * 2), st.binary(max_size=200))


def _with(valid: bytes, changes: list[tuple[int, int]]) -> bytes:
    new = bytearray(valid)
    for place, byte in changes:
        if place < len(new):
            new[place] = byte
    return bytes(new)
