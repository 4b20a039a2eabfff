"""Tables of series as people keep them: csv or parquet, long or wide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.data.series.long_wide import ID, TIME, VALUE, is_long
from holdfast.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from holdfast.data.readers.tables import TableOptions

JOINED, BETWEEN = "joined names", "/"


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
    frame: pd.DataFrame, time: str | None = None, target: str | None = None, id_: str | Sequence[str] | None = None
) -> pd.DataFrame:
    """A long table (unique_id, ds, y, ...) or a wide one (times in the index), from columns of any name.

    Args:
        frame: as read.
        time: column of the time stamps; None = `ds`, or else the first column that is no number and holds times, or
            else a column of whole numbers that is called as times are and runs evenly.
        target: column of the values; None = `y` in a long table, all columns of a wide one; see `with_target`.
        id_: column of the names of series, or several, whose values are then joined by "/"; None = `unique_id`, or the
            one other column of text where times repeat.

    Raises:
        InputError: a column that is named is not there; names that would be the same when joined; a column of numbers
            that may be the time, and nothing that tells.
    """
    ids = [id_] if isinstance(id_, str) else list(id_ or ())
    for argument, names in (("time", [time]), ("target", [target]), ("id", ids)):
        for name in names:
            if name is not None and name not in frame.columns:
                raise InputError(argument, f"must be one of {', '.join(map(str, frame.columns))}", name)
    if len(ids) > 1:
        frame, ids = _joined(frame, ids), [JOINED]
    given = [(time, TIME), (target, VALUE), (ids[0] if ids else None, ID)]
    renamed = {column: name for column, name in given if column is not None}
    # A column that is called ds, y or unique_id and was not asked for makes room for the one that was.
    crowded = [c for c in renamed.values() if c in frame.columns and c not in renamed]
    frame = frame.drop(columns=crowded).rename(columns=renamed)
    if is_long(frame):
        return frame
    if TIME not in frame.columns:
        numeric = set(frame.select_dtypes("number").columns)
        text = [c for c in frame.columns if c not in numeric and c not in (VALUE, ID)]
        found = next((c for c in text if _holds_times(frame[c])), None)
        if found is None:
            found = _numbered_time(frame, [c for c in frame.columns if c in numeric and c not in (VALUE, ID)])
        if found is None and not text:
            return frame if target is None else frame[[c for c in (ID, VALUE) if c in frame.columns]]  # rows are steps
        found = text[0] if found is None else found
        frame = frame.rename(columns={found: TIME})
        others = [c for c in text if c != found]
        if ID not in frame.columns and len(others) == 1 and frame[TIME].duplicated().any():
            frame = frame.rename(columns={others[0]: ID})  # the same times again: several series, one under the other
    if VALUE in frame.columns:
        return frame
    return frame.set_index(TIME)


def _joined(frame: pd.DataFrame, ids: Sequence[str]) -> pd.DataFrame:
    """The table with one column of names in the place of several."""
    parts = [frame[name].astype(str) for name in ids]
    joined = parts[0].str.cat(parts[1:], sep=BETWEEN)
    if joined.nunique() < len(frame[list(ids)].drop_duplicates()):
        rule = f"must have columns whose values differ when joined by {BETWEEN!r}"
        raise InputError("id", rule, ", ".join(ids))
    return frame.drop(columns=list(ids)).assign(**{JOINED: joined})


def _numbered_time(frame: pd.DataFrame, columns: Sequence[Any]) -> Any:
    """The column of whole numbers that is the time; None if none may be.

    Raises:
        InputError: several columns may be the time, or one may be by its values and is not called so.
    """
    from holdfast.data.series.numbered_times import named_as_time, runs_evenly

    whole = [c for c in columns if frame[c].dtype.kind in "iu" and frame[c].nunique() > 1]
    even = [c for c in whole if runs_evenly(frame[c].to_numpy("int64"))]
    called = [c for c in whole if named_as_time(c)]
    if len(called) == 1 and called[0] in even:
        return called[0]
    if len(called) > 1:
        raise InputError(
            "time", "must be one column: name it, or make one date of several", ", ".join(map(str, called))
        )
    doubtful = called or [c for c in even if frame[c].is_monotonic_increasing and frame[c].is_unique]
    if doubtful and VALUE not in frame.columns:
        name = doubtful[0]
        rule = f"must be named where it is a number: name {name!r} there, or name what to forecast as the target"
        raise InputError("time", rule, f"{name!r} with {', '.join(map(str, frame[name].head(3)))}, ...")
    return None


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


__all__ = ["as_series_table", "read_table", "with_target"]
