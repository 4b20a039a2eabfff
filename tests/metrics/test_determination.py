"""R2 over sets against scikit-learn on all points."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import r2_score

from holdfast.metrics.determination import R2, r2_case


def test_r2_of_sets_is_that_of_all_points():
    rng = np.random.default_rng(0)
    sets = [(rng.normal(3, 1, n), rng.normal(3, 1, n)) for n in (4, 9, 1, 30)]
    cases = np.array([r2_case(y, y + 0.3 * e) for y, e in sets])
    y = np.concatenate([y for y, _ in sets])
    e = np.concatenate([e for _, e in sets])
    assert R2().of_cases(cases) == pytest.approx(r2_score(y, y + 0.3 * e))
    assert R2().averages_cases
    draws = np.stack([cases[rng.integers(0, 4, 4)].mean(0) for _ in range(5)])
    assert R2().of_mean(draws).shape == (5,)
