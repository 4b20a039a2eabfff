"""Intervals of means by the moving-block bootstrap."""

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.metrics.block_interval import block_interval


def test_block_intervals_of_independent_values_are_those_of_the_normal_approximation():
    values = np.random.default_rng(1).exponential(size=400)
    low, high = block_interval(values, 1, draws=4000)
    half = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.15 * half)
    assert block_interval(values, 1) == block_interval(values, 1)
    narrow = block_interval(values, 1, confidence=0.5)
    assert low < narrow[0] < narrow[1] < high


def test_blocks_widen_the_interval_of_values_that_hang_together():
    rng, values = np.random.default_rng(2), np.zeros(600)
    for t in range(1, 600):
        values[t] = 0.9 * values[t - 1] + rng.normal()
    width = {block: float(np.diff(block_interval(values, block))[0]) for block in (1, 60)}
    assert width[60] > 2 * width[1]
    with pytest.raises(InputError, match="block"):
        block_interval(values, 601)
