"""Rows of one item are never on both sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.data.groups import grouped, held_out
from holdfast.errors import InputError


@given(groups=st.lists(st.integers(1, 6), min_size=40, max_size=60), seed=st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_rows_of_one_id_stay_together(groups, seed):
    ids = np.repeat(np.arange(len(groups)), groups)
    total = len(ids)
    sizes = {"fit": total - 2 * (total // 4), "validation": total // 4, "test": total // 4}
    try:
        order, counts = grouped(ids, total, sizes, np.random.default_rng(seed), least=12)
    except InputError:
        assert total // 4 < 18  # a part could not get its dozen of rows
        return
    assert sorted(order.tolist()) == list(range(total))
    ends = np.cumsum(list(counts.values()))
    parts = np.split(ids[order], ends[:-1])
    assert not set(parts[0]) & set(parts[1])
    assert not set(parts[1]) & set(parts[2])
    assert not set(parts[0]) & set(parts[2])
    assert all(abs(counts[name] - sizes[name]) <= 12 for name in sizes)


@given(st.lists(st.integers(1, 5), min_size=10, max_size=40), st.integers(0, 9), st.floats(0.05, 0.5))
def test_what_is_held_out_is_the_wanted_share_of_whole_items(counts, seed, fraction):
    ids = np.repeat(np.arange(len(counts)), counts)
    fitted, held = held_out(len(ids), fraction, np.random.default_rng(seed), ids)
    assert sorted([*fitted, *held]) == list(range(len(ids)))
    assert not set(ids[fitted]) & set(ids[held])
    wanted = max(1, round(fraction * len(ids)))
    assert wanted <= len(held) < wanted + max(counts)


def test_too_few_items_are_refused():
    with pytest.raises(InputError, match="1 different ids"):
        held_out(6, 0.5, np.random.default_rng(0), np.zeros(6))
    with pytest.raises(InputError, match="as many rows as there are"):
        held_out(6, 0.5, np.random.default_rng(0), np.zeros(5))


def test_rows_without_an_id_are_no_item_of_their_own() -> None:
    ids = np.array([1.0, 2.0, np.nan, np.nan, 3.0])
    with pytest.raises(InputError, match="2 missing of 5, the first in row 2"):
        held_out(5, 0.4, np.random.default_rng(0), ids)
    with pytest.raises(InputError, match="2 missing of 5, the first in row 2"):
        grouped(ids, 5, {"fit": 3, "test": 2}, np.random.default_rng(0))
