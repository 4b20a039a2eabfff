"""Confusions and shares, each against counting and scipy's exact interval."""

import json

import numpy as np
import pytest
from scipy.stats import binomtest

from holdfast.metrics.classification import Evaluation, Share


def test_confusions_and_shares():
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 4, 60), rng.integers(0, 3, 60)
    result = Evaluation.of(np.array(list("abcd")), true, predicted)
    for i in range(4):
        for j in range(4):
            assert result.matrix[i, j] == sum(t == i and p == j for t, p in zip(true, predicted, strict=True))
    assert result.accuracy.value == (true == predicted).mean()
    assert result.precision(3).n == 0
    assert json.loads(json.dumps(result.as_json(), allow_nan=False))["classes"][3]["precision"]["value"] is None
    counted = result.confusions()
    assert sum(n for *_, n in counted) == (true != predicted).sum()
    assert [n for *_, n in counted] == sorted((n for *_, n in counted), reverse=True)
    for k, n in ((0, 7), (7, 7), (3, 7), (50, 60)):
        exact = binomtest(k, n).proportion_ci(0.95, method="exact")
        assert Share(k, n).interval == pytest.approx((exact.low, exact.high))
