"""Types of columns (int, real, date, text) found from their cells, and the normalisation of cells before a run.

The reference code normalises cells with a recogniser of numbers and dates in running text; here whole cells are read as
numbers or dates, and a column becomes one only if all of its cells do. Cells such as "10 ft" stay text: to read a
number out of them is what a `map@` call is for.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import numbers
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

ColumnType = Literal["int", "real", "date", "text"]
Cell = str | int | float | None

MISSING = frozenset({"", "-", "--", "–", "—", "n/a", "na", "nan", "none", "null", "unknown", "?"})
_INT = re.compile(r"[-+]?(0|[1-9]\d{0,18})")
_MANY_DIGITS = re.compile(r"[-+]?\d{19,}")  # a number of an account rather than an amount: as a float it would change
_REAL = re.compile(r"[-+]?((0|[1-9]\d*)(\.\d+)?|\.\d+)([eE][-+]?\d{1,3})?")
_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
_YEAR = "january february march april may june july august september october november december"
MONTHS = tuple(_YEAR.split())
_MONTH = {name[:length]: i for i, name in enumerate(MONTHS, 1) for length in (3, 4, len(name))}
_ISO = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[ T]00:00(?::00(?:\.0+)?)?)?")
_DAY_FIRST = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[ -]([a-z]{3,9})\.?,?[ -](\d{4})", re.IGNORECASE)
_MONTH_FIRST = re.compile(r"([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})", re.IGNORECASE)


def plain(value: Any) -> Cell:
    """A cell as a database keeps it: text, a whole number, a real number or None.

    Example:
        >>> import datetime, numpy as np
        >>> from holdfast.sql.columntypes import plain
        >>> [plain(v) for v in (np.int64(3), float("nan"), True, datetime.date(2024, 5, 1), b"x", {"a": [1]})]
        [3, None, 'true', '2024-05-01', 'x', '{"a": [1]}']
    """
    if value is None or type(value).__name__ == "NAType":  # pandas.NA
        return None
    if isinstance(value, str):
        return sound(value)
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        return "true" if value else "false"
    if isinstance(value, numbers.Integral):
        return int(value) if -(2**63) <= int(value) < 2**63 else str(int(value))
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "replace").replace("\0", "")
    if getattr(value, "ndim", 0):  # an array, as parquet files have it where there is a list
        value = value.tolist()
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, default=str, ensure_ascii=False)
    if isinstance(value, dt.datetime | dt.date):
        return _date_text(value)
    try:
        real = float(value)
    except (TypeError, ValueError):
        return sound(str(value))
    return None if math.isnan(real) else real


def sound(text: str) -> str:
    """A text as databases can keep it: without NUL and halves of characters, which UTF-8 cannot write.

    Example:
        >>> from holdfast.sql.columntypes import sound
        >>> sound("a\\0b\\ud800")
        'ab?'
    """
    return whole(text.replace("\0", ""))


def whole(text: str) -> str:
    """A text with a question mark for every half of a character."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _date_text(value: dt.date) -> str | None:
    if value != value:  # pandas.NaT is a datetime and unlike itself
        return None
    text = value.isoformat(" ") if isinstance(value, dt.datetime) else value.isoformat()
    return text.removesuffix(" 00:00:00")


def parse_int(text: str) -> int | None:
    """A whole number written without separators or leading zeros ("007" is a name, not a number), else None."""
    value = int(text) if _INT.fullmatch(text) else 2**63
    return value if -(2**63) <= value < 2**63 else None


def parse_real(text: str) -> float | None:
    """A real number written with digits, point and exponent, else None; also None if it is too large for a float."""
    if not _REAL.fullmatch(text) or _MANY_DIGITS.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def parse_grouped(text: str) -> float | None:
    """A number with a comma between thousands ("1,234.5"), or any that `parse_real` reads."""
    return float(text.replace(",", "")) if _GROUPED.fullmatch(text) else parse_real(text)


def parse_date(text: str) -> str | None:
    """A day as year-month-day, else None. Dates of numbers alone must start with the year: 1/2/2024 could be two days.

    Example:
        >>> from holdfast.sql.columntypes import parse_date
        >>> [parse_date(t) for t in ("Sept 7, 2007", "7 september 2007", "2007/9/7", "9/7/2007")]
        ['2007-09-07', '2007-09-07', '2007-09-07', None]
    """
    if match := _ISO.fullmatch(text):
        year, month, day = (int(part) for part in match.groups())
    elif match := _DAY_FIRST.fullmatch(text):
        day, month, year = int(match[1]), _MONTH.get(match[2].lower(), 0), int(match[3])
    elif match := _MONTH_FIRST.fullmatch(text):
        month, day, year = _MONTH.get(match[1].lower(), 0), int(match[2]), int(match[3])
    else:
        return None
    try:
        return dt.date(year, month, day).isoformat()
    except ValueError:
        return None


def typed(cells: Iterable[str | None], missing: frozenset[str] = frozenset({""})) -> tuple[ColumnType, dict[str, Cell]]:
    """The type that all of the texts have, and what each different text is as a value of this type.

    Args:
        cells: texts; None is no value of any type and fits all.
        missing: texts (in lower case, stripped) that mean "no value" if all the others are numbers.

    Returns:
        (type, values): values maps every different text to an int, float or the text itself, missing ones to None.

    Example:
        >>> from holdfast.sql.columntypes import typed
        >>> typed(["3", "", "12"])
        ('int', {'3': 3, '': None, '12': 12})
        >>> typed(["3", "007"])[0]
        'text'
    """
    different = list(dict.fromkeys(cell for cell in cells if cell is not None))
    known = [cell for cell in different if cell.strip().lower() not in missing]
    readers: tuple[tuple[ColumnType, Callable[[str], Cell]], ...] = (("int", parse_int), ("real", parse_real))
    for kind, read in readers:
        if known and (values := _all(known, read)) is not None:
            return kind, {cell: values.get(cell) for cell in different}
    return "text", {cell: cell for cell in different}


def _all(cells: list[str], read: Callable[[str], Cell]) -> dict[str, Cell] | None:
    values: dict[str, Cell] = {}
    for cell in cells:
        if (value := read(cell.strip())) is None:
            return None
        values[cell] = value
    return values


def column_type(series: pd.Series) -> tuple[pd.Series, ColumnType]:
    """A column of any dtype as one that a database understands, and its type.

    Returns:
        (column, type): "int" as Int64, "real" as float64, "date" and "text" as object with None where nothing is.
    """
    import pandas as pd

    if pd.api.types.is_bool_dtype(series.dtype):
        return _objects(series), "text"
    if pd.api.types.is_integer_dtype(series.dtype):
        if str(series.dtype).lower() == "uint64" and series.max() >= 2**63:
            return _objects(series).map(lambda v: v if v is None else str(v)).astype(object), "text"
        return series.astype("Int64"), "int"
    if pd.api.types.is_float_dtype(series.dtype):
        return _real(series.astype("float64"))
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return _objects(series), "date"
    values = _objects(series)
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int}:
        return values.astype("Int64"), "int"
    if kinds and kinds <= {int, float}:
        return _real(values.astype("float64"))
    if kinds & {int, float}:  # mixed: text is what all of them can be
        values = values.map(lambda v: v if v is None or isinstance(v, str) else str(v)).astype(object)
        values = values.where(values.notna(), None)
    return values, "text"


def _objects(series: pd.Series) -> pd.Series:
    import pandas as pd

    return pd.Series([plain(value) for value in series.tolist()], index=series.index, dtype=object)


def _real(series: pd.Series) -> tuple[pd.Series, ColumnType]:
    """Whole numbers that are real only because pandas had no other place for missing values become whole again."""
    import numpy as np

    finite = series[np.isfinite(series)]
    if len(finite) < series.notna().sum():
        return series, "real"  # with infinities, which are no whole numbers
    whole = len(finite) and series.isna().any() and (finite == finite.round()).all() and finite.abs().max() < 2**53
    return (series.astype("Int64"), "int") if whole else (series, "real")


def normalized(series: pd.Series, kind: ColumnType) -> tuple[pd.Series, ColumnType]:
    """A text column in lower case, NFC, blanks single and none around; numbers and dates found; others as they are."""
    if kind != "text":
        return series, kind
    cleaned = {cell: _clean(cell) for cell in series.dropna().unique()}
    different = list(dict.fromkeys(cleaned.values()))
    known = [cell for cell in different if cell not in MISSING]
    found: ColumnType = "text"
    values: dict[str, Cell] | None = None
    if known and not any(re.fullmatch(r"[-+]?0\d+", cell) for cell in known):
        if (values := _all(known, parse_grouped)) is not None:
            written = [float(v) for cell, v in values.items() if not set(cell) & set(".e")]  # type: ignore[arg-type]
            if any(abs(number) >= 2**53 for number in written):  # they would change
                values = None
            else:
                found = "int" if len(written) == len(values) else "real"
        elif (values := _all(known, parse_date)) is not None:
            found = "date"
    if values is None:
        text = series.map(cleaned).astype(object)
        return text.where(text.notna(), None), "text"
    column = series.map({cell: values.get(clean) for cell, clean in cleaned.items()})
    dtype = {"int": "Int64", "real": "float64"}.get(found, "object")
    column = column.astype("float64").astype(dtype) if found == "int" else column.astype(dtype)
    return (column.where(column.notna(), None) if found == "date" else column), found


def _clean(cell: str) -> str:
    return " ".join(unicodedata.normalize("NFC", cell).lower().split())


__all__ = [
    "MISSING",
    "MONTHS",
    "Cell",
    "ColumnType",
    "column_type",
    "normalized",
    "parse_date",
    "plain",
    "sound",
    "typed",
    "whole",
]
