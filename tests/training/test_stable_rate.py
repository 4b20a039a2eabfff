"""The search of the largest stable rate, on losses whose edge is known."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.errors import InputError
from holdfast.training.stable_rate import ends, find_max_stable_lr


def quadratic(rate, n, curvature=4.0):
    with np.errstate(over="ignore"):
        return np.abs(1 - curvature * rate) ** (2 * np.arange(n))


def test_the_edge_of_a_quadratic_is_two_over_its_curvature():
    asked = []

    def run(rate, n):
        asked.append((rate, n))
        return quadratic(rate, n)

    found = find_max_stable_lr(run, 0.01, 10.0, 20_000, evaluations=12)
    assert found.lr <= 0.5 <= found.unstable
    assert found.unstable / found.lr == pytest.approx(1000 ** (1 / 2**12))
    assert len(asked) == len(found.tried) == 14
    assert {n for _, n in asked} == {20_000}
    assert [rate for rate, _ in found.tried] == sorted(rate for rate, _ in asked)


def test_what_counts_as_stable():
    assert ends(np.arange(40.0)) == (0.5, 37.5)
    assert np.isnan(ends([1.0, np.inf])).all()
    at_half = find_max_stable_lr(lambda r, n: np.r_[np.ones(n // 2), np.full(n // 2, r)], 0.1, 3.0, 40, evaluations=14)
    assert at_half.lr == pytest.approx(0.5, rel=1e-3)
    slow = find_max_stable_lr(lambda r, n: np.r_[np.ones(n // 2), np.full(n // 2, r)], 0.9, 3.0, 40, evaluations=3)
    assert slow.lr == 0.9  # not half, but what the lowest rate gives
    share = find_max_stable_lr(
        lambda r, n: np.r_[np.ones(n // 2), np.full(n // 2, r)], 0.1, 3.0, 40, evaluations=14, share=0.75
    )
    assert share.lr == pytest.approx(0.75, rel=1e-3)


@pytest.mark.parametrize(
    ("lo", "hi", "what"), [(0.01, 0.4, "hi"), (0.6, 5.0, "lo"), (0.4, 0.3, "hi"), (0.0, 1.0, "lo")]
)
def test_a_search_that_cannot_find_an_edge_says_so(lo, hi, what):
    with pytest.raises(InputError, match=what):
        find_max_stable_lr(quadratic, lo, hi, 50)
