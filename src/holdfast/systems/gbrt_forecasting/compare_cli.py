"""The verb `holdfast gbrt_forecasting compare`: which forecaster is best on a table of one's own."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.console import bars
from holdfast.errors import InputError
from holdfast.printable import clean, clean_line
from holdfast.systems.gbrt_forecasting.cli_files import CSV_FLOAT, read_data, tell_unused
from holdfast.systems.gbrt_forecasting.console import said, say

if TYPE_CHECKING:
    from holdfast.data.series.panel import Panel
    from holdfast.systems.gbrt_forecasting.tool.comparison import Comparison

OPTIONS = {"most_series": "--series"} | {
    name: f"--{name}" for name in ("horizon", "lookback", "season", "cutoffs", "steps", "seed")
}


def compare_(
    data: Annotated[Path, typer.Argument(help="A csv, tsv or parquet table: a row per time (and series).")],
    horizon: Annotated[int, typer.Option(help="Steps to forecast.")] = 24,
    time: Annotated[str | None, typer.Option(help="Column of the time stamps.")] = None,
    target: Annotated[str | None, typer.Option(help="Column to forecast. Default: y, or all columns.")] = None,
    series_id: Annotated[str | None, typer.Option("--id", help="Column that names the series.")] = None,
    past: Annotated[str, typer.Option(help="Columns known up to the present, comma-separated.")] = "",
    freq: Annotated[str | None, typer.Option(help="h, D, B, W, MS, ...; default: found from the time stamps.")] = None,
    fill: Annotated[str | None, typer.Option(help="How gaps are filled: forward or zero.")] = None,
    lookback: Annotated[int | None, typer.Option(help="Steps of the past that a forecast sees.")] = None,
    season: Annotated[int | None, typer.Option(help="Steps after which series repeat; 1 for none.")] = None,
    cutoffs: Annotated[int | None, typer.Option(help="Forecasts per series, one horizon apart.")] = None,
    series: Annotated[int, typer.Option(help="Compare on at most so many series, evenly spaced.")] = 30,
    seed: Annotated[int, typer.Option(help="Of what is random.")] = 0,
    threads: Annotated[int, typer.Option(help="Threads of the forecasters.")] = 1,
    steps: Annotated[
        str, typer.Option(help="Of the networks' training, DLinear=900,LSTM=400. Default: as long as GBRT's fit.")
    ] = "",
    out: Annotated[Path, typer.Option(help="Folder for page, table, figures and forecasts.")] = Path("comparison"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Compare naive, linear, statistical, tree and network forecasters on your series: errors, bands, CPU time.

    Writes a page (comparison.html), the table, figures, all forecasts of the past, and the best one's of the future.

    Example: `holdfast gbrt_forecasting compare sales.csv --time date --target sold --id shop --horizon 28`
    """
    from threadpoolctl import threadpool_limits

    from holdfast.systems.gbrt_forecasting.tool.comparison import compare_forecasters, forecast_ahead

    if threads < 1:
        raise InputError("--threads", "must be at least 1", threads)
    if out.exists() and not out.is_dir():
        raise InputError("--out", "must be a folder", str(out))
    given = _steps(steps)
    panel, unused = _panel(data, time, target, series_id, past, freq, fill)
    with _named(data), threadpool_limits(threads), bars() as show:
        found = compare_forecasters(
            panel, horizon, lookback=lookback, season=season, cutoffs=cutoffs, most_series=series, seed=seed,
            threads=threads, steps=given, progress=show,
        )  # fmt: skip
        ahead = forecast_ahead(found, seed=seed, threads=threads)
    _write(found, ahead, data.name, out)
    tell_unused(unused, "--past")
    if as_json:
        typer.echo(json.dumps(_plain(found), ensure_ascii=False))
    else:
        print_table(found)
        typer.echo(clean(found.verdict()))
    for note in found.notes:
        say(f"note: {note}")
    say(f"page: {out / 'comparison.html'}")


def _panel(
    data: Path, time: str | None, target: str | None, series: str | None, past: str, freq: str | None, fill: str | None
) -> tuple[Panel, list[str]]:
    """The series of the table, with the covariates that were asked for, and the columns that were left out."""
    from holdfast.data.series.arguments import read_training

    columns = [part.strip() for part in past.split(",") if part.strip()]
    with said(data, time, target, series):
        y, X, _, unused = read_data(data, time, target, series, columns, [])
        return read_training(y, X, None, freq=int(freq) if freq and freq.isdigit() else freq, fill=fill), unused


def _steps(text: str) -> dict[str, int] | None:
    if not text:
        return None
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(count.strip().isdigit() for _, _, count in pairs):
        raise InputError("--steps", "must be like DLinear=900,LSTM=400", text)
    return {name.strip(): int(count) for name, _, count in pairs}


@contextmanager
def _named(data: Path) -> Iterator[None]:
    """Errors about arguments, said in terms of the options and the file."""
    try:
        yield
    except InputError as error:
        name = str(data) if error.argument == "y" else OPTIONS.get(error.argument, error.argument)
        raise InputError(name, error.rule, error.received) from error


# -------------------------------------------------------------------------------------------------------------- writing
def _write(found: Comparison, ahead: Any, source: str, out: Path) -> None:
    """Page, tables and figures; each whole or not at all."""
    import pandas as pd

    from holdfast.files import replacing, write_text
    from holdfast.report.svg import LIGHT
    from holdfast.systems.gbrt_forecasting.tool.comparison_figures import drawings
    from holdfast.systems.gbrt_forecasting.tool.comparison_page import write_page

    out.mkdir(parents=True, exist_ok=True)
    write_page(found, out / "comparison.html", source, _again(found))
    past = pd.concat([entry.backtest.frame.assign(model=entry.name) for entry in found.entries], ignore_index=True)
    tables = {"table.csv": found.table().reset_index(), "backtest.csv": past, "forecast.csv": ahead}
    for name, frame in tables.items():
        with replacing(out / name) as temporary:
            frame.to_csv(temporary, index=False, float_format=CSV_FLOAT)
    for drawing in drawings(found, LIGHT):
        write_text(out / "figures" / f"{drawing.name}.svg", drawing.svg(standalone=True))


def _again(found: Comparison) -> str:
    """The command that gives the same numbers on any machine: this one, with the steps that the networks took."""
    from holdfast.systems.gbrt_forecasting.tool.comparison_page import steps_text

    given = sys.argv[1:]
    return f"holdfast {shlex.join(given if '--steps' in given else [*given, '--steps', steps_text(found)])}"


def _plain(found: Comparison) -> dict[str, Any]:
    """The comparison as JSON has it: NaN becomes null."""
    rows = found.table().reset_index().to_dict("records")
    return {
        "verdict": found.verdict(),
        "horizon": found.horizon,
        "lookback": found.lookback,
        "season": found.season,
        "cutoffs": found.cutoffs,
        "series": found.panel.count,
        "steps": dict(found.steps),
        "notes": list(found.notes),
        "forecasters": [{k: None if v != v else v for k, v in row.items()} for row in rows],
    }


def print_table(found: Comparison) -> None:
    """The table, with as many columns as the terminal has room for."""
    from rich.console import Console

    from holdfast.systems.gbrt_forecasting.tool.comparison_page import COLUMNS

    console = Console()
    wide = console.options.update(width=1000)  # a measure is cut at the width that it is given
    shown = [key for key, _, _ in COLUMNS]
    table = _terminal_table(found, shown)
    for drop in ("cpu_seconds", "width", "wins", "wape", "rmse", "mae", "coverage"):
        if console.measure(table, options=wide).maximum <= console.width:
            break
        shown.remove(drop)
        table = _terminal_table(found, shown)
    console.print(table)


def _terminal_table(found: Comparison, shown: list[str]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    from holdfast.systems.gbrt_forecasting.tool.comparison_page import COLUMNS, cells

    table = Table(title=clean_line(f"{found.horizon} steps ahead, best first"), title_justify="left")
    table.add_column("forecaster", no_wrap=True)
    for key, heading, _ in COLUMNS:
        if key in shown:
            table.add_column(heading, justify="right")
    for row in cells(found):
        marked = [f"[bold]{row[k]['text']}[/]" if row[k]["best"] else escape(row[k]["text"]) for k in shown]
        table.add_row(escape(row["name"]), *marked)
    return table


__all__ = ["compare_", "print_table"]
