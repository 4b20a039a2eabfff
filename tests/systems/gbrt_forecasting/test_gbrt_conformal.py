"""Quantiles: order statistics by brute force, coverage by simulation."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.data.series.long_wide import read_panel
from holdfast.errors import InputError
from holdfast.systems.gbrt_forecasting import HistTrees, SplitConformal, WindowForecaster, conformal_offsets


# -------------------------------------------------------------------------------------------------------------- ranks
@given(n=st.integers(1, 60), q=st.sampled_from([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95]), seed=st.integers(0, 99))
def test_offsets_are_order_statistics(n: int, q: float, seed: int) -> None:
    residuals = np.random.default_rng(seed).normal(size=(n, 2))
    percent = round(100 * q)
    rank = -(-(n + 1) * percent // 100) if q > 0.5 else (n + 1) * percent // 100
    if not 1 <= rank <= n:
        with pytest.raises(InputError, match="calibration windows for quantile"):
            conformal_offsets(residuals, [q])
        return
    wanted = [np.median(column) if q == 0.5 else sorted(column)[rank - 1] for column in residuals.T]
    assert conformal_offsets(residuals, [q])[:, 0].tolist() == wanted


def test_the_number_of_windows_that_is_asked_for_is_the_smallest_that_does() -> None:
    for q in (0.05, 0.1, 0.8, 0.99):
        needed = math.ceil(1 / min(q, 1 - q) - 1e-9) - 1
        conformal_offsets(np.zeros((needed, 1)), [q])
        with pytest.raises(InputError, match=f"at least {needed} calibration windows"):
            conformal_offsets(np.zeros((needed - 1, 1)), [q])


def test_coverage_of_exchangeable_residuals_is_as_promised() -> None:
    """P(next below the upper quantile) lies between q and q + 1/(n + 1), exactly; here by simulation."""
    rng = np.random.default_rng(0)
    n, trials, q = 24, 20_000, 0.9
    residuals = rng.standard_t(3, size=(n + 1, trials))
    upper = conformal_offsets(residuals[:n], [q])[:, 0]
    lower = conformal_offsets(residuals[:n], [1 - q])[:, 0]
    for below in ((residuals[n] <= upper).mean(), (residuals[n] >= lower).mean()):
        noise = 4 * math.sqrt(q * (1 - q) / trials)
        assert q - noise <= below <= q + 1 / (n + 1) + noise


def test_no_target_of_training_is_among_those_of_calibration() -> None:
    panel = read_panel(pd.DataFrame({"a": np.arange(60.0), "b": [np.nan] * 51 + [1.0] * 9}))
    trains, calibrates = SplitConformal(0.25).split(panel, lookback=4, horizon=3, trained=3)
    targets = [{int(t) + k for t in ends for k in (1, 2, 3)} for ends in (trains, calibrates)]
    assert not targets[0] & targets[1]
    assert targets[0] | targets[1] == {*range(4, 60), *range(64, 69)}
    assert max(calibrates) < 60, "a series too short for both only trains"


# --------------------------------------------------------------------------------------------------------- forecasters
def simulated(seed: int, steps: int = 1300, spread: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 10 + 3 * np.sin(np.arange(steps) * 2 * np.pi / 12) + spread * rng.normal(size=steps)


@pytest.mark.parametrize("refit", [False, True])
def test_coverage_at_every_step_ahead(refit: bool) -> None:
    """Independent noise around a season; 80 % intervals, a new stretch of the series to judge them."""
    model = WindowForecaster(
        12, 3, HistTrees(trees=30, depth=3), quantiles=(0.1, 0.9), conformal=SplitConformal(0.4, refit=refit)
    )
    found = model.backtest(simulated(0), n_windows=150, step=3, refit=False).scores(by="step")
    width = 4 * math.sqrt(0.16 / 340 + 0.16 / 150)
    assert (found["coverage"] - 0.8).abs().max() < width
    assert found["n"].tolist() == [150.0] * 3


def test_a_large_series_does_not_decide_about_a_small_one() -> None:
    wide = pd.DataFrame({"small": simulated(0, 400), "large": 1000 * simulated(1, 400)})
    model = WindowForecaster(12, 2, HistTrees(trees=20), calendar=None, scaling="standard", quantiles=(0.1, 0.9))
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
    model = WindowForecaster(4, 8, HistTrees(trees=20), difference="last", quantiles=(0.1, 0.9)).fit(y)
    width = (model.predict()["q90"] - model.predict()["q10"]).to_numpy()
    assert width[-1] > 1.5 * width[0]
