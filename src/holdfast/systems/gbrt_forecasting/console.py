"""What the verbs say: errors in terms of options and columns, progress, tables of scores."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from holdfast.errors import InputError
from holdfast.printable import clean

if TYPE_CHECKING:
    import pandas as pd

    from holdfast.systems.gbrt_forecasting.estimator import WindowForecaster

SHOWN = ("rmse", "mae", "wape", "mase", "coverage", "n")  # of the scores, on a terminal of 80 columns
# What the forecaster calls its arguments, and the options they come from here.
OPTIONS = {
    "X": "--past",
    "X_future": "--known",
    "h": "--horizon",
    "conformal": "--quantiles",
    "trees": "--trees",
    "depth": "--depth",
    "learning_rate": "--rate",
    "n_windows": "--windows",
    "train_size": "--train-size",
    "n_jobs": "--jobs",
    "random_state": "--seed",
    "series": "--id",
    **{
        name: f"--{name}"
        for name in (
            *("lookback", "horizon", "estimator", "strategy", "scaling", "calendar", "quantiles"),
            *("freq", "fill", "step", "gap", "time", "target"),
        )
    },
}


@contextmanager
def said(
    data: Path, time: str | None, target: str | None, series: str | None, ahead: Path | None = None
) -> Iterator[None]:
    """Errors about the forecaster's arguments, said in terms of the file, its columns and the options."""
    columns = {"ds": time, "y": target, "unique_id": series}
    try:
        yield
    except InputError as e:
        head, comma, rest = e.argument.partition(",")
        kind, _, column = rest.strip().partition(" ")
        files = {"y": data, "X_future": ahead}
        name = str(files[head]) if files.get(head) else OPTIONS.get(head)
        if name is None:
            raise
        shown = (columns.get(column) or column) if kind == "column" else column
        place = f"{comma} {'series' if kind == 'unique_id' else kind} {shown}" if comma else ""
        rule = re.sub(r"\b(\w+)='([\w-]+)'", lambda m: f"{OPTIONS.get(m[1], m[1])} {m[2]}", e.rule)
        received = (
            re.sub(r"\bds (?=[-\d])", f"{time or 'ds'} ", e.received) if isinstance(e.received, str) else e.received
        )
        raise InputError(f"{name}{place}", rule, received) from e


def say(text: str) -> None:
    typer.echo(clean(text), err=True)


def tell_importances(model: WindowForecaster) -> None:
    top = model.feature_importances_.nlargest(5)
    if not top.any():
        say("no split helped: forecasts are means of the training values; longer series may help")
        return
    say("what matters most: " + ", ".join(f"{name} {share:.0%}" for name, share in top.items() if share > 0))


def plain(scores: pd.DataFrame) -> Any:
    """Scores as JSON has them: NaN becomes null."""
    rows = scores.astype({"n": int}).reset_index(names="of").to_dict("records")
    return [{k: (None if v != v else v if isinstance(v, int | float) else str(v)) for k, v in r.items()} for r in rows]


def print_scores(scores: pd.DataFrame, title: str) -> None:
    """Print scores, a row for all series and one for each."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    scores = scores[[c for c in SHOWN if c in scores.columns]]
    table = Table("", *(escape(str(c)) for c in scores.columns), title=title)
    for name, row in scores.iterrows():
        cells = (f"{v:.0%}" if c == "coverage" else f"{v:.0f}" if c == "n" else f"{v:.4g}" for c, v in row.items())
        table.add_row(escape(clean(str(name).removesuffix(" 00:00:00"))), *cells)
    Console().print(table)


__all__ = ["plain", "print_scores", "said", "say", "tell_importances"]
