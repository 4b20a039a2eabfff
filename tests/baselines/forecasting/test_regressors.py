"""Naive, network and statistical forecasters: by hand, on lines and on noise."""

import numpy as np
import pandas as pd
import pytest

from holdfast.baselines.forecasting.naive import Repeat
from holdfast.baselines.forecasting.network_regressor import NetworkRegressor, latest, steps_within
from holdfast.baselines.forecasting.networks import MLP, DLinear
from holdfast.baselines.forecasting.scaling import WindowScaling
from holdfast.data.series.long_wide import read_panel


def test_scaled_rows_have_no_mean_and_spread_one_and_missing_covariates_are_their_mean() -> None:
    rows = np.random.default_rng(0).normal(7, 3, size=(50, 6))
    rows[3, 5] = np.nan
    targets = np.random.default_rng(1).normal(7, 2, size=(50, 2))
    for relative in (False, True):
        scaling = WindowScaling(rows, 4, relative)
        window, covariates = scaling.inputs(rows)
        given = rows[:, :4] - rows[:, 3:4] * relative
        mean = 0.0 if relative else given.mean()
        np.testing.assert_allclose(window, (given - mean) / given.std(), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(covariates.mean(0), 0, atol=1e-6)
        np.testing.assert_allclose(covariates[:, 0].std(), 1, atol=1e-6)
        assert covariates[3, 1] == 0
        assert covariates[np.arange(50) != 3, 1].std() == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(scaling.back(scaling.targets(rows, targets), rows), targets, rtol=1e-5)
        shift = rows + np.r_[np.ones(4), 0, 0]
        moved = scaling.back(np.zeros((50, 2)), shift) - scaling.back(np.zeros((50, 2)), rows)
        np.testing.assert_allclose(moved, float(relative), atol=1e-9)
    own = WindowScaling(rows, 4, targets=targets)
    np.testing.assert_allclose(own.targets(rows, targets), targets / targets.std(), rtol=1e-5)


def test_repeat_goes_round() -> None:
    part = Repeat(season=3, lookback=4)
    rows = np.array([[9.0, 1.0, 2.0, 3.0, 0.5]])
    assert part.predict(part.fit_joint(rows, np.zeros((1, 7)), 0, 1), rows).tolist() == [[1, 2, 3, 1, 2, 3, 1]]


def test_the_network_learns_a_line_and_takes_missing_covariates() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 6)).astype(np.float32)
    targets = rows[:, :4].sum(1, keepdims=True) * np.array([[1.0, 2.0]], np.float32)
    rows[::5, 5] = np.nan
    part = NetworkRegressor(DLinear, 4, steps=150, lr=5e-2)
    found = part.predict(part.fit_joint(rows, targets, 0, 1), rows)
    assert np.abs(found - targets).mean() < 0.1 * targets.std()
    brief = NetworkRegressor(DLinear, 4, steps=10)
    once, again = (brief.predict(brief.fit_joint(rows, targets, 0, 1), rows) for _ in range(2))
    np.testing.assert_array_equal(once, again)


def test_the_cost_of_a_step_is_that_of_training() -> None:
    cheap = NetworkRegressor(DLinear, 8).seconds_per_step(2, 3)
    assert 1e-5 < cheap < 0.1
    assert steps_within(1.0, 0.001) == 1000


def test_weights_are_chosen_on_the_latest_windows_whose_targets_nobody_trains_on() -> None:
    when = np.tile(np.arange(100), 3)  # three series
    trains, checks = latest(when, 5)
    assert checks is not None
    assert when[checks].min() > when[trains].max() + 5 - 1
    assert set(when[checks]) == set(range(90, 100))
    trains, checks = latest(np.arange(20), 15)  # nothing would be left to train on
    assert checks is None
    assert np.array_equal(when[trains], when)


def test_long_training_is_undone_where_it_harms() -> None:
    """On pure noise every step after the first few only learns the noise by heart."""
    rng = np.random.default_rng(1)
    rows, targets = rng.normal(size=(150, 12)).astype(np.float32), rng.normal(size=(150, 2)).astype(np.float32)
    unseen = rng.normal(size=(2000, 12)).astype(np.float32)
    part = NetworkRegressor(MLP, 12, steps=150, lr=2e-2)
    chosen = part.predict(part.fit_joint(rows, targets, 0, 1, when=np.arange(150)), unseen)
    last = part.predict(part.fit_joint(rows, targets, 0, 1), unseen)
    assert np.square(chosen).mean() < 0.5 * np.square(last).mean()  # the best forecast is 0


def test_statistical_models_forecast_every_cutoff() -> None:
    pytest.importorskip("statsforecast")
    from holdfast.baselines.forecasting.statistical import StatisticalModel, local_model
    from holdfast.metrics.backtests import Origin
    from holdfast.systems.gbrt_forecasting.tool.backtest import run_backtest

    rng, t = np.random.default_rng(3), np.arange(70)
    columns = {f"shop <{k}>": 20 * (k + 1) + 5 * np.sin(2 * np.pi * t / 7) + rng.normal(size=70) for k in range(2)}
    table = pd.DataFrame(columns, index=pd.date_range("2022-01-03", periods=70, freq="D", name="day"))
    data, origin = read_panel(table), Origin(2, 4)
    found = run_backtest(StatisticalModel("AutoTheta", 7, 4), data, origin, lambda done, of: None, 7)
    assert len(found.frame) == 2 * 2 * 4
    row = found.frame[(found.frame["unique_id"] == "shop <1>") & (found.frame["step"] == 4)].iloc[0]
    past = table.loc[: row["cutoff"], "shop <1>"].to_numpy()
    expected = local_model("AutoTheta", 7).forecast(y=past, h=4, level=[80])
    assert (row["yhat"], row["q10"]) == pytest.approx((expected["mean"][3], expected["lo-80"][3]))
    assert row["y"] == table.loc[row["ds"], "shop <1>"]
    ahead = StatisticalModel("AutoTheta", 7, 4).predict(data)
    whole = local_model("AutoTheta", 7).forecast(y=table["shop <1>"].to_numpy(), h=4, level=[80])
    np.testing.assert_allclose(ahead.loc[ahead["unique_id"] == "shop <1>", "q90"], whole["hi-80"])
    assert ahead["ds"].min() == table.index[-1] + pd.Timedelta(days=1)
