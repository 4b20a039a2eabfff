"""fit, predict and backtest on small tables: what they write, and one-line errors in the user's words."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from holdfast.errors import InputError
from holdfast.systems.gbrt_forecasting import WindowForecaster, forecast_figure
from holdfast.systems.gbrt_forecasting.cli import app
from holdfast.systems.gbrt_forecasting.tool.figures import step_figure

NAMES = ["--time", "date", "--target", "sold", "--id", "shop"]
FAST = ["--horizon", "3", "--lookback", "7", "--trees", "3"]


def run(*arguments: object) -> Result:
    """Run a verb; an exception is raised here as the command line's main would see it."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def sales() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame(
            {
                "shop": name,
                "date": pd.date_range("2024-01-01", periods=n).astype(str),
                "sold": 10 + 3 * np.sin(np.arange(n) * 2 * np.pi / 7) + rng.normal(size=n),
                "price": rng.normal(size=n),
                "visitors": rng.integers(0, 9, size=n),
            }
        )
        for name, n in (("north", 90), ("south", 80))
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table as csv and parquet, and a fitted model."""
    pytest.importorskip("skops")
    root = tmp_path_factory.mktemp("own data")  # with a space
    sales().to_csv(root / "sales.csv", index=False)
    sales().to_parquet(root / "sales.parquet", index=False)
    run("fit", root / "sales.csv", *NAMES, *FAST, "--past", "visitors", "--known", "price", "--out", root / "model")
    ahead = [
        pd.DataFrame({"shop": n, "date": pd.date_range(s, periods=3).astype(str), "price": 0.0})
        for n, s in (("north", "2024-03-31"), ("south", "2024-03-21"))
    ]
    pd.concat(ahead).to_csv(root / "ahead.csv", index=False)
    ahead[0].to_csv(root / "partly.csv", index=False)
    sales().drop(4).to_csv(root / "gaps.csv", index=False)
    (root / "folder.csv").mkdir()
    return root


def test_fit_and_predict_are_the_forecaster(files: Path) -> None:
    run(
        "predict",
        files / "model",
        "--ahead",
        files / "ahead.csv",
        "--time",
        "date",
        "--id",
        "shop",
        "--out",
        files / "f.csv",
    )
    found = pd.read_csv(files / "f.csv")
    assert list(found.columns) == ["unique_id", "ds", "yhat", "q10", "q90"]
    wanted = [*pd.date_range("2024-03-31", periods=3), *pd.date_range("2024-03-21", periods=3)]
    assert found["ds"].tolist() == [str(day.date()) for day in wanted]
    model = WindowForecaster.load(files / "model")
    table = sales().rename(columns={"shop": "unique_id", "date": "ds", "sold": "y"})
    again = model.clone().fit(table, X=["visitors"], X_future=["price"])
    np.testing.assert_allclose(found["yhat"], again.predict(X_future=np.zeros((3, 1)))["yhat"], rtol=1e-5)


def test_parquet_in_and_out_and_a_figure(files: Path) -> None:
    names = ["--time", "date", "--target", "sold", "--id", "shop"]
    run("fit", files / "sales.parquet", *names, *FAST, "--quantiles", "none", "--out", files / "plain")
    result = run("predict", files / "plain", files / "sales.parquet", *names, "--out", files / "g.parquet", "--figure")
    found = pd.read_parquet(files / "g.parquet")
    pd.testing.assert_frame_equal(found, WindowForecaster.load(files / "plain").predict(), check_dtype=False)
    assert (files / "g.png").stat().st_size > 5000
    assert "<svg" in (files / "g.svg").read_text()
    assert "not used: price, visitors" in result.output


def test_backtest_prints_scores_and_writes_the_forecasts(files: Path) -> None:
    options = [*NAMES, *FAST, "--windows", "2", "--no-refit", "--out", files / "b.csv", "--figure"]
    result = run("backtest", files / "sales.csv", *options)
    assert "by the step ahead" in result.output
    written = pd.read_csv(files / "b.csv")
    assert {"unique_id", "ds", "cutoff", "step", "y", "yhat", "q10", "q90"} <= set(written.columns)
    assert (files / "b-steps.svg").is_file()
    asked = run("backtest", files / "sales.csv", *NAMES, *FAST, "--windows", "2", "--no-refit", "--json")
    scores = json.loads(asked.stdout.splitlines()[-1])
    assert scores["all"][0]["rmse"] == pytest.approx(((written["y"] - written["yhat"]) ** 2).mean() ** 0.5, rel=1e-4)
    assert [s["of"] for s in scores["step"]] == [1, 2, 3]


def test_a_wide_table_needs_no_names(files: Path) -> None:
    wide = sales().pivot(index="date", columns="shop", values="sold").iloc[:80].reset_index()
    wide.to_csv(files / "wide.csv", index=False)
    assert run("backtest", files / "wide.csv", *FAST, "--windows", "1", "--quantiles", "none").output.count("all") >= 1


WRONG = {
    "no file": (["fit", "nowhere.csv", "--out", "m"], "nowhere.csv"),
    "a folder as table": (["fit", "folder.csv", "--out", "m"], "folder.csv"),
    "a folder to write into": (["backtest", "sales.csv", *NAMES, "--out", "folder.csv"], "--out"),
    "a horizon of the past": (["fit", "sales.csv", *NAMES, "--horizon", "-3", "--out", "m"], "--horizon"),
    "gaps": (["fit", "gaps.csv", *NAMES, "--out", "m"], "gaps.csv, series 'north'"),
    "no plan for a shop": (
        ["predict", "model", "--ahead", "partly.csv", "--time", "date", "--id", "shop"],
        "--ahead, series 'south'",
    ),
    "compare: a seed below 0": (["compare", "sales.csv", *NAMES, "--horizon", "3", "--seed", "-1"], "--seed"),
    "compare: no cutoffs": (["compare", "sales.csv", *NAMES, "--horizon", "3", "--cutoffs", "0"], "--cutoffs"),
    "compare: no horizon": (["compare", "sales.csv", *NAMES, "--horizon", "0"], "--horizon"),
    "another kind of file": (["fit", "sales.docx", "--out", "m"], "sales.docx"),
    "no such column": (["backtest", "sales.csv", "--time", "date", "--target", "sould"], "--target"),
    "text": (["backtest", "sales.csv", "--time", "date", "--target", "shop"], "sales.csv, column shop"),
    "no dates": (["backtest", "sales.csv", "--time", "shop", "--target", "sold"], "sales.csv, column shop"),
    "series between each other": (
        ["backtest", "sales.csv", "--time", "date", "--target", "sold", *FAST],
        "sales.csv, series 'y'",
    ),
    "too short": (["fit", "sales.csv", *NAMES, "--horizon", "60", "--out", "m"], "sales.csv"),
    "no such past column": (["fit", "sales.csv", *NAMES, "--past", "weather", "--out", "m"], "--past"),
    "an estimator that nobody knows": (
        ["fit", "sales.csv", *NAMES, "--estimator", "magic", "--out", "m"],
        "--estimator",
    ),
    "quantiles in words": (["fit", "sales.csv", *NAMES, "--quantiles", "low", "--out", "m"], "--quantiles"),
    "beyond the horizon": (
        ["predict", "model", "--horizon", "9", "--ahead", "ahead.csv", "--time", "date", "--id", "shop"],
        "--horizon",
    ),
    "no future covariates": (["predict", "model"], "--ahead"),
    "a table to write as text": (["predict", "model", "--out", "f.txt"], "--out"),
    "a model over other files": (["fit", "sales.csv", *NAMES, "--out", "."], "."),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_are_in_the_users_words(
    case: str, files: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(files)
    arguments, argument = WRONG[case]
    before = sorted(p.name for p in files.iterdir())
    with pytest.raises(InputError) as caught:
        app([str(a) for a in arguments], standalone_mode=False)
    assert caught.value.argument == argument
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", ""), "nothing but the error's line is said"
    assert sorted(p.name for p in files.iterdir()) == before, "a refused command leaves nothing behind"


def test_errors_name_options_and_columns_as_the_user_calls_them(files: Path) -> None:
    with pytest.raises(InputError) as caught:
        run("fit", files / "gaps.csv", *NAMES, "--out", files / "m")
    assert "--fill forward or --fill zero fills them" in str(caught.value)
    assert "1 steps missing in 1 series; 1 in this one, first after date 2024-01-04" in str(caught.value)
    with pytest.raises(InputError, match="or with --strategy recursive; received 9"):
        run("predict", files / "model", "--horizon", 9, "--ahead", files / "ahead.csv")
    with pytest.raises(InputError, match=r"must name columns of .*: price, visitors; received weather"):
        run("fit", files / "sales.csv", *NAMES, "--past", "weather", "--out", files / "m")


def test_trees_that_learned_nothing_say_so(files: Path) -> None:
    sales().iloc[:25].to_csv(files / "few.csv", index=False)  # 16 windows: fewer than two leaves need
    found = run("fit", files / "few.csv", *NAMES, *FAST, "--quantiles", "none", "--out", files / "mean")
    assert "no split helped" in found.output
    assert "what matters most" not in found.output


# -------------------------------------------------------------------------------------------------------------- figures
def test_a_figure_shows_the_band_the_forecast_and_what_came() -> None:
    actual = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024-01-01", periods=30), "y": np.arange(30.0)})
    forecasts = pd.DataFrame(
        {
            "unique_id": "a",
            "ds": pd.date_range("2024-01-31", periods=4),
            "yhat": 1.0,
            "q10": 0.0,
            "q50": 1.0,
            "q90": 2.0,
        }
    )
    (axis,) = forecast_figure(actual, forecasts).axes
    assert [len(line.get_xdata()) for line in axis.get_lines()] == [16, 4]
    (band,) = axis.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0, 2)
    with pytest.raises(InputError, match="series: must have forecasts"):
        forecast_figure(actual, forecasts, series=["b"])


def test_ticks_name_the_month_they_are_in() -> None:
    days = pd.date_range("2023-06-06", periods=30)
    actual = pd.DataFrame({"unique_id": "a", "ds": days[:20], "y": 1.0})
    figure = forecast_figure(actual, pd.DataFrame({"unique_id": "a", "ds": days[20:], "yhat": 1.0}))
    figure.draw_without_rendering()
    axis = figure.axes[0].xaxis
    shown = [label.get_text() for label in axis.get_ticklabels()]
    assert {"15 Jun", "01 Jul"} <= set(shown)
    assert axis.get_offset_text().get_text() == "2023"


def test_errors_by_step_start_at_zero() -> None:
    scores = pd.DataFrame({"rmse": [1.0, 2.0], "mae": [0.5, 1.5], "coverage": [0.8, 0.7]}, index=[1, 2])
    error, coverage = step_figure(scores).axes
    assert error.get_ylim()[0] == 0
    assert coverage.get_ylim() == (0, 100)
