"""What is chosen for series, bands that contain the forecast, and levels that keep their digits."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from holdfast.baselines.forecasting.local import SeasonalNaive
from holdfast.baselines.forecasting.theta import Theta
from holdfast.data.series.long_wide import SeriesNotice, read_panel
from holdfast.data.series.values import are_counts, beyond, loses_digits
from holdfast.data.series.windows import evenly
from holdfast.errors import InputError
from holdfast.metrics.conformal import SplitConformal
from holdfast.systems.gbrt_forecasting import HistTrees, WindowForecaster
from holdfast.systems.gbrt_forecasting.cli import app
from holdfast.systems.gbrt_forecasting.method import MultiOutput
from holdfast.systems.gbrt_forecasting.tool.choosing import choose, fit_beside_simple
from holdfast.systems.gbrt_forecasting.tool.local_strategies import Averaged, EachAlone

FAST = HistTrees(trees=8, min_leaf=5)


def seasonal(count: int = 6, steps: int = 100, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    t = np.arange(steps)
    y = 50 + rng.uniform(5, 10, (count, 1)) * np.sin(2 * np.pi * t / 7) + rng.normal(0, 2, (count, steps))
    return pd.DataFrame(y.T, index=pd.date_range("2024-01-01", periods=steps), columns=[f"s{k}" for k in range(count)])


def like(horizon: int = 7, **settings: object) -> WindowForecaster:
    return WindowForecaster(horizon=horizon, estimator=FAST, quantiles=(0.1, 0.9), **settings)


def test_the_choice_has_the_smallest_error_on_forecasts_made_by_hand() -> None:
    panel = read_panel(seasonal())
    choice = choose(panel, like())
    assert choice.best.error <= min(c.error for c in choice.candidates) * 1.01
    naive = choice.candidates[0]
    assert naive.name == "seasonal naive"
    errors = []
    for start in panel.offsets:
        y = panel.y[start : start + 100]
        unit = np.abs(y[7:80] - y[:73]).mean()
        ends = evenly(np.arange(79, 93), read_panel(y), 12)
        errors += [np.abs(y[end + 1 : end + 8] - y[end - 6 : end + 1]).mean() / unit for end in ends]
    assert naive.error == pytest.approx(np.mean(errors))
    assert choice.judged == len(errors)


def test_what_is_known_at_the_time_alone_decides() -> None:
    """Forecasts of the last part are those of a forecaster that never saw it."""
    panel = read_panel(seasonal(3))
    choice = choose(panel, like())
    learned = next(c for c in choice.candidates if c.name == "ridge scaled")
    early = panel.between(np.zeros(3, int), np.full(3, 80))
    fitted = learned.forecaster.clone().set_params(quantiles=None).fit_panel(early)
    first = fitted.predict()["yhat"].to_numpy().reshape(3, 7)
    came = panel.y.reshape(3, 100)[:, 80:87]
    rows = np.flatnonzero(np.isin(np.arange(len(learned.calibration.series)) % 12, [0]))
    assert learned.calibration.residuals[rows] == pytest.approx(came - first, abs=1e-4)


@pytest.mark.parametrize("strategy", [EachAlone(Theta(7)), Averaged(SeasonalNaive(7), MultiOutput())])
def test_forecasters_of_single_series_are_saved_and_know_nothing_later(strategy: object, tmp_path: Path) -> None:
    from sklearn.linear_model import Ridge

    pytest.importorskip("skops")
    table = seasonal(3)
    made = WindowForecaster(14, 7, Ridge(), strategy=strategy, quantiles=(0.1, 0.9), calendar=None)  # type: ignore[arg-type]
    fitted = made.clone().fit(table)
    fitted.save(tmp_path / "model")
    found = fitted.predict()
    pd.testing.assert_frame_equal(WindowForecaster.load(tmp_path / "model").predict(), found)
    changed = table.copy()
    changed.iloc[93:] += 1000
    one, other = (made.backtest(t, n_windows=1).frame["yhat"] for t in (table, changed))
    assert one.tolist() == other.tolist()
    other_series = fitted.predict(y=table.rename(columns={"s0": "new"}))
    assert other_series["yhat"].tolist() == pytest.approx(found["yhat"].tolist())


def test_a_line_goes_on_and_its_band_contains_it() -> None:
    panel = read_panel(100 + 2.0 * np.arange(200))
    found = choose(panel, like()).fitted(panel).predict()
    assert found["yhat"].to_numpy() == pytest.approx(100 + 2.0 * np.arange(200, 207), abs=0.01)
    assert (found["q10"] <= found["yhat"]).all()
    assert (found["yhat"] <= found["q90"]).all()


def test_outer_quantiles_are_calibrated_on_more_windows_than_candidates_are_judged_by() -> None:
    panel = read_panel(100 + 2.0 * np.arange(300) + np.random.default_rng(0).normal(0, 3, 300))
    choice = choose(panel, WindowForecaster(horizon=3, estimator=FAST, quantiles=(0.05, 0.95)))
    assert choice.judged == 12
    found = choice.fitted(panel).predict()
    assert (found["q5"] < found["q95"]).all()


def test_coverage_over_64_values_of_a_line_with_noise() -> None:
    y = 100 + 2.0 * np.arange(300) + np.random.default_rng(0).normal(0, 3, 300)
    panel = read_panel(y[:236])
    chosen = choose(panel, like(8)).best.forecaster
    found = chosen.backtest(y, n_windows=8).frame
    inside = ((found["q10"] <= found["y"]) & (found["y"] <= found["q90"])).sum()
    assert len(found) == 64
    assert 42 <= inside <= 61  # 51 of 64 would be 80 %; beyond these numbers lies less than 1 % by chance


def test_trees_that_cannot_follow_say_so_and_their_band_contains_the_forecast() -> None:
    with pytest.warns(SeriesNotice, match=r"has 498, outside of 100 to 418.*--difference"):
        found = like().fit(100 + 2.0 * np.arange(200)).predict()
    assert (found["q10"] <= found["yhat"]).all()
    assert (found["yhat"] <= found["q90"]).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        like(difference="last").fit(100 + 2.0 * np.arange(200))


def test_counts_have_no_negative_quantiles() -> None:
    y = np.random.default_rng(0).poisson(0.4, 200)
    assert (like().fit(y.astype(float)).predict()[["yhat", "q10", "q90"]] >= 0).all(axis=None)
    below = like().fit(y - 0.5).predict()
    assert (below["q10"] < 0).any()
    wide = read_panel(pd.DataFrame({"a": [0.0, 3.0], "b": [0.5, 1.0], "c": [-1.0, 2.0]}))
    assert are_counts(wide).tolist() == [True, False, False]


def test_quantiles_never_cross() -> None:
    forecaster = WindowForecaster(7, 4, FAST, quantiles=(0.05, 0.25, 0.5, 0.75, 0.95), conformal=SplitConformal(0.4))
    found = forecaster.fit(seasonal(2)).predict()[["q5", "q25", "q50", "q75", "q95"]]
    assert (np.diff(found, axis=1) >= 0).all()


def test_a_large_level_keeps_its_digits() -> None:
    t = np.arange(200)
    y = 1.4e9 + 20 * np.sin(2 * np.pi * t / 7)
    came = 1.4e9 + 20 * np.sin(2 * np.pi * np.arange(200, 207) / 7)
    times = pd.date_range("2024-01-01", periods=200)
    panel = read_panel(pd.Series(y, index=times))
    assert loses_digits(panel)
    assert choose(panel, like()).fitted(panel).predict()["yhat"].to_numpy() == pytest.approx(came, abs=0.01)
    with pytest.warns(SeriesNotice, match="no digits for steps this small"):
        trees = WindowForecaster(14, 7, HistTrees(trees=60, min_leaf=5), calendar=None).fit(y)
    assert np.sqrt(np.mean((trees.predict()["yhat"] - came) ** 2)) < 2
    assert not loses_digits(read_panel(y - 1.4e9 + 100))


def test_evenly_keeps_the_last_and_as_many_as_asked() -> None:
    panel = read_panel(seasonal(2, 30))
    kept = evenly(np.concatenate([np.arange(5, 25), np.arange(40, 43)]), panel, 4)
    assert kept.tolist() == [9, 14, 19, 24, 40, 41, 42]


def test_beyond_names_the_series() -> None:
    before = read_panel(pd.DataFrame({"a": [0.0, 10.0], "b": [2.0, 3.0]}))
    assert beyond(read_panel(pd.DataFrame({"a": [0.0, 10.4], "b": [2.0, 3.0]})), before) is None
    assert "'b' has -3" in str(beyond(read_panel(pd.DataFrame({"a": [0.0, 10.4], "b": [-3.0, 3.0]})), before))


def test_a_simple_forecaster_that_is_better_is_named() -> None:
    panel = read_panel(100 + 2.0 * np.arange(200))
    with pytest.warns(SeriesNotice):
        said = fit_beside_simple(like(), panel)
    assert said is not None
    assert said.startswith("Theta was better")
    assert fit_beside_simple(like(difference="last"), panel) is None


def test_series_too_short_to_choose_on_are_refused() -> None:
    with pytest.raises(InputError, match="use a shorter horizon"):
        choose(read_panel([1.0, 2.0, 4.0, 3.0, 5.0]), like(4))


def test_fit_by_default_chooses_and_says_what(tmp_path: Path) -> None:
    pytest.importorskip("skops")
    table = seasonal(2).rename_axis("day").reset_index()
    table.to_csv(tmp_path / "t.csv", index=False)

    def run(*arguments: object) -> str:
        result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    said = run("fit", tmp_path / "t.csv", "--horizon", 7, "--trees", 5, "--out", tmp_path / "m")
    assert "seasonal naive" in said
    assert "forecaster: " in said
    run("predict", tmp_path / "m", "--out", tmp_path / "f.csv")
    assert len(pd.read_csv(tmp_path / "f.csv")) == 14
    said = run("backtest", tmp_path / "t.csv", "--horizon", 7, "--trees", 5, "--windows", 2)
    assert "forecaster: " in said
    said = run("fit", tmp_path / "t.csv", "--horizon", 7, "--trees", 1, "--strategy", "direct", "--out", tmp_path / "n")
    assert "was better on the last part of the series" in said
