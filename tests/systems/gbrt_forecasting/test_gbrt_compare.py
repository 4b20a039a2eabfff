"""The comparison of forecasters: what it may know, what it says, what it writes."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from holdfast.baselines.forecasting import networks as nets
from holdfast.baselines.forecasting.network_regressor import NetworkRegressor
from holdfast.data.series.long_wide import read_panel
from holdfast.data.series.panel import Panel
from holdfast.errors import InputError
from holdfast.metrics.backtests import Origin
from holdfast.regressors.boosters import HistTrees
from holdfast.systems.gbrt_forecasting.cli import app
from holdfast.systems.gbrt_forecasting.estimator import WindowForecaster
from holdfast.systems.gbrt_forecasting.tool import comparison as module
from holdfast.systems.gbrt_forecasting.tool import contenders as part_module
from holdfast.systems.gbrt_forecasting.tool.backtest import known_first, run_backtest
from holdfast.systems.gbrt_forecasting.tool.bench import Bench
from holdfast.systems.gbrt_forecasting.tool.choosing import choose
from holdfast.systems.gbrt_forecasting.tool.comparison import (
    Comparison,
    compare_forecasters,
    default_cutoffs,
    forecast_ahead,
)
from holdfast.systems.gbrt_forecasting.tool.comparison_figures import future_figures
from holdfast.systems.gbrt_forecasting.tool.comparison_page import cells, render, show_comparison, write_all

STEPS = {"DLinear": 5, "LSTM": 5}


def wide(length: int = 130, series: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    t = np.arange(length)
    columns = {
        f"shop <{k}>": 20 * (k + 1) + 5 * np.sin(2 * np.pi * t / 7) + rng.normal(size=length) for k in range(series)
    }
    return pd.DataFrame(columns, index=pd.date_range("2022-01-03", periods=length, freq="D", name="day"))


def panel(length: int = 130, series: int = 2) -> Panel:
    return read_panel(wide(length, series))


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model that compiles, and few trees."""
    monkeypatch.setattr(module, "MODELS", ())
    monkeypatch.setattr(part_module, "HistTrees", functools.partial(HistTrees, trees=4))


@pytest.fixture(scope="module")
def small() -> Comparison:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MODELS", ())
        patch.setattr(part_module, "HistTrees", functools.partial(HistTrees, trees=4))
        return compare_forecasters(panel(), 4, lookback=10, cutoffs=4, steps=STEPS)


def test_all_are_compared_on_the_same_forecasts(small: Comparison) -> None:
    assert len(small.entries) == 8
    first = small.entries[0].backtest.frame
    for entry in small.entries:
        keys = ["unique_id", "ds", "cutoff", "step", "y", "scale"]
        pd.testing.assert_frame_equal(entry.backtest.frame[keys], first[keys])
    assert len(first) == 2 * 4 * 4
    assert small.bench.season == 7
    assert small.errors().shape == (8, 8)


def test_naive_forecasts_are_those_of_the_series(small: Comparison) -> None:
    frames = {e.name: e.backtest.frame for e in small.entries}
    table = wide()
    for row in frames["last value"].itertuples():
        assert row.yhat == pytest.approx(table.loc[row.cutoff, row.unique_id], rel=1e-5)
    for row in frames["seasonal naive"].itertuples():
        assert row.yhat == pytest.approx(table.loc[row.ds - pd.Timedelta(days=7), row.unique_id], rel=1e-5)


def test_the_table_follows_from_the_errors(small: Comparison) -> None:
    table, errors = small.table(), small.errors()
    assert small.order == "mase"
    assert list(table["mase"]) == sorted(table["mase"])
    assert table.index[0] == small.best.name
    for name, row in table.iterrows():
        frame = next(e.backtest.frame for e in small.entries if e.name == name)
        assert row["mase"] == pytest.approx(((frame["y"] - frame["yhat"]).abs() / frame["scale"]).mean())
        assert row["mase"] == pytest.approx(errors[name].mean())
        assert row["worse"] == pytest.approx(row["mase"] / table["mase"].iloc[0] - 1)
        inside = (frame["q10"] <= frame["y"]) & (frame["y"] <= frame["q90"])
        assert row["coverage"] == pytest.approx(inside.mean())
        if name != small.best.name:
            assert row["worse_low"] <= row["worse"] <= row["worse_high"]
    assert table["wins"].sum() == pytest.approx(1)
    assert table["width"].iloc[0] == pytest.approx(1)
    assert (table["cpu_seconds"] >= table["fit_seconds"]).all()
    assert (table["fit_seconds"] >= 0).all()
    assert table["steps"].dropna().to_dict() == STEPS


def test_what_comes_later_changes_no_forecast(small: Comparison) -> None:
    """Values after the first cutoff may change forecasts of later cutoffs, none of the first."""
    frame = wide()
    first = small.best.backtest.frame["cutoff"].min()
    frame.loc[frame.index > first] += 1000.0
    again = compare_forecasters(read_panel(frame), 4, lookback=10, cutoffs=4, steps=STEPS)
    for entry in small.entries:
        other = next(e for e in again.entries if e.name == entry.name)
        before, after = (e.backtest.frame for e in (entry, other))
        at_first = before["cutoff"] == first
        np.testing.assert_array_equal(before["yhat"][at_first], after["yhat"][at_first])
        assert not np.array_equal(before["yhat"][~at_first], after["yhat"][~at_first])


def test_the_verdict_names_the_best_and_those_as_good(small: Comparison) -> None:
    said, table = small.verdict(), small.table()
    assert said.startswith(f"{small.best.called} has the smallest error (MASE")
    level = [str(name) for name, row in table.iloc[1:].iterrows() if row["worse_low"] <= 0]
    worse = len(table) - 1 - len(level)
    assert ("may be as good" in said) == bool(level)
    assert all(name in said for name in level)
    assert not worse or not level or f"{worse} of {len(table) - 1} others are worse beyond chance" in said


def test_few_forecasts_give_no_interval() -> None:
    found = compare_forecasters(panel(70, 1), 2, lookback=8, cutoffs=2, steps=STEPS)
    assert found.table()["worse_low"].isna().all()
    assert "too few forecasts" in found.verdict()


def test_a_short_series_is_compared_at_fewer_cutoffs() -> None:
    """Three years of months: bands are calibrated on more than a fifth."""
    found = compare_forecasters(panel(40, 1), 3, steps=STEPS)
    assert (found.bench.cutoffs, found.bench.lookback) == (2, 10)
    assert found.table()["coverage"].notna().all()
    assert len(forecast_ahead(found)) == 3


def test_a_constant_series_is_ordered_by_its_absolute_error() -> None:
    found = compare_forecasters(read_panel(np.full(60, 5.0)), 2, lookback=6, cutoffs=2, steps=STEPS)
    assert found.order == "mae"
    assert found.bench.season == 1
    assert "seasonal naive" not in found.table().index
    assert render(found, "constant.csv")


def test_only_some_of_many_series_are_compared_and_said_so() -> None:
    found = compare_forecasters(panel(70, 5), 2, lookback=8, cutoffs=2, most_series=2, steps=STEPS)
    assert found.bench.panel.ids.tolist() == ["shop <0>", "shop <4>"]
    assert "2 of 5 series" in found.notes[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [({"horizon": 0}, "horizon"), ({"horizon": 40}, "must have .* steps before"), ({"cutoffs": 30}, "fewer cutoffs")],
)
def test_what_cannot_be_compared(change: dict[str, int], said: str) -> None:
    settings = {"horizon": 4, "lookback": 8, **change}
    with pytest.raises(InputError, match=said):
        compare_forecasters(panel(), **settings)


def test_the_future_is_the_best_ones(small: Comparison) -> None:
    ahead = forecast_ahead(small)
    assert list(ahead.columns) == ["unique_id", "ds", "yhat", "q10", "q90", "model"]
    assert set(ahead["model"].str.partition(" (")[0]) == {small.best.name}
    assert ahead["ds"].min() == wide().index[-1] + pd.Timedelta(days=1)
    assert len(ahead) == 2 * 4


def test_the_page_holds_every_number_and_nothing_foreign(small: Comparison) -> None:
    page = render(small, "<b>sales</b>.csv", "holdfast gbrt_forecasting compare")
    assert "<b>sales" not in page
    assert "shop <0>" not in page
    assert "shop &lt;0&gt;" in page
    for row in cells(small):
        assert row["mase"]["text"] in page
    for outside in ("http://", "https://", "src="):
        assert outside not in page.replace("http://www.w3.org", "")
    assert page.count("<svg") == 2 + 2 * 3


def test_what_fit_takes_by_itself_is_compared_too(small: Comparison) -> None:
    """Chosen by what is known at the first cutoff, which the verbs' `backtest` does in the same way."""
    entry = next(e for e in small.entries if e.name == "chosen")
    series, origin = panel(), Origin(4, 4, refit=False)
    like = WindowForecaster(horizon=4, quantiles=(0.1, 0.9), random_state=0)
    best = choose(known_first(series, origin, 4), like).best
    assert (entry.method, entry.called) == (best.name, f"chosen ({best.name})")
    assert best.name in entry.about
    other = run_backtest(best.forecaster, series, origin, lambda done, of: None)
    pd.testing.assert_frame_equal(entry.backtest.frame, other.frame)
    assert entry.fit_seconds > other.fit_seconds / 2  # what choosing took is in it


def test_what_fit_takes_forecasts_ahead_too(small: Comparison) -> None:
    first = dataclasses.replace(small, entries=tuple(sorted(small.entries, key=lambda e: e.name != "chosen")))
    ahead = forecast_ahead(first)
    best = choose(panel(), WindowForecaster(horizon=4, quantiles=(0.1, 0.9), random_state=0))
    assert set(ahead["model"]) == {f"chosen ({best.best.name})"}
    np.testing.assert_array_equal(ahead["yhat"], best.fitted(panel()).predict()["yhat"])


def test_the_page_draws_the_future_and_links_its_files(small: Comparison, tmp_path: Path) -> None:
    ahead = forecast_ahead(small)
    write_all(small, ahead, "sales.csv", tmp_path)
    page = (tmp_path / "comparison.html").read_text()
    links = re.findall(r'href="([^"#]+)"', page)
    assert links == ["table.csv", "backtest.csv", "forecast.csv"]
    assert all((tmp_path / link).is_file() for link in links)
    assert f"What comes next, by {small.best.called}" in page
    assert page.count("<svg") == 2 + 2 * 3 + 2
    assert page.count("forecasts of shop &lt;0&gt; after its end") == 1
    assert {p.stem for p in (tmp_path / "figures").glob("future-*.svg")} == {"future-0", "future-1"}


def test_the_future_begins_where_the_values_end(small: Comparison) -> None:
    """The line and the band are the forecasts' own, right of what came."""
    ahead = forecast_ahead(small)
    axes = future_figures(small, ahead)[1].figure.axes[0]
    mine = ahead[ahead["unique_id"] == "shop <1>"]
    came, forecast = axes.lines[0], axes.lines[1]
    np.testing.assert_allclose(forecast.get_ydata(), mine["yhat"])
    assert came.get_ydata()[-1] == pytest.approx(wide()["shop <1>"].iloc[-1])
    assert forecast.get_xdata()[0] - came.get_xdata()[-1] == np.timedelta64(1, "D")
    band = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == pytest.approx((mine["q10"].min(), mine["q90"].max()))


def test_one_cutoff_is_called_one(capsys: pytest.CaptureFixture[str]) -> None:
    found = compare_forecasters(panel(60, 2), 6, lookback=8, cutoffs=1, steps=STEPS)
    page = render(found, "sales.csv")
    show_comparison(found)
    shown = " ".join(capsys.readouterr().out.split())
    assert "at one cutoff)" in found.verdict()
    assert found.verdict() in page.replace("&#39;", "'")
    assert "from one cutoff" in shown
    assert "at one cutoff)" in shown
    assert "from one point of the past" in page
    assert "1 cutoffs" not in page
    assert "several points" not in page


@pytest.mark.parametrize(("series", "length", "cutoffs"), [(40, 96, 3), (1, 120, 3), (1, 90, 1), (3, 400, 8)])
def test_several_cutoffs_wherever_the_series_are_long_enough(series: int, length: int, cutoffs: int) -> None:
    """Monthly series, a year ahead: three cutoffs from eight years of many series, or ten of one, and bands at each."""
    rng = np.random.default_rng(0)
    index = pd.date_range("1990-01-01", periods=length, freq="MS")
    table = pd.DataFrame(rng.normal(100, 5, (length, series)), index=index)
    usual = default_cutoffs(read_panel(table), 12)
    bench = Bench.of(read_panel(table), 12, default=usual)
    assert bench.cutoffs == cutoffs
    assert len(bench.bands.split(bench.known, bench.lookback, 12, 12)[1]) >= 9
    assert len(bench.bands.split(bench.known, bench.lookback, 12, 12)[0]) >= 8


def test_networks_train_as_long_as_the_trees_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their steps follow from the trees' time and the cost of a step, and the same steps give the same numbers."""
    asked = []

    def cost(self: NetworkRegressor, covariates: int, horizon: int, threads: int = 1) -> float:
        asked.append((covariates, horizon))
        return 0.01 if self.net is nets.LSTM else 0.001

    monkeypatch.setattr(NetworkRegressor, "seconds_per_step", cost)
    monkeypatch.setattr("holdfast.baselines.forecasting.network_regressor.FEWEST", 1)
    found = compare_forecasters(panel(90, 1), 2, lookback=8, cutoffs=2)
    took = next(e.fit_seconds for e in found.entries if e.name == "GBRT")
    assert found.steps == {"DLinear": max(1, int(took / 2 / 0.001)), "LSTM": max(1, int(took / 2 / 0.01))}
    assert asked == [(3, 2), (3, 2)]  # the calendar's columns
    again = compare_forecasters(panel(90, 1), 2, lookback=8, cutoffs=2, steps=found.steps)
    numbers = ["mase", "mae", "rmse", "coverage"]
    pd.testing.assert_frame_equal(found.table()[numbers], again.table()[numbers])


@pytest.mark.parametrize("steps", [{"DLinear": 5}, {"DLinear": 5, "LSTM": 5, "MLP": 5}, {"DLinear": 5, "LSTM": 0}])
def test_steps_that_cannot_be(steps: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "contenders", None)  # refused before anything is fitted
    with pytest.raises(InputError, match="steps"):
        compare_forecasters(panel(90, 1), 2, lookback=8, cutoffs=2, steps=steps)


# --------------------------------------------------------------------------------------------------------------- verb
def test_the_verb_writes_page_tables_and_figures(tmp_path: Path) -> None:
    path, out = tmp_path / "sales.csv", tmp_path / "found"
    wide(90, 1).to_csv(path)
    arguments = ["compare", str(path), "--horizon", "3", "--lookback", "8", "--cutoffs", "2", "--out", str(out)]
    arguments += ["--steps", "DLinear=7,LSTM=4"]
    result = CliRunner().invoke(app, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout[result.stdout.index("{") : result.stdout.rindex("}") + 1])
    assert told["series"] == 1
    assert told["steps"] == {"DLinear": 7, "LSTM": 4}
    table = pd.read_csv(out / "table.csv")
    assert table["name"].tolist() == [row["name"] for row in told["forecasters"]]
    assert set(pd.read_csv(out / "backtest.csv")["model"]) == set(table["name"])
    assert len(pd.read_csv(out / "forecast.csv")) == 3
    assert (out / "comparison.html").read_text().startswith("<!doctype html>")
    assert {p.name for p in (out / "figures").glob("*.svg")} >= {"errors.svg", "steps.svg"}


def test_the_terminal_shows_every_forecaster(small: Comparison, capsys: pytest.CaptureFixture[str]) -> None:
    show_comparison(small)
    shown = capsys.readouterr().out
    assert all(row["name"] in shown and row["mase"]["text"] in shown for row in cells(small))


@pytest.mark.parametrize("width", [72, 80, 200])
def test_the_terminal_shows_each_forecaster_in_one_line(
    width: int, small: Comparison, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show_comparison(small)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    lines = shown.removesuffix(f"{small.verdict()}\n").splitlines()
    assert max(map(len, lines)) <= width
    for row in cells(small):
        assert sum(row["name"] in line and row["worse"]["text"] in line for line in lines) == 1
    assert len(lines) == 5 + len(small.entries)


def test_the_verb_says_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    wide(30).to_csv(path)
    result = CliRunner().invoke(app, ["compare", str(path), "--horizon", "12"])
    assert isinstance(result.exception, InputError)
    assert str(result.exception).startswith(f"{path}: must have")
