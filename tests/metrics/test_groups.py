"""Accuracy of groups against a loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.metrics.groups import group_accuracies, worst_group_accuracy


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from("abc")), min_size=1, max_size=30))
def test_equal_to_a_loop(rows):
    y, predicted, groups = zip(*rows, strict=True)
    found = group_accuracies(y, predicted, groups)
    for name in set(groups):
        right = [a == b for a, b, g in rows if g == name]
        assert found[name] == pytest.approx(sum(right) / len(right))
    assert list(found) == sorted(set(groups))
    assert worst_group_accuracy(y, predicted, groups) == min(found.values())


def test_tensors_and_texts():
    assert worst_group_accuracy(torch.tensor([0, 1]), torch.tensor([0, 0]), torch.tensor([5, 7])) == 0
    assert group_accuracies(["x", "y"], ["x", "x"], [1, 1]) == {1: 0.5}


def test_bad_input_is_named():
    for y, predicted, groups, words in (
        ([0, 1], [0], [0, 0], "predicted: must have as many rows as y"),
        ([0, np.nan], [0, 1], [0, 0], "y: must have a value in every row; received 1 missing of 2"),
        ([0, 1], [0, 1], ["a", None], "groups: must have a value in every row"),
        ([], [], [], "at least one row"),
        ([[0]], [0], [0], r"must have shape \(N\)"),
    ):
        with pytest.raises(InputError, match=words):
            group_accuracies(y, predicted, groups)
