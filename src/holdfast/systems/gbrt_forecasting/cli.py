"""Forecasts from your own table: `holdfast gbrt_forecasting fit`, `predict`, `backtest`, `compare`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast import verbs
from holdfast.errors import InputError
from holdfast.systems.gbrt_forecasting.tool.tables import Columns, words

if TYPE_CHECKING:
    from holdfast.systems.gbrt_forecasting.estimator import WindowForecaster

app = verbs.Verbs(
    "Forecast the series of a csv or parquet table with gradient-boosted trees: fit, predict, backtest, compare with"
    " other forecasters."
)
FORECASTER = verbs.Parameters("holdfast.systems.gbrt_forecasting.estimator:WindowForecaster")
TREES = verbs.Parameters("holdfast.regressors.boosters:Trees").options("trees", "depth", rate="learning_rate")
ORIGIN = verbs.Parameters("holdfast.metrics.backtests:Origin").options("gap", "train_size", "refit")
COMPARISON = verbs.Parameters("holdfast.systems.gbrt_forecasting.tool.comparison:compare_forecasters")
SETTINGS = FORECASTER.options("freq", "fill", jobs="n_jobs", seed="random_state")
# What the forecaster calls its data, and what they come from here.
NAMED = {"y": "data", "X": "--past", "X_future": "--known", "conformal": "--quantiles", "n_windows": "--windows"}

Data = Annotated[Path, typer.Argument(help="A table (csv, tsv, parquet, xlsx, ...): a row per time (and series).")]
Past = Annotated[str, typer.Option(help="Columns known up to the present, comma-separated: sensors, sales of others.")]
Known = Annotated[str, typer.Option(help="Columns known beforehand, comma-separated: prices, holidays, plans.")]
Horizon = Annotated[int, typer.Option(help="Steps to forecast.")]
Figure = Annotated[bool, typer.Option(help="Draw the first series, as svg and png beside the table.")]


@dataclass(frozen=True)
class Model:
    """Settings whose words are the command line's own. Without the first five, the forecaster is chosen."""

    lookback: Annotated[
        int | None, typer.Option(help="Steps of the past that boosted trees see. Default: as the horizon.")
    ] = None
    estimator: Annotated[
        str | None,
        typer.Option(help="The paper's trees: hist, xgboost, lightgbm. Default: chosen on the last part of the data."),
    ] = None
    difference: Annotated[
        bool, typer.Option(help="Trees forecast the change from the last value: for series with a trend.")
    ] = False
    scaling: Annotated[str | None, typer.Option(help="Of what trees see: window-mean or standard.")] = None
    strategy: Annotated[str | None, typer.Option(help="Of trees: direct (default), multi_output or recursive.")] = None
    calendar: Annotated[str, typer.Option(help="auto, none, or hour,dayofweek,... (comma-separated).")] = "auto"
    quantiles: Annotated[str, typer.Option(help="Comma-separated, in (0, 1); none for none.")] = "0.1,0.9"

    @property
    def is_open(self) -> bool:
        """Whether a forecaster is to be chosen."""
        given = (self.lookback, self.estimator, self.scaling, self.strategy, self.difference or None)
        return all(one is None for one in given)

    def forecaster(self, horizon: int, trees: dict[str, Any], settings: dict[str, Any]) -> WindowForecaster:
        """The unfitted forecaster, its settings checked before a large table is read."""
        from holdfast.regressors.boosters import NAMES
        from holdfast.systems.gbrt_forecasting.estimator import WindowForecaster
        from holdfast.systems.gbrt_forecasting.tool.tables import frequency, numbers

        kind = self.estimator or "hist"
        if kind not in NAMES:
            raise InputError("estimator", f"must be one of {', '.join(NAMES)}", kind)
        model = WindowForecaster(
            lookback=horizon if self.lookback is None else self.lookback,
            horizon=horizon,
            estimator=NAMES[kind](**trees),
            calendar={"auto": "auto", "none": None}.get(self.calendar, tuple(words(self.calendar))),
            strategy=self.strategy or "direct",
            difference="last" if self.difference else None,
            scaling=self.scaling,
            quantiles=numbers(self.quantiles, "quantiles"),
            **settings | {"freq": frequency(settings["freq"])},
        )
        model.check_settings()
        return model


@app.verb(named=NAMED)
def fit_(
    data: Data,
    out: Annotated[Path, verbs.model_out()],
    model: Model,
    columns: Columns,
    reading: verbs.Reading,
    trees: Annotated[dict[str, Any], TREES],
    settings: Annotated[dict[str, Any], SETTINGS],
    horizon: Horizon = 24,
    past: Past = "",
    known: Known = "",
    quiet: verbs.Quiet = False,
) -> None:
    """Learn from all series of a table and save the model.

    Naive, Theta, ridge and tree forecasters are tried on the last part of the series, and the best is taken. With
    --estimator or another option of trees these are taken, and it is said where a simple forecaster was better.

    Example: `holdfast gbrt_forecasting fit sales.csv --time date --target sold --id shop --horizon 28 --out model/`
    """
    from holdfast.estimator.sklearn_models import check_available
    from holdfast.systems.gbrt_forecasting.tool.choosing import choose, fit_beside_simple
    from holdfast.systems.gbrt_forecasting.tool.tables import read_data, tell_importances

    if model.estimator in (None, "hist"):
        check_available()  # now, not after the fit
    forecaster = model.forecaster(horizon, trees, settings)
    choice = None
    with columns.in_words(), verbs.progresses(quiet) as show:
        given = read_data(data, columns, words(past), words(known), reading)
        panel = given.panel(forecaster)
        if model.is_open:
            choice = choose(panel, forecaster, partial(show, "Choosing"))
            forecaster = choice.fitted(panel)
        else:
            simple = fit_beside_simple(forecaster, panel, partial(show, "Fitting"))
        forecaster.save(out)
    given.tell()
    history = forecaster.history_
    verbs.say(f"{out}: forecasts of {history.count:,} series, {horizon} steps ahead (freq {history.clock})")
    if choice is not None:
        verbs.show_table(*choice.shown(), title="errors on the last part of the series (1 = the change over a season)")
        verbs.say(choice.why())
    else:
        tell_importances(forecaster)
        if simple:
            verbs.say(simple)


@app.verb(named={"y": "data", "X": "data", "X_future": "--ahead", "h": "--horizon", "strategy": "--strategy"})
def predict(
    model: Annotated[Path, typer.Argument(help="Folder written by fit.")],
    columns: Columns,
    reading: verbs.Reading,
    data: Annotated[Path | None, typer.Argument(help="Series to forecast instead of those of fit.")] = None,
    ahead: Annotated[
        Path | None, typer.Option(help="Table with the known columns at the steps to forecast, if fit had --known.")
    ] = None,
    horizon: Annotated[int | None, typer.Option(help="Steps. Default: as fitted.")] = None,
    out: Annotated[Path, verbs.table_out("Table to write")] = Path("forecasts.csv"),
    figure: Figure = False,
) -> None:
    """Forecast the steps after the end of every series into a table.

    Example: `holdfast gbrt_forecasting predict model/ --out forecasts.csv --figure`
    """
    from holdfast.systems.gbrt_forecasting.estimator import WindowForecaster
    from holdfast.systems.gbrt_forecasting.tool.figures import forecast_figure
    from holdfast.systems.gbrt_forecasting.tool.tables import read_ahead, read_data

    forecaster = WindowForecaster.load(model)
    with columns.in_words():
        given = None if data is None else read_data(data, columns, list(forecaster.x_names_), [], reading)
        known = read_ahead(ahead, columns, forecaster.future_names_, reading)
        others = {} if given is None else {"y": given.y, "X": given.X}
        found = forecaster.predict(horizon, known, **others)
    if given is not None:
        given.tell("fit's --past or --known")
    verbs.write_table(out, found)
    verbs.say(f"{out}: {len(found):,} forecasts of {found['unique_id'].nunique():,} series")
    if figure:
        history = forecaster.history_ if given is None else forecaster.panel_of(given.y, given.X)
        path = verbs.write_figures(forecast_figure(history.frame(), found), out.with_suffix(""))
        verbs.say(f"figure: {path}")


@app.verb(named=NAMED)
def backtest(
    data: Data,
    model: Model,
    columns: Columns,
    reading: verbs.Reading,
    trees: Annotated[dict[str, Any], TREES],
    settings: Annotated[dict[str, Any], SETTINGS],
    origin: Annotated[dict[str, Any], ORIGIN],
    horizon: Horizon = 24,
    windows: Annotated[int, typer.Option(help="Points of the past that forecasts are made from.")] = 5,
    step: Annotated[int | None, typer.Option(help="Steps between them. Default: the horizon.")] = None,
    past: Past = "",
    known: Known = "",
    out: Annotated[Path | None, verbs.table_out("Also write the forecasts")] = None,
    figure: Figure = False,
    as_json: verbs.Json = False,
    quiet: verbs.Quiet = False,
) -> None:
    """Forecast from several points of the past, knowing nothing later, and compare with what came.

    Example: `holdfast gbrt_forecasting backtest sales.csv --time date --target sold --id shop --horizon 28`
    """
    from holdfast.metrics.backtests import Origin
    from holdfast.systems.gbrt_forecasting.tool.backtest import known_first, run_backtest
    from holdfast.systems.gbrt_forecasting.tool.choosing import choose
    from holdfast.systems.gbrt_forecasting.tool.figures import forecast_figure, step_figure
    from holdfast.systems.gbrt_forecasting.tool.tables import read_data, score_records, show_scores

    forecaster = model.forecaster(horizon, trees, settings)
    cuts = Origin(windows, horizon if step is None else step, **origin)
    choice = None
    with columns.in_words(), verbs.progresses(quiet) as show:
        given = read_data(data, columns, words(past), words(known), reading)
        panel = given.panel(forecaster)
        if model.is_open:  # by what is known at the first cutoff, which no forecast is later than
            choice = choose(known_first(panel, cuts, horizon), forecaster, partial(show, "Choosing"))
            forecaster = choice.best.forecaster
        result = run_backtest(forecaster, panel, cuts, partial(show, "Backtesting"))
    given.tell()
    if choice is not None:
        verbs.say(choice.why())
    if out is not None:
        verbs.write_table(out, result.frame)
        verbs.say(f"{out}: {len(result.frame):,} forecasts beside what came")
    if figure:
        stem = Path("backtest") if out is None else out.with_suffix("")
        drawn = forecast_figure(result.frame.drop_duplicates(["unique_id", "ds"]), result.frame)
        verbs.say(f"figure: {verbs.write_figures(drawn, stem)}")
        steps = verbs.write_figures(step_figure(result.scores(by="step")), stem.with_name(f"{stem.name}-steps"))
        verbs.say(f"figure: {steps}")
    scores = {by or "all": result.scores(by) for by in (None, "step", "cutoff")}
    scores["all"] = scores["all"].rename(index={0: "all"})
    if as_json:
        records = {by: score_records(table) for by, table in scores.items()}
        verbs.show_json({"data": data, "left_out": result.left_out, **records})
        return
    show_scores(scores["all"], "all forecasts")
    show_scores(scores["cutoff"], "by the last time that was known")
    show_scores(scores["step"], "by the step ahead")
    if result.left_out:
        verbs.say(f"{result.left_out} forecasts left out: series too short at the time")


@app.verb(named=NAMED)
def compare(
    data: Data,
    columns: Columns,
    reading: verbs.Reading,
    settings: Annotated[
        dict[str, Any],
        COMPARISON.options("lookback", "season", "cutoffs", "seed", "threads", series="most_series"),
    ],
    table: Annotated[dict[str, Any], FORECASTER.options("freq", "fill")],
    horizon: Horizon = 24,
    past: Past = "",
    steps: Annotated[
        str, typer.Option(help="Of the networks' training, DLinear=900,LSTM=400. Default: as long as GBRT's fit.")
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder for page, table, figures and forecasts.")] = Path("comparison"),
    as_json: verbs.Json = False,
    quiet: verbs.Quiet = False,
) -> None:
    """Compare naive, linear, statistical, tree and network forecasters on your series: errors, bands, CPU time.

    Writes a page (comparison.html), the table, figures, all forecasts of the past, and the best one's of the future.

    Example: `holdfast gbrt_forecasting compare sales.csv --time date --target sold --id shop --horizon 28`
    """
    from threadpoolctl import threadpool_limits

    from holdfast.data.series.arguments import read_training
    from holdfast.systems.gbrt_forecasting.tool.comparison import compare_forecasters, forecast_ahead
    from holdfast.systems.gbrt_forecasting.tool.comparison_page import as_json_has_it, show_comparison, write_all
    from holdfast.systems.gbrt_forecasting.tool.tables import counts, frequency, read_data
    from holdfast.validation import check_integer

    threads = check_integer(settings["threads"], "threads", low=1)
    if out.exists() and not out.is_dir():
        raise InputError("out", "must be a folder", str(out))
    chosen = counts(steps, "steps")
    with columns.in_words():
        given = read_data(data, columns, words(past), [], reading)
        panel = read_training(given.y, given.X, None, freq=frequency(table["freq"]), fill=table["fill"])
        with threadpool_limits(threads), verbs.progresses(quiet) as show:
            found = compare_forecasters(panel, horizon, **settings, steps=chosen, progress=show)
            ahead = forecast_ahead(found)
    write_all(found, ahead, data.name, out)
    given.tell("--past")
    if as_json:
        verbs.show_json(as_json_has_it(found))
    else:
        show_comparison(found)
    for note in found.notes:
        verbs.say(f"note: {note}")
    verbs.say(f"page: {out / 'comparison.html'}")


__all__ = ["app"]
