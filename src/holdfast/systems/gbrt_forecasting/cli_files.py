"""The tables that the verbs read and write, and the figures beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.errors import InputError
from holdfast.systems.gbrt_forecasting.console import say

CSV_FLOAT = "%.9g"  # float32 in full, and no digits beyond it that mean nothing
if TYPE_CHECKING:
    import pandas as pd


def read_data(
    path: Path, time: str | None, target: str | None, series: str | None, past: list[str], known: list[str]
) -> tuple[pd.DataFrame, list[str] | None, list[str] | None, list[str]]:
    """(y, X, X_future) of the forecaster from a table, and the columns that nobody named, which are left out."""
    from holdfast.data.series.long_wide import ID, TIME, VALUE, extra_columns, is_long
    from holdfast.data.series.tables import as_series_table, read_table, with_target

    frame = with_target(as_series_table(read_table(path), time, target, series))
    for option, names in (("--past", past), ("--known", known)):
        if missing := [n for n in names if n not in frame.columns]:
            others = ", ".join(extra_columns(frame)) or "there are no others than the series'"
            raise InputError(option, f"must name columns of {path}: {others}", missing[0])
    if not is_long(frame):
        if past or known:
            raise InputError("--past, --known", "must not be given for a wide table; name the target with --target")
        return frame, None, None, []
    keys = [c for c in (ID, TIME, VALUE) if c in frame.columns]
    unused = [c for c in extra_columns(frame) if c not in (*past, *known)]
    return frame[[*keys, *past, *known]], past or None, known or None, unused


def tell_unused(names: list[str], options: str = "--past or --known") -> None:
    """Name columns that were left out, once all went well: an error has one line."""
    if names:
        say(f"not used: {', '.join(names)} ({options} would)")


def read_known(path: Path, time: str | None, series: str | None, names: tuple[str, ...]) -> pd.DataFrame:
    """Known-future covariates from a table."""
    from holdfast.data.series.long_wide import ID, TIME
    from holdfast.data.series.tables import as_series_table, read_table

    frame = as_series_table(read_table(path), time, None, series)
    keys = [c for c in (ID, TIME) if c in frame.columns]
    if missing := [n for n in names if n not in frame.columns]:
        raise InputError("--ahead", f"must have the columns {', '.join(names)}", f"no {', '.join(missing)}")
    return frame[[*keys, *names]]


def check_table(out: Path) -> None:
    """Raise InputError unless a table can be written under that name."""
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise InputError("--out", "must end in .csv or .parquet", str(out))
    if out.exists() and not out.is_file():
        raise InputError("--out", "must be a file or a new name", f"{out}, a folder" if out.is_dir() else str(out))


def write(frame: pd.DataFrame, out: Path) -> None:
    """Write a table whole or not at all, as csv or parquet by the ending of its name."""
    from holdfast.files import replacing

    with replacing(out) as temporary:
        if out.suffix.lower() == ".csv":
            frame.to_csv(temporary, index=False, float_format=CSV_FLOAT)
        else:
            frame.to_parquet(temporary, index=False)


def draw(figure: Any, out: Path, suffix: str = "") -> None:
    """Write a figure beside a table, as SVG and PNG, and say where."""
    from holdfast.files import replacing

    for kind in ("svg", "png"):
        path = out.with_name(f"{out.stem}{suffix}.{kind}")
        with replacing(path) as temporary:
            figure.savefig(temporary, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else {})
    say(f"figure: {out.with_name(f'{out.stem}{suffix}.svg')}")


__all__ = ["CSV_FLOAT", "check_table", "draw", "read_data", "read_known", "tell_unused", "write"]
