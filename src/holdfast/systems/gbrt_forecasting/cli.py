"""Forecasts from your own table: `holdfast gbrt_forecasting fit`, `predict`, `backtest`, `compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.console import bar
from holdfast.errors import InputError
from holdfast.systems.gbrt_forecasting.cli_files import check_table, draw, read_data, read_known, tell_unused, write
from holdfast.systems.gbrt_forecasting.compare_cli import compare_
from holdfast.systems.gbrt_forecasting.console import plain, print_scores, said, say, tell_importances

if TYPE_CHECKING:
    from holdfast.systems.gbrt_forecasting.estimator import WindowForecaster

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Forecast the series of a csv or parquet table with gradient-boosted trees: fit, predict, backtest,"
    " compare with other forecasters.",
)
Data = Annotated[Path, typer.Argument(help="A csv, tsv or parquet table: a row per time (and series).")]
Time = Annotated[
    str | None, typer.Option(help="Column of the time stamps. Default: ds, or the first that is no number.")
]
Target = Annotated[str | None, typer.Option(help="Column to forecast. Default: y; of a wide table all columns.")]
Id = Annotated[
    str | None, typer.Option("--id", help="Column that names the series. Default: unique_id, if there is one.")
]
Past = Annotated[str, typer.Option(help="Columns known up to the present, comma-separated: sensors, sales of others.")]
Known = Annotated[str, typer.Option(help="Columns known beforehand, comma-separated: prices, holidays, plans.")]
Horizon = Annotated[int, typer.Option(help="Steps to forecast.")]
Lookback = Annotated[int | None, typer.Option(help="Steps of the past that a forecast sees. Default: as the horizon.")]
Freq = Annotated[str | None, typer.Option(help="h, D, B, W, MS, 15min, ...; default: found from the time stamps.")]
Fill = Annotated[str | None, typer.Option(help="How gaps are filled: forward or zero. Default: they are refused.")]
Kind = Annotated[str, typer.Option("--estimator", help="hist, xgboost or lightgbm.")]
Trees = Annotated[int, typer.Option(help="Trees per step ahead.")]
Depth = Annotated[int, typer.Option(help="Largest depth of a tree.")]
Rate = Annotated[float, typer.Option(help="Shrinkage of each tree.")]
Strategy = Annotated[str, typer.Option(help="direct, multi_output (xgboost only) or recursive.")]
Difference = Annotated[bool, typer.Option(help="Forecast the change from the last value: for series with a trend.")]
Scaling = Annotated[str | None, typer.Option(help="window-mean or standard: for series of different size.")]
Calendar = Annotated[str, typer.Option(help="auto, none, or hour,dayofweek,... (comma-separated).")]
Quantiles = Annotated[str, typer.Option(help="Comma-separated, in (0, 1); none for none.")]
Jobs = Annotated[int, typer.Option(help="Threads.")]
Seed = Annotated[int, typer.Option(help="Of what is sampled.")]
Figure = Annotated[bool, typer.Option(help="Draw the first series, as svg and png beside the table.")]


@app.command(name="fit")
def fit_(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the model.")],
    horizon: Horizon = 24,
    lookback: Lookback = None,
    time: Time = None,
    target: Target = None,
    series: Id = None,
    past: Past = "",
    known: Known = "",
    freq: Freq = None,
    fill: Fill = None,
    estimator: Kind = "hist",
    trees: Trees = 100,
    depth: Depth = 6,
    rate: Rate = 0.1,
    strategy: Strategy = "direct",
    difference: Difference = False,
    scaling: Scaling = None,
    calendar: Calendar = "auto",
    quantiles: Quantiles = "0.1,0.9",
    jobs: Jobs = 1,
    seed: Seed = 0,
) -> None:
    """Learn from all series of a table and save the model.

    Example: `holdfast gbrt_forecasting fit sales.csv --time date --target sold --id shop --horizon 28 --out model/`
    """
    from holdfast.data.series.panel import describe
    from holdfast.estimator import modelfolder, sklearn_models

    modelfolder.check_replaceable(out)  # now, not after the fit
    if estimator == "hist":
        sklearn_models.check_available()
    model = _forecaster(
        horizon, lookback, freq, fill, estimator, (trees, depth, rate), strategy, difference, scaling, calendar,
        quantiles, jobs, seed,
    )  # fmt: skip
    with said(data, time, target, series), bar("Fitting") as progress:
        *table, unused = read_data(data, time, target, series, _list(past), _list(known))
        model.fit(*table, progress=progress)
        model.save(out)
    tell_unused(unused)
    history = model.history_
    say(f"{out}: forecasts of {history.count:,} series, {horizon} steps ahead ({describe(history).split(', ')[-1]})")
    tell_importances(model)


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="Folder written by fit.")],
    data: Annotated[Path | None, typer.Argument(help="Series to forecast instead of those of fit.")] = None,
    ahead: Annotated[
        Path | None, typer.Option(help="Table with the known columns at the steps to forecast, if fit had --known.")
    ] = None,
    horizon: Annotated[int | None, typer.Option(help="Steps. Default: as fitted.")] = None,
    time: Time = None,
    target: Target = None,
    series: Id = None,
    out: Annotated[Path, typer.Option(help="Table to write: .csv or .parquet.")] = Path("forecasts.csv"),
    figure: Figure = False,
) -> None:
    """Forecast the steps after the end of every series into a table.

    Example: `holdfast gbrt_forecasting predict model/ --out forecasts.csv --figure`
    """
    from holdfast.systems.gbrt_forecasting.estimator import WindowForecaster
    from holdfast.systems.gbrt_forecasting.tool.figures import forecast_figure

    check_table(out)
    forecaster = WindowForecaster.load(model)
    given: dict[str, Any] = {}
    actual = None
    unused: list[str] = []
    with said(data or model, time, target, series, ahead):
        if data is not None:
            y, X, _, unused = read_data(data, time, target, series, list(forecaster.x_names_), [])
            given, actual = {"y": y, "X": X}, y
        known = None if ahead is None else read_known(ahead, time, series, forecaster.future_names_)
        if known is None and forecaster.future_names_:
            wanted = ", ".join(forecaster.future_names_)
            raise InputError("--ahead", f"must be given: a table with {wanted} at the steps to forecast", "nothing")
        found = forecaster.predict(horizon, known, **given)
    tell_unused(unused, "fit's --past or --known")
    write(found, out)
    say(f"{out}: {len(found):,} forecasts of {found['unique_id'].nunique():,} series")
    if figure:
        from holdfast.data.series.long_wide import is_long, read_panel

        history = forecaster.history_.frame()
        if actual is not None:
            columns = [c for c in ("unique_id", "ds", "y") if c in actual]
            panel = read_panel(actual[columns] if is_long(actual) else actual, forecaster.freq, forecaster.fill)
            history = panel.frame()
        draw(forecast_figure(history, found), out)


@app.command()
def backtest(
    data: Data,
    horizon: Horizon = 24,
    windows: Annotated[int, typer.Option(help="Points of the past that forecasts are made from.")] = 5,
    step: Annotated[int | None, typer.Option(help="Steps between them. Default: the horizon.")] = None,
    gap: Annotated[int, typer.Option(help="First steps of every forecast that are not judged.")] = 0,
    train_size: Annotated[
        int | None, typer.Option(help="Steps to train on (sliding). Default: all (expanding).")
    ] = None,
    refit: Annotated[bool, typer.Option(help="Fit anew at every point; else at the first only.")] = True,
    lookback: Lookback = None,
    time: Time = None,
    target: Target = None,
    series: Id = None,
    past: Past = "",
    known: Known = "",
    freq: Freq = None,
    fill: Fill = None,
    estimator: Kind = "hist",
    trees: Trees = 100,
    depth: Depth = 6,
    rate: Rate = 0.1,
    strategy: Strategy = "direct",
    difference: Difference = False,
    scaling: Scaling = None,
    calendar: Calendar = "auto",
    quantiles: Quantiles = "0.1,0.9",
    jobs: Jobs = 1,
    seed: Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Also write the forecasts: .csv or .parquet.")] = None,
    figure: Figure = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
) -> None:
    """Forecast from several points of the past, knowing nothing later, and compare with what came.

    Example: `holdfast gbrt_forecasting backtest sales.csv --time date --target sold --id shop --horizon 28`
    """
    from holdfast.systems.gbrt_forecasting.tool.figures import forecast_figure, step_figure

    target_file = out or Path("backtest.csv")
    check_table(target_file)
    model = _forecaster(
        horizon, lookback, freq, fill, estimator, (trees, depth, rate), strategy, difference, scaling, calendar,
        quantiles, jobs, seed,
    )  # fmt: skip
    with said(data, time, target, series), bar("Backtesting") as progress:
        *table, unused = read_data(data, time, target, series, _list(past), _list(known))
        result = model.backtest(
            *table, n_windows=windows, step=step, gap=gap, train_size=train_size, refit=refit, progress=progress
        )
    tell_unused(unused)
    if out is not None:
        write(result.frame, out)
        say(f"{out}: {len(result.frame):,} forecasts beside what came")
    if figure:
        draw(forecast_figure(result.frame.drop_duplicates(["unique_id", "ds"]), result.frame), target_file)
        draw(step_figure(result.scores(by="step")), target_file, "-steps")
    if as_json:
        scores = {
            by or "all": plain(result.scores(by).rename(index={0: "all"} if by is None else {}))
            for by in (None, "step", "cutoff")
        }
        typer.echo(json.dumps({"data": str(data), "left_out": result.left_out, **scores}, ensure_ascii=False))
        return
    print_scores(result.scores().rename(index={0: "all"}), "all forecasts")
    print_scores(result.scores(by="cutoff"), "by the last time that was known")
    print_scores(result.scores(by="step"), "by the step ahead")
    if result.left_out:
        say(f"{result.left_out} forecasts left out: series too short at the time")


app.command(name="compare")(compare_)


# ------------------------------------------------------------------------------------------------------------- settings
def _forecaster(
    horizon: int,
    lookback: int | None,
    freq: str | None,
    fill: str | None,
    estimator: str,
    size: tuple[int, int, float],
    strategy: str,
    difference: bool,
    scaling: str | None,
    calendar: str,
    quantiles: str,
    jobs: int,
    seed: int,
) -> WindowForecaster:
    from holdfast.regressors.boosters import NAMES
    from holdfast.systems.gbrt_forecasting.estimator import WindowForecaster

    if estimator not in NAMES:
        raise InputError("--estimator", f"must be one of {', '.join(NAMES)}", estimator)
    trees, depth, rate = size
    chosen = {"auto": "auto", "none": None}.get(calendar, tuple(_list(calendar)))
    model = WindowForecaster(
        lookback=horizon if lookback is None else lookback,
        horizon=horizon,
        estimator=NAMES[estimator](learning_rate=rate, trees=trees, depth=depth),
        calendar=chosen,
        strategy=strategy,
        difference="last" if difference else None,
        scaling=scaling,
        quantiles=_numbers(quantiles, "--quantiles"),
        freq=int(freq) if freq is not None and freq.isdigit() else freq,
        fill=fill,
        n_jobs=jobs,
        random_state=seed,
    )
    with said(Path(), None, None, None):  # now, not after a large table was read
        model._check_settings()
    return model


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _numbers(text: str, option: str) -> tuple[float, ...] | None:
    try:
        return None if text == "none" else tuple(float(part) for part in _list(text))
    except ValueError:
        raise InputError(option, "must be numbers, separated by commas, or none", text) from None


__all__ = ["app"]
