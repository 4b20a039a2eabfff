"""The statistics against statsmodels, SciPy, published examples and sums over all outcomes."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from holdfast.systems.chatgpt_failures import (
    changes,
    holm,
    mcnemar_exact,
    memorisation_index,
    newcombe_paired,
    power,
    square_and_add,
    wilson,
)


def test_wilson_is_that_of_statsmodels_and_of_the_card() -> None:
    for n in (1, 7, 40, 1000):
        for k in {0, 1, n // 3, n}:
            for level in (0.95, 0.9):
                low, high = proportion_confint(k, n, 1 - level, method="wilson")
                assert wilson(k, n, level) == pytest.approx((max(low, 0), min(high, 1)), abs=1e-12)
    assert wilson(0, 40) == pytest.approx((0, 0.0876), abs=5e-5)
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=5e-5)
    assert wilson(0, 0) == (0, 1)


def test_the_coverage_of_wilson_is_as_computed_over_all_outcomes() -> None:
    n, p = 40, 0.1
    covered = sum(stats.binom.pmf(k, n, p) for k in range(n + 1) if wilson(k, n)[0] <= p <= wilson(k, n)[1])
    assert covered == pytest.approx(0.9433, abs=5e-5)


@pytest.mark.parametrize("p", [0.02, 0.1, 0.5])
def test_the_interval_of_a_mean_over_families_covers_it(p: float) -> None:
    counts = np.random.default_rng(0).binomial(40, p, (1500, 5))
    ends = [square_and_add([(int(k), 40) for k in row]) for row in counts]
    assert 0.9 <= np.mean([low <= p <= high for _, low, high in ends]) <= 0.98


def test_a_mean_over_one_family_is_wilsons() -> None:
    assert square_and_add([(3, 40)]) == pytest.approx((3 / 40, *wilson(3, 40)))
    mean, low, high = square_and_add([(2, 10), (0, 30)])
    half = [math.hypot(0.2 - wilson(2, 10)[0], 0) / 2, math.hypot(wilson(2, 10)[1] - 0.2, wilson(0, 30)[1]) / 2]
    assert (mean, low, high) == pytest.approx((0.1, 0.1 - half[0], 0.1 + half[1]))


def test_mcnemar_is_that_of_statsmodels_and_of_the_card() -> None:
    for b, c in itertools.product((0, 1, 5, 9, 30), repeat=2):
        assert mcnemar_exact(b, c) == pytest.approx(mcnemar([[50, b], [c, 9]], exact=True).pvalue, abs=1e-12)
    assert mcnemar_exact(9, 0) == 0.00390625


def test_holm_is_that_of_statsmodels() -> None:
    for seed in range(20):
        p = np.random.default_rng(seed).random(11) ** 3
        assert holm(list(p)) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)
    assert holm([]) == []
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def newcombe_by_steps(both: int, b: int, c: int, neither: int) -> tuple[float, float]:
    """Method 10, written from the paper's steps with statsmodels' Wilson intervals."""
    n = both + b + c + neither
    first, second = (both + b) / n, (both + c) / n
    l1, u1 = proportion_confint(both + b, n, method="wilson")
    l2, u2 = proportion_confint(both + c, n, method="wilson")
    a, d = both * neither, b * c
    corrected = a - d - n / 2 if a - d > n / 2 else 0.0 if a > d else float(a - d)
    root = math.sqrt((both + b) * (c + neither) * (both + c) * (b + neither))
    phi = corrected / root if root else 0.0
    low = math.sqrt((first - l1) ** 2 - 2 * phi * (first - l1) * (u2 - second) + (u2 - second) ** 2)
    high = math.sqrt((second - l2) ** 2 - 2 * phi * (second - l2) * (u1 - first) + (u1 - first) ** 2)
    return first - second - low, first - second + high


def test_newcombe_is_method_10() -> None:
    assert newcombe_paired(36, 12, 2, 0) == pytest.approx((0.0569, 0.3404), abs=5e-5)  # table of Newcombe 1998
    for table in (
        (36, 12, 2, 0),
        (20, 3, 9, 8),
        (5, 0, 0, 5),
        (90, 10, 0, 0),
        (0, 4, 6, 0),
        (7, 1, 1, 3),
        (50, 0, 0, 0),
    ):
        assert newcombe_paired(*table) == pytest.approx(newcombe_by_steps(*table), abs=1e-12)
        low, high = newcombe_paired(table[0], table[2], table[1], table[3])
        assert newcombe_paired(*table) == pytest.approx((-high, -low), abs=1e-12)


def test_power_is_a_sum_over_all_tables() -> None:
    n, q, drop, alpha = 30, 0.3, 0.2, 0.05
    b_share, c_share = (q + drop) / 2, (q - drop) / 2
    total = sum(
        stats.multinomial.pmf([b, c, n - b - c], n, [b_share, c_share, 1 - q])
        for b in range(n + 1) for c in range(n + 1 - b) if mcnemar_exact(b, c) <= alpha
    )  # fmt: skip
    assert power(n, q, drop, alpha) == pytest.approx(total, abs=1e-9)
    assert power(200, 0.1, 0.1, 0.05 / 11) == pytest.approx(1 - stats.binom.cdf(8, 200, 0.1), abs=1e-9)
    assert power(200, 0.1, 0.1, 0.05 / 11) == pytest.approx(0.9986, abs=5e-5)
    assert power(50, 0.0, 0.0) == 0.0


def test_the_memorisation_index_is_newcombes_unpaired_difference() -> None:
    low, high = confint_proportions_2indep(18, 20, 30, 100, method="newcomb")
    assert memorisation_index((18, 20), (30, 100)) == pytest.approx((0.6, low, high), abs=1e-9)
    assert memorisation_index((10, 10), (50, 50))[0] == 0


def test_verdicts_need_enough_pairs_and_evidence() -> None:
    tables = {
        "worse": (150, 40, 2, 8), "better": (100, 1, 30, 0), "same": (180, 5, 4, 11), "few": (0, 19, 0, 0),
        "none": (0, 0, 0, 0),
    }  # fmt: skip
    found = {change.category: change for change in changes(tables)}
    assert {name: c.verdict for name, c in found.items()} == {
        "worse": "regressed", "better": "improved", "same": "no evidence", "few": "too few", "none": "too few"
    }  # fmt: skip
    assert (found["none"].low, found["none"].high, found["none"].difference) == (-1.0, 1.0, 0.0)
    worse = found["worse"]
    assert worse.difference == pytest.approx(-38 / 200)
    assert worse.low < worse.difference < worse.high < 0
    assert worse.adjusted == pytest.approx(3 * mcnemar_exact(40, 2))
    assert (worse.pairs, worse.broken, worse.mended, found["few"].adjusted) == (200, 40, 2, 1.0)
    twenty = changes({"a": (0, 20, 0, 0)})[0]
    assert (twenty.verdict, changes({"a": (0, 20, 0, 0)}, alpha=1e-9)[0].verdict) == ("regressed", "no evidence")


def test_nothing_is_found_too_often_where_nothing_changed() -> None:
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(400):
        b, c = rng.binomial(200, 0.02, 11), rng.binomial(200, 0.02, 11)
        found = changes(
            {str(i): (200 - int(x) - int(y), int(x), int(y), 0) for i, (x, y) in enumerate(zip(b, c, strict=True))}
        )
        alarms += any(change.verdict != "no evidence" for change in found)
    assert alarms <= 20
