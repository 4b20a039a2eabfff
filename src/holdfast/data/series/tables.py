"""Tables of series as people keep them: csv or parquet, long or wide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.data.series.arguments import read_training
from holdfast.data.series.long_wide import ID, TIME, VALUE, extra_columns, is_long
from holdfast.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from holdfast.data.readers.tables import TableOptions
    from holdfast.data.series.panel import Panel


def read_table(path: Path, options: TableOptions | None = None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """(a table of any format that `data.readers.tables` reads, notes on what was decided about it).

    Times of parquet files keep their zone; others that came with offsets are in UTC.

    Raises:
        InputError: missing, of another kind, empty or damaged.
    """
    from holdfast.data.readers.tables import read_table

    table = read_table(path, options=options)
    frame, zones = table.frame(), _zones(path)
    for column in table.columns:
        if column.kind == "time" and column.unit == "UTC":
            frame[column.name] = frame[column.name].dt.tz_localize("UTC").dt.tz_convert(zones.get(column.name, "UTC"))
    if not len(frame):
        raise InputError(str(path), "must have rows", "an empty table")
    return frame, table.notes


def _zones(path: Path) -> dict[str, str]:
    """Time zones of a parquet file's columns, which decide what hour of the day it is."""
    if path.suffix.lower() not in (".parquet", ".pq"):
        return {}
    import pyarrow.parquet

    return {f.name: f.type.tz for f in pyarrow.parquet.read_schema(path) if getattr(f.type, "tz", None)}


def as_series_table(
    frame: pd.DataFrame, time: str | None = None, target: str | None = None, id_: str | None = None
) -> pd.DataFrame:
    """A long table (unique_id, ds, y, ...) or a wide one (times in the index), from columns of any name.

    Args:
        frame: as read.
        time: column of the time stamps; None = `ds`, or else the first column that is no number and holds times.
        target: column of the values; None = `y` in a long table, all columns of a wide one; see `with_target`.
        id_: column of the names of series; None = `unique_id`, or the one other column of text where times repeat.

    Raises:
        InputError: a column that is named is not there.
    """
    for argument, name in (("time", time), ("target", target), ("id", id_)):
        if name is not None and name not in frame.columns:
            raise InputError(argument, f"must be one of {', '.join(map(str, frame.columns))}", name)
    renamed = {given: name for given, name in ((time, TIME), (target, VALUE), (id_, ID)) if given is not None}
    # A column that is called ds, y or unique_id and was not asked for makes room for the one that was.
    crowded = [c for c in renamed.values() if c in frame.columns and c not in renamed]
    frame = frame.drop(columns=crowded).rename(columns=renamed)
    if is_long(frame):
        return frame
    if TIME not in frame.columns:
        numeric = set(frame.select_dtypes("number").columns)
        text = [c for c in frame.columns if c not in numeric and c not in (VALUE, ID)]
        if not text:
            return frame  # rows are steps
        found = next((c for c in text if _holds_times(frame[c])), text[0])
        frame = frame.rename(columns={found: TIME})
        others = [c for c in text if c != found]
        if ID not in frame.columns and len(others) == 1 and frame[TIME].duplicated().any():
            frame = frame.rename(columns={others[0]: ID})  # the same times again: several series, one under the other
    if VALUE in frame.columns:
        return frame
    return frame.set_index(TIME)


def with_target(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of series, one under the other, whose values are not called `y`: the only column of numbers is meant.

    Args:
        frame: from `as_series_table`.

    Raises:
        InputError: several columns could be meant, or none.
    """
    if ID not in frame.columns or VALUE in frame.columns:
        return frame
    values = [c for c in frame.select_dtypes("number").columns if c != ID]
    if len(values) != 1:
        raise InputError("target", "must name one of several columns", ", ".join(map(str, values)) or "none")
    frame = frame.rename(columns={values[0]: VALUE})
    return frame if TIME in frame.columns else frame.reset_index()


def _holds_times(column: pd.Series) -> bool:
    """Whether the first values of a column can be read as times."""
    import warnings

    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas warns where it has to guess a format
        return bool(pd.to_datetime(column.head(50), errors="coerce").notna().all())


def read_series(path: Path) -> Panel:
    """All series of a table; further columns of a long one are past covariates.

    Raises:
        InputError: see `read_table`, `as_series_table` and `series.read_panel`.
    """
    frame = with_target(as_series_table(read_table(path)[0]))
    return read_training(frame, extra_columns(frame) or None, None, freq=None, fill=None)


__all__ = ["as_series_table", "read_series", "read_table", "with_target"]
