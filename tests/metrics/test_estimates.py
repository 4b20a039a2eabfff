"""Means and their intervals against scipy and the formula."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from holdfast.metrics.estimates import Estimate

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("hits", "count"), [(0, 27), (5, 27), (27, 27), (1, 2)])
def test_shares_get_wilson_s_interval(hits: int, count: int) -> None:
    found = Estimate.of(np.repeat([1.0, 0.0], [hits, count - hits]), binary=True)
    wanted = binomtest(hits, count).proportion_ci(0.95, "wilson")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high), abs=1e-4)


def test_means_get_the_normal_interval() -> None:
    values = RNG.normal(3, 2, size=400)
    found = Estimate.of(values)
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.value == pytest.approx(1.96 * values.std(ddof=1) / 20)
