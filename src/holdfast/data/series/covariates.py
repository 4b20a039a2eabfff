"""Covariates joined to series: measured ones of the past, and ones that are known for the future.

A table of covariates has a column `ds` (or times in its index) and perhaps `unique_id`; without `unique_id` its values
hold for all series. An array has one row per step of the series.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from holdfast.data.series.long_wide import ID, TIME, numbers, read_times
from holdfast.data.series.panel import Panel
from holdfast.errors import InputError
from holdfast.validation import check_array, is_tensor


def join(panel: Panel, X: Any = None, X_future: Any = None) -> Panel:
    """The panel with covariates; steps that a table does not have are NaN.

    Args:
        panel: the series.
        X: covariates that are known up to the present.
        X_future: covariates that are known beforehand; here their values at the steps of the series.

    Raises:
        InputError: no such shape, text, infinite values, times that repeat, a table that has none of the steps.
    """
    past, x_names = _at_steps(panel, X, "X")
    known, future_names = _at_steps(panel, X_future, "X_future")
    if both := sorted(set(x_names) & set(future_names)):
        raise InputError("X_future", "must have other names than X", ", ".join(both))
    return replace(panel, X=past, x_names=x_names, future=known, future_names=future_names)


def known_ahead(panel: Panel, X_future: Any, horizon: int, names: tuple[str, ...]) -> np.ndarray:
    """(S, horizon, K) float32: known-future covariates of the steps after the end of each series.

    Args:
        panel: the series.
        X_future: a table with these steps at least, or an array (horizon, K) for all series.
        horizon: steps.
        names: columns that the model was fitted with.

    Raises:
        InputError: not given, or steps or columns that are missing; names a series and how many.
    """
    if X_future is None:
        rule = f"must be given: the model was fitted with known-future covariates {', '.join(names)}"
        raise InputError("X_future", rule, "nothing")
    if not isinstance(X_future, pd.DataFrame | pd.Series):
        array = _array(X_future, "X_future", horizon)
        if array.shape[1] != len(names):
            raise InputError("X_future", f"must have {len(names)} columns", f"{array.shape[1]} columns")
        return np.broadcast_to(array, (panel.count, *array.shape))
    table, found = _table(X_future, "X_future")
    if missing := [n for n in names if n not in found]:
        raise InputError("X_future", f"must have the columns {', '.join(names)}", f"no {', '.join(missing)}")
    values = np.full((panel.count * horizon, len(names)), np.nan, np.float32)
    seen = np.zeros(len(values), bool)
    ends = panel.first + panel.lengths
    place = _places(panel, table, ends, np.full(panel.count, horizon), "X_future")
    chosen = np.stack([table_column(X_future[n], f"X_future, column {n!r}") for n in names], 1)
    for series, row in place:
        values[series], seen[series] = chosen[row], True
    if not seen.all():
        absent = (~seen).reshape(panel.count, horizon)
        k = int(absent.any(1).argmax())
        when = panel.clock.times(ends[k : k + 1] + int(absent[k].argmax()))[0]
        found_ = f"{int(absent.sum())} missing in {int(absent.any(1).sum())} series, first {TIME} {when}"
        raise InputError(f"X_future, {ID} {panel.ids[k].item()!r}", f"must have the {horizon} steps ahead", found_)
    return values.reshape(panel.count, horizon, len(names))


# ------------------------------------------------------------------------------------------------------------- joining
def _at_steps(panel: Panel, X: Any, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """(N, M) values at the panel's steps, and names."""
    if X is None:
        return np.empty((len(panel.y), 0), np.float32), ()
    if not isinstance(X, pd.DataFrame | pd.Series):
        start, stop = int(panel.first.min()), int((panel.first + panel.lengths).max())
        array = _array(X, name, stop - start)
        series = np.repeat(np.arange(panel.count), panel.lengths)
        return array[panel.positions(np.arange(len(panel.y)), series) - start], _numbered(array.shape[1])
    table, names = _table(X, name)
    values = np.full((len(panel.y), len(names)), np.nan, np.float32)
    columns = X.to_frame() if isinstance(X, pd.Series) else X
    chosen = np.stack([table_column(columns[n], f"{name}, column {n!r}") for n in names], 1)
    hit = False
    for index, row in _places(panel, table, panel.first, panel.lengths, name):
        values[index] = chosen[row]
        hit = hit or len(index) > 0
    if not hit:
        raise InputError(name, "must have values at the series' time stamps", "none of them")
    return values, tuple(str(n) for n in names)


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(str(k) for k in range(count))


def _array(X: Any, name: str, steps: int) -> np.ndarray:
    array = X.detach().cpu().numpy() if is_tensor(X) else X
    if np.ndim(array) == 1:
        array = np.asarray(array)[:, None]
    array = np.asarray(check_array(array, "T M", name=name, dtype="float32", finite=False, sizes={"T": steps}))
    _check_no_infinity(array, name)
    return array


def _table(X: pd.DataFrame | pd.Series, name: str) -> tuple[tuple[Any, Any], list[Any]]:
    """((ids or None, times), names of the value columns)."""
    frame = X.to_frame() if isinstance(X, pd.Series) else X
    if frame.columns.has_duplicates:
        raise InputError(
            name, "must have columns of different names", repr(frame.columns[frame.columns.duplicated()][0])
        )
    times = (
        read_times(frame[TIME], f"{name}, column {TIME}")
        if TIME in frame
        else read_times(frame.index, f"{name}, index")
    )
    names = [c for c in frame.columns if c not in (ID, TIME)]
    if not names or not len(frame):
        raise InputError(name, "must have at least one row and one column of values", f"shape {frame.shape}")
    return (frame.get(ID), times), names


def table_column(column: pd.Series, name: str) -> np.ndarray:
    """A column of covariates as float32; missing = NaN.

    Raises:
        InputError: text or infinite values.
    """
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.to_numpy(np.float32)
    with np.errstate(over="ignore"):
        values = numbers(column, name).astype(np.float32)
    _check_no_infinity(values, name)
    return values


def _check_no_infinity(values: np.ndarray, name: str) -> None:
    if wrong := int(np.isinf(values).sum()):
        raise InputError(name, "must have no infinite values; missing ones may be NaN", f"{wrong} of {values.size:,}")


def _places(panel: Panel, table: tuple[Any, Any], first: np.ndarray, lengths: np.ndarray, name: str) -> Any:
    """Pairs (rows of S stretches laid one behind the other, rows of the table that belong there).

    Stretch s has `lengths[s]` steps from the clock's position `first[s]` on.
    """
    ids, times = table
    given_dates, has_dates = isinstance(times, pd.DatetimeIndex), panel.clock.freq is not None
    if given_dates != has_dates:
        kinds = ("dates", "whole numbers")
        raise InputError(name, f"must have {kinds[not has_dates]} as time stamps, as y has", kinds[not given_dates])
    if given_dates and (times.tz is None) != (panel.clock.tz is None):
        raise InputError(name, "must have time stamps with a time zone if y has them, else without", str(times.tz))
    if given_dates and times.tz is not None:
        times = times.tz_convert(panel.clock.tz)
    positions, on_grid = panel.clock.positions(times)
    offsets = np.cumsum(lengths) - lengths
    if ids is None:
        _check_once(positions[on_grid], None, times[on_grid], name)
        if panel.count * len(positions) == 0:
            return
        low = int(positions.min())
        row_at = np.full(int(positions.max()) - low + 1, -1, np.int64)
        row_at[positions[on_grid] - low] = np.flatnonzero(on_grid)
        stretch = np.repeat(np.arange(len(lengths)), lengths)
        index = np.arange(int(lengths.sum()))
        wanted = index - offsets[stretch] + first[stretch] - low
        inside = (wanted >= 0) & (wanted < len(row_at))
        row = np.where(inside, row_at[np.where(inside, wanted, 0)], -1)
        yield index[row >= 0], row[row >= 0]
        return
    known = pd.Index(panel.ids)
    wanted_ids = ids if panel.ids.dtype.kind == "i" else ids.astype(str)
    series = known.get_indexer(pd.Index(wanted_ids))
    usable = (series >= 0) & on_grid
    _check_once(positions[usable], series[usable], times[usable], name, panel.ids)
    step = positions - first[series]
    usable &= (step >= 0) & (step < lengths[series])
    yield (offsets[series] + step)[usable], np.flatnonzero(usable)


def _check_once(
    positions: np.ndarray, series: np.ndarray | None, times: Any, name: str, ids: np.ndarray | None = None
) -> None:
    keys = pd.DataFrame({"s": 0 if series is None else series, "p": positions})
    repeated = keys.duplicated().to_numpy()
    if repeated.any():
        k = int(repeated.argmax())
        where = "" if series is None or ids is None else f", {ID} {ids[series[k]].item()!r}"
        found = f"{int(repeated.sum())} repeated, first {TIME} {times[k]}"
        raise InputError(f"{name}{where}", "must have every time stamp once", found)


__all__ = ["join", "known_ahead", "table_column"]
