"""What a table is once it is read: typed columns, the rows' numbers in the file, and what was decided on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from holdfast.data.readers.names import suggest
from holdfast.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["text", "integer", "real", "time", "boolean", "other"]
NUMERIC = ("integer", "real", "boolean")


@dataclass(frozen=True, eq=False)
class Column:
    """One column, all of whose cells are of one kind.

    | kind | values | where there is no value |
    |---|---|---|
    | text | object array of str, exactly as written | None |
    | integer | int64; other sizes as parquet files have them | 0 |
    | real | float64; float32 as parquet files have it | NaN |
    | time | datetime64: days, or microseconds or nanoseconds where there is a time of day | NaT |
    | boolean | bool | False |
    | other | objects: lists, bytes, ... of parquet and json files | None |

    Attributes:
        name: as in the file, made unique ("price", "price_2"; "column_3" where it was empty).
        kind: see the table.
        values: (N,).
        missing: (N,) bool, where there is no value.
        unit: "%" (the values are fractions: 0.125 where the file has 12.5%), a currency ("EUR", "$"), "UTC" for times
            that came with offsets, else "".
    """

    name: str
    kind: Kind
    values: np.ndarray
    missing: np.ndarray
    unit: str = ""

    def __len__(self) -> int:
        return len(self.values)

    def numbers(self) -> np.ndarray:
        """The column as float64 (N,), NaN where there is no value; booleans are 0 and 1.

        Raises:
            InputError: a column of text, times or objects.
        """
        if self.kind in NUMERIC or self.missing.all():
            values = np.zeros(len(self)) if self.kind not in NUMERIC else self.values.astype(np.float64)
            return np.where(self.missing, np.nan, values)
        raise InputError(f"column {self.name!r}", "must hold numbers", f"a column of kind {self.kind}")

    def tolist(self) -> list[Any]:
        """The cells as Python's own objects, None where there is no value."""
        cells = self.values.tolist()
        return [None if gone else cell for cell, gone in zip(cells, self.missing.tolist(), strict=True)]

    def series(self) -> pd.Series:
        """The column as pandas holds it: object with None, int64 or Int64, float64, datetime64, bool or boolean."""
        import pandas as pd

        if self.kind == "integer" and self.missing.any():
            whole = pd.array(self.values, dtype=self.values.dtype.name.replace("i", "I").replace("u", "U"))
            whole[self.missing] = pd.NA
            return pd.Series(whole, name=self.name)
        if self.kind == "boolean" and self.missing.any():
            return pd.Series(pd.arrays.BooleanArray(self.values.copy(), self.missing.copy()), name=self.name)
        dtype = object if self.kind in ("text", "other") else None
        return pd.Series(self.values, name=self.name, dtype=dtype)


def text_column(name: str, values: np.ndarray, missing: np.ndarray) -> Column:
    """A column of texts, None where one is missing."""
    if missing.any():
        values = values.copy()
        values[missing] = None
    return Column(name, "text", values, missing)


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of a file.

    Attributes:
        path: of the file.
        columns: in the order of the file, or in that which was asked for.
        rows: (N,) int64, the numbers of the rows as a spreadsheet shows them: from 1, the header and empty rows
            counted. Of jsonl files the lines, of parquet files and lists in json the rows from 1.
        notes: what was decided from evidence, and what else a user should know, one line each.
    """

    path: str
    columns: tuple[Column, ...]
    rows: np.ndarray
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return [column.name for column in self.columns]

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            InputError: there is none; names the nearest.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise no_column(self.path, name, self.names)

    def frame(self) -> pd.DataFrame:
        """The columns as a data frame; see `Column.series`. Its index counts from 0."""
        import pandas as pd

        return pd.DataFrame({column.name: column.series() for column in self.columns}, index=range(len(self)))


def no_column(path: str, name: str, names: Sequence[str]) -> InputError:
    """The error that says which columns a file has instead of one that was asked for."""
    return InputError(path, f"must have a column {name!r}{suggest(name, names)}", f"columns {shown_names(names)}")


def shown_names(names: Sequence[str]) -> str:
    """The first thirty of some names."""
    return ", ".join(map(repr, names[:30])) + (f", ... ({len(names)} in all)" if len(names) > 30 else "")


__all__ = ["NUMERIC", "Column", "Kind", "Table", "no_column", "shown_names", "text_column"]
