"""Windows of many series against loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.data.series.windows import blocks, gather_windows, window_ends


@given(lengths=st.lists(st.integers(0, 12), min_size=1, max_size=6), stride=st.integers(1, 4))
def test_windows_of_many_series_never_cross_from_one_to_the_next(lengths: list[int], stride: int) -> None:
    found = window_ends(np.array(lengths), lookback=3, horizon=2, stride=stride).tolist()
    wanted, start = [], 0
    for length in lengths:
        wanted += [start + t for t in range(2, length - 2, stride)]
        start += length
    assert found == wanted


def test_gathering_in_blocks_is_gathering_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(60.0).reshape(20, 3)
    first = np.array([0, 7, 3, 17])
    wanted = np.stack([values[f : f + 3].ravel() for f in first])
    monkeypatch.setattr("holdfast.data.series.windows.BLOCK", 1)
    np.testing.assert_array_equal(gather_windows(values, first, np.empty((4, 9))), wanted)
    assert [(s.start, s.stop) for s in blocks(5, row_bytes=10, limit=20)] == [(0, 2), (2, 4), (4, 5)]
