"""The forecaster against scikit-learn, and what must hold of every forecast."""

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neighbors import KNeighborsRegressor

from holdfast.errors import InputError
from holdfast.systems.gbrt_forecasting import (
    HistTrees,
    LightGBMTrees,
    WindowForecaster,
    XGBoostTrees,
    calendar_features,
    rmse,
    window_rows,
)
from holdfast.systems.gbrt_forecasting.method import Origins

SMALL = HistTrees(trees=5, depth=3, min_leaf=3)
KINDS = [HistTrees(trees=8, min_leaf=2), XGBoostTrees(trees=8, min_leaf=2), LightGBMTrees(trees=8, min_leaf=2)]
each_kind = pytest.mark.parametrize("trees", KINDS, ids=["hist", "xgboost", "lightgbm"])


def needs(trees: object) -> None:
    library = {XGBoostTrees: "xgboost", LightGBMTrees: "lightgbm"}.get(type(trees))
    if library:
        pytest.importorskip(library)


def series(steps: int = 90, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 5 + 2 * np.sin(np.arange(steps) * 2 * np.pi / 12) + rng.normal(size=steps) * 0.3


def long(values: dict[str, np.ndarray], freq: str = "D") -> pd.DataFrame:
    parts = [
        pd.DataFrame({"unique_id": name, "ds": pd.date_range("2024-01-01", periods=len(y), freq=freq), "y": y})
        for name, y in values.items()
    ]
    return pd.concat(parts, ignore_index=True)


# -------------------------------------------------------------------------------------------------------------- parity
def test_direct_is_scikit_learns_multi_output_regressor_exactly() -> None:
    y = series(200)
    times = pd.date_range("2024-01-01", periods=200, freq="h")
    X = np.random.default_rng(1).normal(size=(200, 2))
    calendar = ("hour", "dayofweek")
    model = WindowForecaster(12, 4, HistTrees(trees=10, colsample=0.6), calendar=calendar, random_state=7)
    frame = pd.DataFrame({"ds": times, "y": y})
    columns = pd.DataFrame({"ds": times, "a": X[:, 0], "b": X[:, 1]})
    found = model.fit(frame, columns).predict()

    covariates = np.concatenate([X, calendar_features(times, calendar)], 1)
    rows, targets, _ = window_rows(y, covariates, 12, 4)
    peer = MultiOutputRegressor(
        HistGradientBoostingRegressor(
            learning_rate=0.1,
            max_iter=10,
            max_depth=6,
            max_leaf_nodes=None,
            min_samples_leaf=20,
            max_features=0.6,
            early_stopping=False,
            random_state=7,
        )
    ).fit(rows, targets)
    last, _, _ = window_rows(y[-12:], covariates[-12:], 12, 0)
    np.testing.assert_array_equal(found["yhat"], peer.predict(last)[0])


def test_any_scikit_learn_regressor_is_used_as_it_is() -> None:
    y = series()
    rows, targets, _ = window_rows(y, None, 6, 3)
    last = window_rows(y[-6:], None, 6, 0).rows
    for regressor, strategy in ((Ridge(0.1), "direct"), (Ridge(0.1), "multi_output"), (LinearRegression(), "direct")):
        found = WindowForecaster(6, 3, regressor, strategy=strategy).fit(y).predict()["yhat"]
        np.testing.assert_allclose(found, regressor.fit(rows, targets).predict(last)[0], rtol=1e-5)
    assert not hasattr(Ridge(), "coef_")
    untouched = Ridge()
    WindowForecaster(6, 3, untouched).fit(y)
    assert not hasattr(untouched, "coef_"), "the user's regressor is cloned, not fitted"


@each_kind
def test_noise_free_autoregression_is_learned(trees: HistTrees) -> None:
    """Lookback 1, no covariates: the next value is a function of the last one."""
    needs(trees)
    y = 10 * 0.97 ** np.arange(80)
    rows, targets, _ = window_rows(y, None, 1, 1)
    deep = type(trees)(trees=200, depth=8, min_leaf=1, learning_rate=0.4)
    model = WindowForecaster(1, 1, deep).fit(y)
    frame = pd.DataFrame({"unique_id": np.arange(len(rows)), "ds": 0, "y": rows[:, 0].astype(float)})
    found = model.predict(y=frame)["yhat"]
    assert rmse(targets[:, 0], found) < 2e-2 * targets.std()


@each_kind
@pytest.mark.parametrize("changes", [{}, {"difference": "last"}, {"scaling": "window-mean"}, {"scaling": "standard"}])
def test_a_constant_series_is_forecast_exactly(trees: HistTrees, changes: dict[str, str]) -> None:
    needs(trees)
    for value in (0.0, 0.1, -37.5, 1e6):
        found = WindowForecaster(4, 3, trees, **changes).fit(np.full(40, value)).predict()["yhat"].to_numpy()
        np.testing.assert_array_equal(found.astype(np.float32), np.float32(value))
        assert len(set(found.tolist())) == 1


@each_kind
@settings(max_examples=3)
@given(seed=st.integers(0, 10**6), size=st.sampled_from([1e-3, 1.0, 1e4]))
def test_forecasts_stay_within_the_range_of_training(trees: HistTrees, seed: int, size: float) -> None:
    needs(trees)
    y = size * np.random.default_rng(seed).standard_t(2, size=60).cumsum()
    found = WindowForecaster(4, 3, trees).fit(y).predict()["yhat"]
    slack = 1e-6 * np.abs(y).max()
    assert y.min() - slack <= found.min()
    assert found.max() <= y.max() + slack


@each_kind
@settings(max_examples=3)
@given(seed=st.integers(0, 10**6), shift=st.integers(-(10**6), 10**6))
def test_differences_follow_every_shift_of_the_series(trees: HistTrees, seed: int, shift: int) -> None:
    needs(trees)
    y = np.random.default_rng(seed).integers(-50, 50, size=60).astype(float)
    model = WindowForecaster(4, 3, trees, difference="last", covariates="none", calendar=None)
    here = model.fit(y).predict()["yhat"].to_numpy()
    there = model.fit(y + shift).predict()["yhat"].to_numpy()
    np.testing.assert_allclose(there - shift, here, rtol=0, atol=1e-9 * (1 + abs(shift)))


def test_windows_that_hardly_move_do_not_decide_about_all_others() -> None:
    """A stuck sensor: what comes after it is large beside the window, but not beside the series."""
    rng = np.random.default_rng(0)
    y = 10 + 3 * np.sin(np.arange(400) * 2 * np.pi / 12) + 0.1 * rng.normal(size=400)
    y[150:190] = 10 + 1e-6 * rng.normal(size=40)
    model = WindowForecaster(12, 6, Ridge(), strategy="multi_output", difference="last", scaling="window-mean")
    found = model.fit(y[:380]).predict()["yhat"]
    assert np.abs(found - y[380:386]).max() < 1.0


@settings(max_examples=3)
@given(seed=st.integers(0, 10**6), power=st.integers(-8, 8), difference=st.sampled_from([None, "last"]))
def test_window_means_follow_every_change_of_unit(seed: int, power: int, difference: str | None) -> None:
    y = np.random.default_rng(seed).integers(1, 100, size=60).astype(float)
    model = WindowForecaster(4, 3, SMALL, difference=difference, scaling="window-mean")
    factor = 2.0**power  # exact in binary, so that not even rounding differs
    here = model.fit(y).predict()["yhat"].to_numpy()
    np.testing.assert_array_equal(model.fit(y * factor).predict()["yhat"].to_numpy(), here * factor)


def test_standard_scaling_lets_a_small_series_be_heard() -> None:
    small, large = series(150, 1), 1e4 * series(150, 2)
    both = {"small": small[:-12], "large": large[:-12]}

    def error(scaling: str | None) -> float:
        found = WindowForecaster(12, 12, HistTrees(trees=10), calendar=None, scaling=scaling).fit(long(both)).predict()
        return rmse(small[-12:], found.loc[found["unique_id"] == "small", "yhat"])

    assert error("standard") < 0.5 * error(None)


# -------------------------------------------------------------------------------------------------------- many series
def test_the_forms_of_input_mean_the_same() -> None:
    a, b = series(60, 1), series(60, 2)
    times = pd.date_range("2024-01-01", periods=60, freq="D")
    model = WindowForecaster(6, 3, SMALL)
    wide = pd.DataFrame({"a": a, "b": b}, index=times)
    table = long({"a": a, "b": b})
    wanted = model.fit(table).predict()
    pd.testing.assert_frame_equal(model.fit(wide).predict(), wanted)
    mixed = table.sort_values(["ds", "unique_id"]).reset_index(drop=True)  # series between each other
    pd.testing.assert_frame_equal(model.fit(mixed).predict(), wanted)
    pd.testing.assert_frame_equal(model.fit(table.assign(ds=table["ds"].astype(str))).predict(), wanted)
    array = model.set_params(calendar=None).fit(np.stack([a, b], 1)).predict()
    np.testing.assert_array_equal(array["yhat"], model.fit(wide).predict()["yhat"])
    one, alone = model.fit(a).predict(), model.fit(pd.Series(a, index=times, name="y")).predict()
    np.testing.assert_array_equal(one["yhat"], alone["yhat"])
    assert wanted["ds"].tolist() == [*pd.date_range("2024-03-01", periods=3)] * 2
    assert wanted["unique_id"].tolist() == ["a"] * 3 + ["b"] * 3


def test_series_of_different_lengths_are_learned_from_as_if_each_were_windowed_alone() -> None:
    parts = {"a": series(40, 1), "b": series(25, 2), "c": series(70, 3)}
    model = WindowForecaster(6, 3, Ridge(), calendar=None).fit(long(parts))
    rows = [window_rows(y, None, 6, 3) for y in parts.values()]
    peer = Ridge().fit(np.concatenate([r.rows for r in rows]), np.concatenate([r.targets for r in rows]))
    last = np.stack([y[-6:] for y in parts.values()])
    np.testing.assert_allclose(model.predict()["yhat"], peer.predict(last).ravel(), rtol=1e-4)


def test_ten_thousand_series_take_no_loop_over_series() -> None:
    count, steps = 10_000, 20
    y = np.random.default_rng(0).normal(size=(count, steps)) + np.arange(count)[:, None] % 7
    table = pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(count), steps),
            "ds": np.tile(pd.date_range("2024-01-01", periods=steps), count),
            "y": y.ravel(),
        }
    )
    calls = 0
    regressor = Ridge()
    model = WindowForecaster(4, 2, regressor, calendar=("dayofweek",))

    def count_calls(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count_calls)
    try:
        found = model.fit(table).predict()
    finally:
        sys.setprofile(None)
    assert len(found) == 2 * count
    assert calls < count, "Python functions called per series would be more than there are series"
    np.testing.assert_allclose(found["yhat"], y.mean(1).repeat(2), atol=2.5)


# ---------------------------------------------------------------------------------------------------------- covariates
def test_the_last_steps_covariates_are_used_and_named() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = np.concatenate([[0.0], X[:-1, 1]])  # tomorrow is today's second covariate
    model = WindowForecaster(3, 1, HistTrees(trees=30)).fit(y, X)
    assert model.feature_importances_.idxmax() == "x_1"
    assert model.predict()["yhat"][0] == pytest.approx(X[-1, 1], abs=0.3)
    without = WindowForecaster(3, 1, HistTrees(trees=30), covariates="none").fit(y, X)
    assert list(without.feature_importances_.index) == ["lag_3", "lag_2", "lag_1"]
    every = WindowForecaster(3, 1, HistTrees(trees=30), covariates="all").fit(y, X)
    assert list(every.feature_importances_.index[3:]) == [f"x_{c}_lag_{k}" for k in (3, 2, 1) for c in (0, 1)]
    assert every.feature_importances_.idxmax() == "x_1_lag_1"
    assert every.feature_importances_.sum() == pytest.approx(1)


def test_known_future_covariates_belong_to_the_step_that_is_forecast() -> None:
    rng = np.random.default_rng(0)
    known = rng.normal(size=400)
    y = 3 * known  # each value is its own covariate
    ahead = rng.normal(size=(4, 1))
    for strategy in ("direct", "recursive"):
        model = WindowForecaster(2, 4, HistTrees(trees=60), strategy=strategy).fit(y, X_future=known[:, None])
        np.testing.assert_allclose(model.predict(X_future=ahead)["yhat"], 3 * ahead[:, 0], atol=0.8)
        assert model.feature_importances_.idxmax() == "future_0"
    ridge = WindowForecaster(2, 4, Ridge(1e-6), strategy="multi_output").fit(y, X_future=known[:, None])
    np.testing.assert_allclose(ridge.predict(X_future=ahead)["yhat"], 3 * ahead[:, 0], atol=1e-3)
    assert list(ridge.feature_importances_.index[2:]) == ["future_0_1", "future_0_2", "future_0_3", "future_0_4"]


def test_tables_of_covariates_are_joined_by_id_and_time() -> None:
    table = long({"a": series(60, 1), "b": series(50, 2)})
    rng = np.random.default_rng(3)
    table["price"], table["load"] = rng.normal(size=len(table)), rng.normal(size=len(table))
    model = WindowForecaster(6, 3, SMALL)
    later = pd.concat(
        [
            pd.DataFrame({"unique_id": n, "ds": pd.date_range(s, periods=5), "price": rng.normal(size=5)})
            for n, s in (("b", "2024-02-20"), ("a", "2024-03-01"))
        ]
    )
    named = model.fit(table, X=["load"], X_future=["price"]).predict(X_future=later)
    shuffled = table.sample(frac=1, random_state=0)
    apart = model.fit(
        table[["unique_id", "ds", "y"]],
        X=shuffled[["unique_id", "ds", "load"]],
        X_future=shuffled[["unique_id", "ds", "price"]],
    ).predict(X_future=later.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(named, apart)
    shared = table.loc[table["unique_id"] == "a", ["ds", "load"]]  # of all series
    assert len(model.fit(table[["unique_id", "ds", "y"]], X=shared).predict()) == 6


@each_kind
def test_missing_covariates_are_taken_by_trees(trees: HistTrees) -> None:
    needs(trees)
    X = np.random.default_rng(0).normal(size=(90, 1))
    X[::3] = np.nan
    assert np.isfinite(WindowForecaster(6, 3, trees).fit(series(), X).predict()["yhat"]).all()


def test_missing_covariates_are_refused_where_the_regressor_cannot_take_them() -> None:
    X = np.random.default_rng(0).normal(size=(90, 1))
    X[40] = np.nan
    with pytest.raises(InputError, match=r"X: must have no missing values for Ridge.*1 of 82 rows"):
        WindowForecaster(6, 3, Ridge()).fit(series(), X)


# ---------------------------------------------------------------------------------------------------------- strategies
def test_recursive_forecasts_are_one_step_forecasts_fed_back() -> None:
    y = series()
    model = WindowForecaster(6, 3, Ridge(), strategy="recursive").fit(y)
    found = model.predict(h=20)["yhat"].to_numpy()
    rows, targets, _ = window_rows(y, None, 6, 1)
    peer = Ridge().fit(rows, targets[:, 0])
    window = list(y[-6:])
    for value in found:
        wanted = peer.predict(np.array([window[-6:]], np.float32))[0]
        assert value == pytest.approx(wanted, rel=1e-5)
        window.append(value)


def test_recursive_forecasts_see_the_calendar_of_their_step() -> None:
    times = pd.date_range("2024-01-01", periods=400, freq="D")
    y = np.where(times.day_of_week >= 5, 10.0, 1.0)  # the model of the next day sees the weekday of the last one
    model = WindowForecaster(1, 7, HistTrees(trees=60), calendar=("dayofweek",), strategy="recursive")
    found = model.fit(pd.Series(y, index=times)).predict(h=14)
    wanted = np.where(pd.DatetimeIndex(found["ds"]).day_of_week >= 5, 10.0, 1.0)
    np.testing.assert_allclose(found["yhat"], wanted, atol=0.1)


def test_one_multi_output_tree_forecasts_all_steps() -> None:
    pytest.importorskip("xgboost")
    y = series(300)
    model = WindowForecaster(12, 6, XGBoostTrees(trees=40), strategy="multi_output").fit(y[:-6])
    assert len(model.models_) == 1
    assert rmse(y[-6:], model.predict()["yhat"]) < 0.7
    assert len(model.predict(h=2)) == 2


def test_strategies_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match=r"strategy: must be 'direct' or 'recursive' with this estimator"):
        WindowForecaster(4, 3, "hist", strategy="multi_output").fit(series())
    with pytest.raises(InputError, match="X: must be None with strategy 'recursive'"):
        WindowForecaster(4, 3, SMALL, strategy="recursive").fit(series(), series())
    with pytest.raises(InputError, match="h: must be at most 3, the horizon that was trained"):
        WindowForecaster(4, 3, SMALL).fit(series()).predict(h=4)


# ------------------------------------------------------------------------------------------------------ bounded memory
@pytest.mark.parametrize("trees", KINDS[1:], ids=["xgboost", "lightgbm"])
def test_fitting_in_blocks_is_fitting_at_once(trees: HistTrees, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the least that an error names, blocks of 16 rows are used, and a byte less is refused."""
    needs(trees)
    table = long({"a": series(120, 1), "b": series(90, 2)})
    whole = WindowForecaster(6, 3, trees, difference="last").fit(table)
    monkeypatch.setattr("holdfast.systems.gbrt_forecasting.tool.fitting.FEWEST", 16)
    monkeypatch.setattr(Origins, "table", None)  # the table of all rows is never built
    with pytest.raises(InputError, match=r"max_bytes: must be at least .* the estimator itself holds") as refused:
        whole.clone().set_params(max_bytes=1).fit(table)
    least = int(refused.value.rule.split()[4].replace(",", ""))
    with pytest.raises(InputError, match="max_bytes"):
        whole.clone().set_params(max_bytes=least - 1).fit(table)
    bounded = whole.clone().set_params(max_bytes=least).fit(table)
    np.testing.assert_allclose(bounded.predict()["yhat"], whole.predict()["yhat"], rtol=0.02)


@pytest.mark.parametrize("estimator", ["hist", "lightgbm", KNeighborsRegressor, HistGradientBoostingRegressor])
def test_one_model_for_all_steps_needs_an_estimator_that_can(estimator: Any) -> None:
    if estimator == "lightgbm":
        pytest.importorskip("lightgbm")
    model = WindowForecaster(6, 3, estimator if isinstance(estimator, str) else estimator(), strategy="multi_output")
    if estimator is KNeighborsRegressor:
        assert len(model.fit(series()).predict()) == 3
        return
    with pytest.raises(InputError, match=r"strategy: must be 'direct' or 'recursive' .* needs 'xgboost'"):
        model.fit(None)  # said before the series are looked at


def test_a_bound_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(InputError, match=r"max_bytes: must be at least .* bytes"):
        WindowForecaster(6, 3, SMALL, max_bytes=1000).fit(series())


# --------------------------------------------------------------------------------------------------------- other y
def test_predicting_other_series_with_the_same_model() -> None:
    y = series(120)
    model = WindowForecaster(6, 3, SMALL).fit(y[:100])
    again = model.predict(y=y[:100])
    pd.testing.assert_frame_equal(again, model.predict())
    later = model.predict(y=y)
    assert later["ds"].tolist() == [120, 121, 122]
    assert not np.array_equal(later["yhat"], again["yhat"])
    with pytest.raises(InputError, match="must have at least lookback = 6 steps"):
        model.predict(y=y[:5])
    with pytest.raises(InputError, match="X: must have the columns of fit: none"):
        model.predict(y=y, X=y)
    with pytest.raises(InputError, match="X: must be given together with y"):
        model.predict(X=y)


def test_other_series_must_be_of_the_same_frequency() -> None:
    hourly = pd.Series(series(100), index=pd.date_range("2024-01-01", periods=100, freq="h"))
    model = WindowForecaster(6, 3, SMALL).fit(hourly)
    assert model.predict(y=hourly.iloc[:6])["ds"][0] == hourly.index[6]
    daily = pd.Series(series(100), index=pd.date_range("2024-01-01", periods=100, freq="D"))
    with pytest.raises(InputError, match="must have more of the steps of frequency h"):
        model.predict(y=daily)
    with pytest.raises(InputError, match="y: must have dates as time stamps, at the frequency of fit, h"):
        model.predict(y=hourly.to_numpy())
    with pytest.raises(InputError, match="y: must have the frequency of fit"):
        WindowForecaster(6, 3, SMALL).fit(hourly.to_numpy()).predict(y=hourly)


def test_threads_change_no_number() -> None:
    y = series(200)
    one = WindowForecaster(6, 4, SMALL).fit(y).predict()
    pd.testing.assert_frame_equal(WindowForecaster(6, 4, SMALL, n_jobs=2).fit(y).predict(), one)


# ------------------------------------------------------------------------------------------------------------- settings
@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"lookback": 0}, "lookback"),
        ({"horizon": 2.5}, "horizon"),
        ({"estimator": "catboost"}, "estimator"),
        ({"estimator": object()}, "estimator"),
        ({"estimator": HistTrees(subsample=0.5)}, "subsample"),
        ({"estimator": HistTrees(trees=0)}, "trees"),
        ({"estimator": HistTrees(learning_rate=0)}, "learning_rate"),
        ({"covariates": "some"}, "covariates"),
        ({"calendar": "hour"}, "calendar"),
        ({"calendar": ("hour",)}, "calendar"),
        ({"strategy": "both"}, "strategy"),
        ({"difference": "first"}, "difference"),
        ({"scaling": "min-max"}, "scaling"),
        ({"quantiles": 0.5}, "quantiles"),
        ({"quantiles": (0.5, 0.5)}, "quantiles"),
        ({"quantiles": (0.0,)}, "quantiles"),
        ({"conformal": 0.2}, "conformal"),
        ({"fill": "linear"}, "fill"),
        ({"freq": 0}, "freq"),
        ({"freq": "D"}, "freq"),
        ({"max_bytes": 0}, "max_bytes"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"random_state": -1}, "random_state"),
    ],
)
def test_wrong_settings_are_named_in_fit(changes: dict[str, object], argument: str) -> None:
    model = WindowForecaster(**{"lookback": 4, "horizon": 2, "estimator": SMALL, **changes})
    with pytest.raises(InputError) as caught:
        model.fit(series())
    assert caught.value.argument == argument


def test_importances_need_a_regressor_that_can_tell() -> None:
    forest = WindowForecaster(4, 2, RandomForestRegressor(5, random_state=0)).fit(series())
    assert forest.feature_importances_.sum() == pytest.approx(1)
    with pytest.raises(InputError, match="KNeighborsRegressor"):
        _ = WindowForecaster(4, 2, KNeighborsRegressor()).fit(series()).feature_importances_


def test_local_time_makes_the_calendar() -> None:
    """A load that follows the clock on the wall follows it through the change to summer time."""
    times = pd.date_range("2024-01-01", periods=24 * 140, freq="h", tz="Europe/Berlin")
    y = (times.hour == 8).astype(float)
    found = WindowForecaster(1, 1, calendar=("hour",)).fit(pd.Series(y, index=times))
    for hour, wanted in ((6, 0), (7, 1), (8, 0)):
        end = pd.Timestamp("2024-06-01", tz="Europe/Berlin") + pd.Timedelta(hours=hour)
        window = pd.DataFrame({"ds": [end], "y": [0.0]})
        assert found.predict(y=window)["yhat"][0] == pytest.approx(wanted, abs=0.2)


def test_series_that_are_too_short_are_counted() -> None:
    lengths = {"long": 40, "short": 9, "tiny": 3}
    y = pd.concat(
        [pd.DataFrame({"unique_id": k, "ds": range(n), "y": np.arange(float(n))}) for k, n in lengths.items()]
    )
    with pytest.raises(InputError, match=r"y, unique_id 'short': .*6 \+ 4 = 10 steps; received 9 steps \(2 of 3"):
        WindowForecaster(6, 4).fit(y)
