"""Backtests against a loop of fit and predict, and that nothing later than a cutoff can be seen."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from holdfast.errors import InputError
from holdfast.systems.gbrt_forecasting import HistTrees, SplitConformal, WindowForecaster

SMALL = HistTrees(trees=4, depth=3, min_leaf=2)


def series(steps: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 5 + 2 * np.sin(np.arange(steps) * 2 * np.pi / 12) + rng.normal(size=steps) * 0.3


def wide(steps: int = 80) -> pd.DataFrame:
    times = pd.date_range("2024-01-01", periods=steps, freq="h")
    return pd.DataFrame({"a": series(steps, 1), "b": 10 * series(steps, 2)}, index=times)


# --------------------------------------------------------------------------------------------------------------- leaks
MODELS = {
    "plain": {},
    "differences": {"difference": "last"},
    "window means": {"scaling": "window-mean"},
    "standard": {"scaling": "standard"},
    "quantiles": {"quantiles": (0.2, 0.8), "conformal": SplitConformal(0.4)},
    "recursive": {"strategy": "recursive", "covariates": "none"},
    "all covariates": {"covariates": "all"},
}


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=2)
@given(seed=st.integers(0, 10**6), at=st.integers(0, 3))
def test_changing_the_future_changes_no_forecast(name: str, seed: int, at: int) -> None:
    """Everything after a cutoff is replaced by noise, covariates included; that cutoff's forecasts stay bit for bit."""
    rng = np.random.default_rng(seed)
    y, X = wide(), pd.DataFrame({"x": rng.normal(size=80)}, index=wide().index)
    model = WindowForecaster(6, 2, SMALL, **MODELS[name])
    cut = len(y) - 2 - 2  # the first of two cutoffs
    changed, other = y.copy(), X.copy()
    changed.iloc[cut + at :] = rng.normal(size=(80 - cut - at, 2)) * 100
    other.iloc[cut + at :] = np.nan
    found, again = (model.backtest(*given, n_windows=2).frame for given in ((y, X), (changed, other)))
    first = found["cutoff"] == y.index[cut - 1]
    assert first.sum() == 4
    later = y.index[max(cut + at - 1, 0)]
    same = found["cutoff"] <= later
    keep = [c for c in found.columns if c != "y"]
    pd.testing.assert_frame_equal(found.loc[same, keep], again.loc[same, keep], check_exact=True)


def test_a_series_that_goes_on_longer_teaches_nothing_about_its_future_to_another() -> None:
    """Series end at different times; all are cut at the same time, not at the same distance from their ends."""
    y = wide()
    y.loc[y.index[60] :, "a"] = np.nan
    model = WindowForecaster(6, 4, SMALL)
    changed = y.copy()
    changed.loc[y.index[76] :, "b"] += 1000
    found, again = (model.backtest(given, n_windows=2, step=10).frame for given in (y, changed))
    assert set(found["unique_id"]) == {"b"}, "a has ended by then"
    np.testing.assert_array_equal(found["yhat"], again["yhat"])
    assert found["cutoff"].nunique() == 2


# -------------------------------------------------------------------------------------------------------------- oracle
@pytest.mark.parametrize("train_size", [None, 30])
@pytest.mark.parametrize("refit", [True, False])
def test_a_backtest_is_fit_and_predict_in_a_loop(train_size: int | None, refit: bool) -> None:
    y, w, h, step, windows = wide(), 6, 4, 5, 3
    model = WindowForecaster(w, h, Ridge(), calendar=("hour",))
    result = model.backtest(y, n_windows=windows, step=step, train_size=train_size, refit=refit)
    found = result.frame.sort_values(["cutoff", "unique_id", "step"], kind="stable")
    fitted, parts = None, []
    for k in range(windows):
        cut = len(y) - h - step * (windows - 1 - k)
        past = y.iloc[:cut]
        if fitted is None or refit:
            fitted = model.clone().fit(past if train_size is None else past.iloc[-train_size:])
        parts.append(fitted.predict(y=past)["yhat"].to_numpy())
        assert (found["cutoff"].unique()[k]) == past.index[-1]
    np.testing.assert_allclose(found["yhat"], np.concatenate(parts), rtol=1e-9)
    came = [y.iloc[len(y) - h - step * (windows - 1 - k) :][:h].T.to_numpy().ravel() for k in range(windows)]
    np.testing.assert_array_equal(found["y"], np.concatenate(came))
    assert not hasattr(model, "models_"), "the forecaster itself is not fitted"
    assert result.left_out == 0


def test_known_future_covariates_reach_the_forecasts() -> None:
    rng = np.random.default_rng(0)
    known = rng.normal(size=300)
    model = WindowForecaster(2, 3, Ridge(1e-6))
    scores = model.backtest(2 * known, X_future=known, n_windows=4).scores()
    assert scores["rmse"][0] < 1e-2


def test_steps_within_the_gap_are_not_judged() -> None:
    y = wide()
    model = WindowForecaster(6, 4, SMALL)
    every, late = model.backtest(y).frame, model.backtest(y, gap=2).frame
    assert sorted(set(late["step"])) == [3, 4]
    wanted = every[every["step"] > 2].reset_index(drop=True)
    pd.testing.assert_frame_equal(late, wanted)


def test_series_that_are_too_short_at_a_cutoff_are_left_out_and_counted() -> None:
    y = wide()
    y.loc[: y.index[69], "a"] = np.nan  # ten steps are left
    result = WindowForecaster(6, 4, SMALL).backtest(y, n_windows=2)
    counts = result.frame.groupby("cutoff")["unique_id"].unique().map(list).tolist()
    assert counts == [["b"], ["a", "b"]]
    assert result.left_out == 1


# --------------------------------------------------------------------------------------------------------- wrong input
@pytest.mark.parametrize(
    ("changes", "argument", "rule"),
    [
        ({"n_windows": 0}, "n_windows", "at least 1"),
        ({"n_windows": 30}, "n_windows", "before cutoff 1 of 30"),
        ({"step": 0}, "step", "at least 1"),
        ({"gap": 4}, "gap", "below horizon = 4"),
        ({"gap": -1}, "gap", "at least 0"),
        ({"train_size": 9}, "train_size", "at least 10"),
    ],
)
def test_backtests_that_cannot_be_are_refused(changes: dict[str, int], argument: str, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        WindowForecaster(6, 4, SMALL).backtest(wide(), **changes)
    assert caught.value.argument == argument
    assert rule in caught.value.rule
