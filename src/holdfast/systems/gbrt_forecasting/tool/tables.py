"""What the verbs read and show: series and covariates of the user's tables, errors in their words, scores."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from holdfast import verbs
from holdfast.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from holdfast.data.readers.tables import TableOptions
    from holdfast.data.series.panel import Panel
    from holdfast.systems.gbrt_forecasting.estimator import WindowForecaster

SHOWN = ("rmse", "mae", "wape", "mase", "coverage", "n")  # of the scores, on a terminal of 80 columns


@dataclass(frozen=True)
class Columns:
    """Where a table has its series."""

    time: Annotated[
        str | None, typer.Option(help="Column of the time stamps. Default: ds, or the first that is no number.")
    ] = None
    target: Annotated[str | None, typer.Option(help="Column to forecast. Default: y; of a wide table all columns.")] = (
        None
    )
    id: Annotated[
        str | None,
        typer.Option(help="Column that names the series, or several, comma-separated. Default: unique_id."),
    ] = None

    @property
    def ids(self) -> list[str] | None:
        """Columns that name the series."""
        return None if self.id is None else words(self.id)

    @contextmanager
    def in_words(self) -> Iterator[None]:
        """Errors about tables, with columns and series as the user calls them."""
        called = {"ds": self.time, "y": self.target, "unique_id": self.id}
        try:
            yield
        except InputError as error:
            head, comma, rest = error.argument.partition(", ")
            kind, _, name = rest.partition(" ")
            shown = (called.get(name) or name) if kind == "column" else name
            place = f"{comma}{'series' if kind == 'unique_id' else kind} {shown}" if comma else ""
            received = error.received
            if isinstance(received, str):
                received = re.sub(r"\bds (?=[-\d])", f"{self.time or 'ds'} ", received)
            raise InputError(f"{head}{place}", error.rule, received) from error


class Given(NamedTuple):
    """What a table holds, as a forecaster takes it, and the columns that nobody named and that are left out."""

    y: pd.DataFrame
    X: list[str] | None
    X_future: list[str] | None
    unused: list[str]
    notes: tuple[str, ...]

    def panel(self, forecaster: WindowForecaster) -> Panel:
        """The series as the forecaster reads them."""
        from holdfast.data.series.arguments import read_training

        return read_training(*self[:3], freq=forecaster.freq, fill=forecaster.fill)

    def tell(self, options: str = "--past or --known") -> None:
        """Say what was decided and left out, once all went well: an error has one line."""
        for note in self.notes:
            verbs.say(note)
        if self.unused:
            verbs.say(f"not used: {', '.join(self.unused)} ({options} would)")


def read_data(
    path: Path, columns: Columns, past: list[str], known: list[str], reading: TableOptions | None = None
) -> Given:
    """The series of a table, with columns of covariates; those that nobody names are left out."""
    from holdfast.data.series.long_wide import ID, TIME, VALUE, extra_columns, is_long
    from holdfast.data.series.tables import as_series_table, read_table, with_target

    frame, notes = read_table(path, reading)
    frame = with_target(as_series_table(frame, columns.time, columns.target, columns.ids))
    for argument, names in (("past", past), ("known", known)):
        if missing := [n for n in names if n not in frame.columns]:
            others = ", ".join(extra_columns(frame)) or "there are no others than the series'"
            raise InputError(argument, f"must name columns of {path}: {others}", missing[0])
    if not is_long(frame):
        if past or known:
            raise InputError("--past, --known", "must not be given for a wide table; name the target with --target")
        return Given(frame, None, None, [], notes)
    keys = [c for c in (ID, TIME, VALUE) if c in frame.columns]
    unused = [c for c in extra_columns(frame) if c not in (*past, *known)]
    return Given(frame[[*keys, *past, *known]], past or None, known or None, unused, notes)


def read_ahead(
    path: Path | None, columns: Columns, names: tuple[str, ...], reading: TableOptions | None = None
) -> pd.DataFrame | None:
    """Known-future covariates of the steps to forecast, from a table."""
    from holdfast.data.series.long_wide import ID, TIME
    from holdfast.data.series.tables import as_series_table, read_table

    if path is None:
        if names:
            rule = f"must be given: a table with {', '.join(names)} at the steps to forecast"
            raise InputError("ahead", rule, "nothing")
        return None
    frame = as_series_table(read_table(path, reading)[0], columns.time, None, columns.ids)
    if missing := [n for n in names if n not in frame.columns]:
        raise InputError("ahead", f"must have the columns {', '.join(names)}", f"no {', '.join(missing)}")
    return frame[[*(c for c in (ID, TIME) if c in frame.columns), *names]]


def words(text: str) -> list[str]:
    """The parts of a text between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def numbers(text: str, argument: str) -> tuple[float, ...] | None:
    """Numbers between commas; None for "none"."""
    try:
        return None if text == "none" else tuple(float(part) for part in words(text))
    except ValueError:
        raise InputError(argument, "must be numbers, separated by commas, or none", text) from None


def counts(text: str, argument: str) -> dict[str, int] | None:
    """ "DLinear=900,LSTM=400" as a dict; None for an empty text."""
    pairs = [part.partition("=") for part in words(text)]
    if not all(count.strip().isdigit() for _, _, count in pairs):
        raise InputError(argument, "must be like DLinear=900,LSTM=400", text)
    return {name.strip(): int(count) for name, _, count in pairs} or None


def frequency(text: str | None) -> str | int | None:
    """A number of steps where it is one."""
    return int(text) if text is not None and text.isdigit() else text


def tell_importances(model: WindowForecaster) -> None:
    """Say which columns of a row matter most."""
    top = model.feature_importances_.nlargest(5)
    if top.any():
        verbs.say("what matters most: " + ", ".join(f"{name} {share:.0%}" for name, share in top.items() if share > 0))
    else:
        verbs.say("no split helped: forecasts are means of the training values; longer series may help")


def score_records(scores: pd.DataFrame) -> list[dict[str, Any]]:
    """Scores as JSON has them."""
    return [dict(row) for row in scores.astype({"n": int}).reset_index(names="of").to_dict("records")]


def show_scores(scores: pd.DataFrame, title: str) -> None:
    """Scores as a table, a row for all series and one for each."""
    kept = [c for c in SHOWN if c in scores]
    rows = []
    for name, row in scores.iterrows():
        cells = [round(100 * row[c], 1) if c == "coverage" else int(row[c]) if c == "n" else row[c] for c in kept]
        rows.append([str(name).removesuffix(" 00:00:00"), *cells])
    verbs.show_table(["", *("coverage %" if c == "coverage" else c for c in kept)], rows, title)


__all__ = [
    "Columns",
    "Given",
    "counts",
    "frequency",
    "numbers",
    "read_ahead",
    "read_data",
    "score_records",
    "show_scores",
    "tell_importances",
    "words",
]
