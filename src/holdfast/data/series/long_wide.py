"""What users have as series: a long table, a wide one, or plain numbers; checked and brought into one form.

| given | taken as |
|---|---|
| DataFrame with columns `ds`, `y` and perhaps `unique_id` | long: one row per series and time |
| DataFrame without them | wide: one column per series, times in the index |
| Series | one series, times in the index |
| array (T,) or (T, n), list | one series, or n of them, at steps 0, 1, 2, … |
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from holdfast.data.readers.tables.astimes import as_times
from holdfast.data.readers.tables.cells import Cells, Unfit
from holdfast.data.readers.tables.evidence import Evidence
from holdfast.data.readers.tables.options import TableOptions
from holdfast.data.readers.tables.times import Times
from holdfast.data.series.calendars import WorkingDays
from holdfast.data.series.clock import Clock, make_clock
from holdfast.data.series.numbered_times import calendar_times
from holdfast.data.series.panel import Panel
from holdfast.errors import InputError
from holdfast.validation import as_array, check_array, check_choice, is_tensor

ID, TIME, VALUE = "unique_id", "ds", "y"
FILLS = (None, "forward", "zero")


@dataclass(frozen=True)
class _Rows:
    """Series one behind the other, before gaps are looked for."""

    ids: np.ndarray
    group: np.ndarray  # (N,) index into ids, ascending
    times: Any  # (N,) int64 or DatetimeIndex
    y: np.ndarray
    extra: dict[str, np.ndarray]


class SeriesNotice(UserWarning):
    """Something about series was decided that the user should know."""


def read_panel(
    y: Any,
    freq: str | int | Clock | None = None,
    fill: str | None = None,
    name: str = "y",
    *,
    sort: bool = True,
) -> Panel:
    """Series as a panel without covariates; those are joined by `covariates.join`.

    Args:
        y: see the table above. In tables NaN is a step without a value: missing within a series, and no part of it
            before its first value and after its last.
        freq: the frequency as pandas names it, a whole number, or a clock that has it; None = found from the time
            stamps.
        fill: how steps that are missing within a series are filled: "forward" (with the last value before) or "zero".
            Both use nothing that comes later. None = they are refused; working days that no series has are holidays.
        name: of the argument, in errors.
        sort: bring rows into the order of time, with a notice; else they must be in it.

    Raises:
        InputError: empty, text, infinite values; times that repeat, are off the frequency's grid, have gaps, or mix
            time zones. The message names the series and how many.

    Example:
        >>> panel = read_panel([1.0, 2.0, 3.0])
        >>> panel.count, panel.y.tolist()
        (1, [1.0, 2.0, 3.0])
    """
    check_choice(fill, FILLS, "fill")
    with warnings.catch_warnings(record=True) as said:  # an error says all there is to say
        warnings.simplefilter("always")
        panel = _panel(y, freq, fill, name, sort)
    for notice in said:
        warnings.warn(notice.message, stacklevel=3)
    return panel


def _panel(y: Any, freq: str | int | Clock | None, fill: str | None, name: str, sort: bool) -> Panel:
    rows = _rows(y, name)
    if not len(rows.y):
        raise InputError(name, "must not be empty", "no rows")
    rows = _in_order(rows, name, sort)
    clock = make_clock(rows.times, rows.group, freq, holidays=fill is None)
    positions, on_grid = clock.positions(rows.times)
    _tell_holidays(clock)
    if not on_grid.all():
        where = _which(rows, ~on_grid)
        raise InputError(f"{name}, {where}", f"must have time stamps that frequency {clock} has", _count(~on_grid))
    return _regular(rows, positions, clock, fill, name)


def is_long(y: Any) -> bool:
    """Whether a table has the columns of a long one."""
    return isinstance(y, pd.DataFrame) and {TIME, VALUE} <= set(y.columns)


def extra_columns(y: Any) -> list[str]:
    """Columns of a long table besides id, time and value."""
    return [str(c) for c in y.columns if c not in (ID, TIME, VALUE)] if is_long(y) else []


# ------------------------------------------------------------------------------------------------------------- reading
def _rows(y: Any, name: str) -> _Rows:
    if is_long(y):
        return _long(y, name)
    if isinstance(y, pd.Series):
        if not len(y):
            raise InputError(name, "must not be empty", "no rows")
        return _wide(y.to_frame(y.name if y.name is not None else VALUE), read_times(y.index, f"{name}, index"), name)
    if isinstance(y, pd.DataFrame):
        if {ID, TIME} & set(y.columns):
            missing = sorted({TIME, VALUE} - set(y.columns))
            raise InputError(name, f"must have the columns {ID}, {TIME} and {VALUE}", f"no column {', '.join(missing)}")
        return _wide(y, read_times(y.index, f"{name}, index"), name)
    array = as_array(y, name)
    array = check_array(array, "T" if array.ndim == 1 else "T S", name=name, dtype="float64")
    array = array.detach().cpu().numpy() if is_tensor(array) else np.asarray(array)
    if array.ndim == 1:
        return _Rows(_ids([VALUE]), np.zeros(len(array), int), np.arange(len(array)), array, {})
    return _wide(pd.DataFrame(array), np.arange(len(array)), name)


def _long(y: pd.DataFrame, name: str) -> _Rows:
    if y.columns.has_duplicates:
        repeated = y.columns[y.columns.duplicated()][0]
        raise InputError(name, "must have columns of different names", f"{repeated!r} more than once")
    if not len(y):
        raise InputError(name, "must not be empty", "a table without rows")
    if ID in y.columns:
        if (missing := y[ID].isna()).any():
            raise InputError(f"{name}, column {ID}", "must have no missing values", _count(missing.to_numpy()))
        group, ids = pd.factorize(y[ID])
    else:
        group, ids = np.zeros(len(y), np.int64), np.array([VALUE])
    times, values = read_times(y[TIME], f"{name}, column {TIME}"), numbers(y[VALUE], f"{name}, column {VALUE}")
    if (np.diff(group) < 0).any():  # series lie between each other
        order = np.argsort(group, kind="stable")
        group, times, values = group[order], times[order], values[order]
    known = ~np.isnan(values)
    if len(empty := np.setdiff1d(np.arange(len(ids)), group[known])):
        where = f"{name}, {ID} {_shown(ids[empty[0]])}"
        raise InputError(where, "must have at least one number", f"missing values only, in {len(empty)} series")
    rows = _Rows(_ids(ids), group[known], times[known], values[known], {})
    _check_finite(rows, name)
    return rows


def _wide(y: pd.DataFrame, times: Any, name: str) -> _Rows:
    if y.shape[1] == 0 or not len(y):
        raise InputError(name, "must not be empty", f"shape {y.shape}")
    if y.columns.has_duplicates:
        raise InputError(name, "must have columns of different names", repr(y.columns[y.columns.duplicated()][0]))
    values = np.stack([numbers(y.iloc[:, k], f"{name}, column {c!r}") for k, c in enumerate(y.columns)])  # (S, T)
    known = ~np.isnan(values)
    if not known.any(1).all():
        column = y.columns[int(np.flatnonzero(~known.any(1))[0])]
        raise InputError(f"{name}, column {column!r}", "must have at least one number", "missing values only")
    series, step = np.nonzero(known)
    rows = _Rows(_ids(y.columns), series, times[step], values[known], {})
    _check_finite(rows, name)
    return rows


def _ids(ids: Any) -> np.ndarray:
    """Names as numpy holds them without objects: whole numbers stay numbers, all else becomes text."""
    ids = np.asarray(ids)
    return ids.astype(np.int64) if ids.dtype.kind in "iu" else ids.astype(str)


def numbers(column: pd.Series, name: str) -> np.ndarray:
    """A column as float64; missing = NaN.

    Raises:
        InputError: text, dates or objects.
    """
    kind = column.dtype
    if pd.api.types.is_bool_dtype(kind) or not pd.api.types.is_numeric_dtype(kind) or kind.kind == "c":
        raise InputError(name, "must hold numbers", _not_numbers(column))
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _not_numbers(column: pd.Series) -> str:
    """What a column holds instead: the texts that are no numbers, or else numbers that were kept as text."""
    is_text = np.fromiter((isinstance(v, str) for v in column), bool, len(column))
    if not is_text.any():
        return f"dtype {column.dtype}"
    texts = column[is_text]
    wrong = texts[pd.to_numeric(texts, errors="coerce").isna()]
    shown = wrong if len(wrong) else texts
    return f"text, such as {shown.iloc[0]!r}, in {len(shown):,} of {len(column):,}"


def read_times(column: Any, name: str) -> Any:
    """Time stamps as int64 or as a DatetimeIndex.

    Raises:
        InputError: no times, missing ones, or several time zones.
    """
    if isinstance(column, pd.PeriodIndex) or isinstance(column.dtype, pd.PeriodDtype):
        column = pd.PeriodIndex(column).to_timestamp()
    if pd.api.types.is_integer_dtype(column.dtype) and not column.hasnans:
        return _counted(column.to_numpy(np.int64), name)
    if pd.api.types.is_numeric_dtype(column.dtype):
        raise InputError(name, "must hold dates or whole numbers", f"dtype {column.dtype}")
    if (spelt := _spelt(column, name)) is not None:
        return spelt
    try:
        times = pd.DatetimeIndex(_dates(column))
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(name, *_why_no_times(column, str(error))) from None
    if times.hasnans:
        raise InputError(name, "must have no missing values", _count(np.asarray(times.isna())))
    return times


def _counted(numbers: np.ndarray, name: str) -> Any:
    """Steps as they are, and dates that are written as whole numbers as dates, with a notice."""
    found = calendar_times(numbers)
    if found is None:
        return numbers
    moments, what = found
    text = f"{name}: {numbers[0]} is {str(moments[0])[:16].removesuffix('T00:00')} ({what})"
    warnings.warn(text, SeriesNotice, stacklevel=5)
    return pd.DatetimeIndex(moments)


def _spelt(column: Any, name: str) -> pd.DatetimeIndex | None:
    """Texts like 03/04/2024 and Jan-16, in which not every reader finds the same day; None for any others.

    Raises:
        InputError: nothing tells which number is the day or the year.
    """
    if pd.api.types.infer_dtype(column, skipna=False) != "string":
        return None
    import pyarrow as pa

    given = np.asarray(column, object)
    cells = Cells(name, pa.array(given), np.arange(len(given)), TableOptions())
    times = Times.of(cells.texts)
    if not ((times.one > 0) & ~times.points | times.short).any():
        return None
    try:
        found, said = as_times(cells, times, Evidence())
    except Unfit as unfit:
        raise InputError(name, unfit.rule, unfit.received) from None
    if found.missing.any():
        raise InputError(name, "must have no missing values", _count(found.missing))
    for text in said:
        warnings.warn(f"{name}: {text}", SeriesNotice, stacklevel=5)
    read = pd.DatetimeIndex(found.values)
    return read.tz_localize("UTC") if found.unit else read


def _dates(column: Any, **how: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a slower way to read dates
        return pd.to_datetime(column, **how)


def _why_no_times(column: Any, error: str) -> tuple[str, str]:
    given = pd.Series(np.asarray(column, object))
    wrong = given[_dates(given, utc=True, format="mixed", errors="coerce").isna() & given.notna()]
    if len(wrong):
        return "must hold dates or whole numbers", f"{wrong.iloc[0]!r}, in {len(wrong):,} of {len(given):,}"
    zones = given.dropna().astype(str).str.extract(r":\d\d(?:\.\d+)? ?(Z|[+-]\d\d:?\d\d)?$")[0]
    if (count := zones.nunique(dropna=False)) > 1:
        found = ", ".join(f"{size:,} with {zone or 'none'}" for zone, size in zones.fillna("").value_counts().items())
        return "must be in one time zone; convert it to one, UTC for example", f"{count} zones: {found[:80]}"
    return "must hold dates of one form", " ".join(error.split("\n")[0].split())[:120]


# ------------------------------------------------------------------------------------------------------------ checking
def _check_finite(rows: _Rows, name: str) -> None:
    wrong = ~np.isfinite(rows.y)
    if wrong.any():
        found = f"{int(wrong.sum())} infinite of {len(rows.y):,} values, first at {_time(rows, wrong)}"
        raise InputError(f"{name}, {_which(rows, wrong)}", "must be finite", found)


def _in_order(rows: _Rows, name: str, sort: bool) -> _Rows:
    """Rows whose times ascend within each series."""
    back = _steps(rows) < 0
    if back.any():
        if not sort:
            found = f"{_count(back)} back in time, first at {_time(rows, back)}"
            rule = "must have time stamps that ascend, where covariates come as arrays; sort the rows"
            raise InputError(f"{name}, {_which(rows, back)}", rule, found)
        falling = back.sum() == len(back) - len(rows.ids)
        how = "the newest first" if falling else f"{_count(back)} back in time"
        warnings.warn(f"rows are not in the order of time ({how}): sorted", SeriesNotice, stacklevel=4)
        order = np.lexsort((_numbers(rows.times), rows.group))
        rows = _Rows(rows.ids, rows.group[order], rows.times[order], rows.y[order], {})
    if (repeated := _steps(rows) == 0).any():
        found = f"{_count(repeated)} repeated, first {_time(rows, repeated)}"
        raise InputError(f"{name}, {_which(rows, repeated)}", "must have every time stamp once", found)
    return rows


def _numbers(times: Any) -> np.ndarray:
    return times.asi8 if isinstance(times, pd.DatetimeIndex) else times


def _steps(rows: _Rows) -> np.ndarray:
    """(N,) from the row before in the same series; 1 for the first of each."""
    steps = np.diff(_numbers(rows.times), prepend=0)
    steps[np.diff(rows.group, prepend=-1) != 0] = 1
    return steps


def _tell_holidays(clock: Clock) -> None:
    if isinstance(clock.days, WorkingDays) and (closed := clock.days.holidays):
        first = np.datetime64(closed[0], "D")
        what = f"{len(closed)} of its days, which no series has, are holidays, the first {first}"
        text = f"steps are working days ({clock}): {what} (--fill, fill=, makes them gaps)"
        warnings.warn(text, SeriesNotice, stacklevel=4)


def _regular(rows: _Rows, positions: np.ndarray, clock: Clock, fill: str | None, name: str) -> Panel:
    """The panel; missing steps filled or refused."""
    count = len(rows.ids)
    lengths = np.bincount(rows.group, minlength=count)
    offsets = np.cumsum(lengths) - lengths
    first, last = positions[offsets], positions[offsets + lengths - 1]
    full = last - first + 1
    y = rows.y
    if (missing := full - lengths).any():
        if fill is None:
            k = int(missing.argmax())
            before = offsets[k] + int((np.diff(positions[offsets[k] : offsets[k] + lengths[k]]) > 1).argmax())
            found = f"{int(missing.sum())} steps missing in {int((missing > 0).sum())} series; {missing[k]} in this one"
            found += f", first after {TIME} {rows.times[before]}"
            rule = f"must have no gaps at frequency {clock}; fill='forward' or fill='zero' fills them"
            if missing.sum() > lengths.sum():  # more steps than there are rows would be made up
                rule = f"must have more of the steps of frequency {clock}; freq= names another, if times are right"
            raise InputError(f"{name}, {ID} {_shown(rows.ids[k])}", rule, found)
        begin = np.cumsum(full) - full
        place = begin[rows.group] + positions - first[rows.group]
        y = np.zeros(int(full.sum()))
        if fill == "forward":
            source = np.zeros(len(y), np.int64)
            source[place] = np.arange(len(place))
            y = rows.y[np.maximum.accumulate(source)]
        else:
            y[place] = rows.y
        lengths = full
    nothing = np.empty((len(y), 0), np.float32)
    return Panel(rows.ids, lengths.astype(np.int64), first, y, nothing, nothing, (), (), clock)


def _which(rows: _Rows, wrong: np.ndarray) -> str:
    return f"{ID} {_shown(rows.ids[rows.group[int(wrong.argmax())]])}"


def _time(rows: _Rows, wrong: np.ndarray) -> str:
    return f"{TIME} {rows.times[int(wrong.argmax())]}"


def _shown(value: Any) -> str:
    return repr(value.item() if isinstance(value, np.generic) else value)


def _count(wrong: np.ndarray) -> str:
    return f"{int(wrong.sum())} of {len(wrong):,}"


__all__ = [
    "FILLS",
    "ID",
    "TIME",
    "VALUE",
    "SeriesNotice",
    "extra_columns",
    "is_long",
    "numbers",
    "read_panel",
    "read_times",
]
