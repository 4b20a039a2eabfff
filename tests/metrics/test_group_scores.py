"""Scores in groups, compared by hand."""

import numpy as np
import pytest

from holdfast.metrics.group_scores import GroupScores

VALUES = np.array([1.0, 2.0, 3.0, 6.0])


@pytest.mark.parametrize("higher", [True, False])
def test_gain_interval_and_worst(higher):
    found = GroupScores({"a": VALUES, "b": np.zeros(4)}, tuple("wxyz"), "%", higher)
    half = 3.182446 * np.sqrt(np.square(VALUES - 3).sum() / 3) / 2  # the quantile of a table for 3 degrees of freedom
    wanted = (3 - half, 3 + half) if higher else (-3 - half, half - 3)
    assert found.interval("a", "b") == pytest.approx(wanted, rel=1e-4)
    assert found.worst("a") == (1 if higher else 6)
    heads, rows = found.table("b", "b")
    assert len(heads) == len(rows[0]) == 6
    assert rows[0][:4] == ["a", 3.0, found.worst("a"), "4 of 4" if higher else "0 of 4"]
    assert rows[0][4] == (3 if higher else -3)
    assert rows[1][3:] == ["-", None, "-"]
