"""Quantiles: order statistics by brute force, coverage by simulation."""

import math

import numpy as np
import pandas as pd
import pytest

from holdfast.errors import InputError
from holdfast.systems.gbrt_forecasting import HistTrees, SplitConformal, WindowForecaster

# -------------------------------------------------------------------------------------------------------------- ranks


# --------------------------------------------------------------------------------------------------------- forecasters
def simulated(seed: int, steps: int = 1300, spread: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 10 + 3 * np.sin(np.arange(steps) * 2 * np.pi / 12) + spread * rng.normal(size=steps)


@pytest.mark.parametrize("refit", [False, True])
def test_coverage_at_every_step_ahead(refit: bool) -> None:
    """Independent noise around a season; 80 % intervals, a new stretch of the series to judge them."""
    model = WindowForecaster(
        12, 3, HistTrees(trees=10, depth=3), quantiles=(0.1, 0.9), conformal=SplitConformal(0.4, refit=refit)
    )
    found = model.backtest(simulated(0), n_windows=150, step=3, refit=False).scores(by="step")
    width = 4 * math.sqrt(0.16 / 340 + 0.16 / 150)
    assert (found["coverage"] - 0.8).abs().max() < width
    assert found["n"].tolist() == [150.0] * 3


def test_a_large_series_does_not_decide_about_a_small_one() -> None:
    wide = pd.DataFrame({"small": simulated(0, 400), "large": 1000 * simulated(1, 400)})
    model = WindowForecaster(12, 2, HistTrees(trees=6), calendar=None, scaling="standard", quantiles=(0.1, 0.9))
    found = model.fit(wide).predict()
    width = (found["q90"] - found["q10"]).to_numpy().reshape(2, 2).mean(1)
    assert 300 < width[1] / width[0] < 3000
    apart = model.set_params(conformal=SplitConformal(scaled=False)).fit(wide).predict()
    width = (apart["q90"] - apart["q10"]).to_numpy().reshape(2, 2).mean(1)
    assert width[1] / width[0] == pytest.approx(1)


def test_quantiles_ascend_and_are_named() -> None:
    model = WindowForecaster(6, 2, HistTrees(trees=5), quantiles=(0.9, 0.025, 0.5), conformal=SplitConformal(0.5))
    found = model.fit(simulated(3, 300)).predict()
    assert list(found.columns) == ["unique_id", "ds", "yhat", "q2.5", "q50", "q90"]
    assert (np.diff(found[["q2.5", "q50", "q90"]], axis=1) >= 0).all()


def test_the_calibrated_model_itself_can_be_kept() -> None:
    y = simulated(4, 200)
    kept = WindowForecaster(6, 2, HistTrees(trees=5), quantiles=(0.2,), conformal=SplitConformal(0.5, refit=False)).fit(
        y
    )
    early = WindowForecaster(6, 2, HistTrees(trees=5)).fit(y[:100])
    np.testing.assert_array_equal(kept.predict(y=y)["yhat"], early.predict(y=y)["yhat"])


def test_too_few_windows_are_refused_before_anything_is_fitted() -> None:
    model = WindowForecaster(6, 2, HistTrees(trees=10**9), quantiles=(0.01,))
    with pytest.raises(InputError, match=r"at least 99 calibration windows for quantile 0.01"):
        model.fit(simulated(0, 100))


def test_quantiles_of_a_random_walk_widen() -> None:
    y = np.random.default_rng(5).normal(size=600).cumsum()
    model = WindowForecaster(4, 8, HistTrees(trees=6), difference="last", quantiles=(0.1, 0.9)).fit(y)
    width = (model.predict()["q90"] - model.predict()["q10"]).to_numpy()
    assert width[-1] > 1.5 * width[0]
