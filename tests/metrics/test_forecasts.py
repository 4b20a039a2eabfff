"""Metrics against their formulas, number by number."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.metrics.forecasts import mae, mase, pinball, rmse, smape, wape

NUMBERS = st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=1, max_size=20)


@given(NUMBERS)
def test_metrics_are_their_formulas(pairs: list[tuple[float, float]]) -> None:
    y, f = [p[0] for p in pairs], [p[1] for p in pairs]
    n = len(y)
    errors = [a - b for a, b in pairs]
    assert rmse(y, f) == pytest.approx(math.sqrt(sum(e * e for e in errors) / n), rel=1e-9)
    assert mae(y, f) == pytest.approx(sum(map(abs, errors)) / n, rel=1e-9)
    if sum(map(abs, y)) > 1e-6:
        assert wape(y, f) == pytest.approx(sum(map(abs, errors)) / sum(map(abs, y)), rel=1e-9)
    terms = [0.0 if a == b == 0 else 2 * abs(a - b) / (abs(a) + abs(b)) for a, b in pairs]
    assert smape(y, f) == pytest.approx(sum(terms) / n, rel=1e-9)
    for q in (0.1, 0.5, 0.9):
        wanted = sum(q * e if e >= 0 else (q - 1) * e for e in errors) / n
        assert pinball(y, f, q) == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    assert pinball(y, f, 0.5) == pytest.approx(mae(y, f) / 2, rel=1e-9)


def test_the_pinball_loss_is_least_at_the_quantile() -> None:
    y = np.random.default_rng(0).normal(size=4001)
    losses = {f: pinball(y, np.full_like(y, f), 0.8) for f in np.linspace(-2, 2, 41)}
    assert min(losses, key=lambda f: losses[f]) == pytest.approx(np.quantile(y, 0.8), abs=0.06)


def test_mase_of_the_seasonal_naive_forecast_of_its_own_history_is_one() -> None:
    history = np.random.default_rng(1).normal(size=50)
    assert mase(history[7:], history[:-7], history, season=7) == pytest.approx(1)


def test_metrics_take_any_shape() -> None:
    y, f = np.arange(6.0).reshape(1, 2, 3), np.ones((1, 2, 3))
    assert rmse(y, f) == rmse(y.ravel(), f.ravel())


def test_what_has_no_value_is_refused() -> None:
    with pytest.raises(InputError, match="y_pred: must have the shape"):
        mae([1.0, 2.0], [1.0])
    with pytest.raises(InputError, match="zero throughout"):
        wape([0.0, 0.0], [1.0, 1.0])
    with pytest.raises(InputError, match="repeat exactly"):
        mase([1.0], [1.0], history=[1.0, 2.0, 1.0, 2.0], season=2)
    with pytest.raises(InputError, match="more than season = 3"):
        mase([1.0], [1.0], history=[1.0, 2.0, 1.0], season=3)
    with pytest.raises(InputError, match="quantile"):
        pinball([1.0], [1.0], 1.0)
    with pytest.raises(InputError, match="must be finite"):
        rmse([np.nan], [1.0])
    with pytest.raises(InputError, match="must not be empty"):
        rmse([], [])
