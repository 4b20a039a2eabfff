"""What a table is once it is read: typed columns, the rows' numbers in the file, and what was decided on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["text", "integer", "real", "time", "boolean", "other"]


@dataclass(frozen=True, eq=False)
class Column:
    """One column, all of whose cells are of one kind.

    Attributes:
        name: as in the file, made unique ("price", "price_2"; "column_3" where it was empty).
        kind: "text" (object array of str, exactly as written; None where the cell was empty), "integer" (int64; 0
            where missing), "real" (float64; NaN where missing), "time" (datetime64; NaT where missing), "boolean"
            (bool), "other" (lists, bytes, ... of parquet and json files as they are).
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


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of a file.

    Attributes:
        path: of the file.
        columns: in the order of the file.
        rows: (N,) int64, the numbers of the rows as a spreadsheet shows them, from 1, the header counted; of a parquet
            file, where there is no header line, from 1 for the first row.
        notes: what was decided from evidence, and what a user should know, one line each.
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
        raise NotImplementedError

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            InputError: there is none; names the nearest.
        """
        raise NotImplementedError

    def frame(self, names: Sequence[str] | None = None) -> pd.DataFrame:
        """The columns as pandas holds them: object, int64 or Int64, float64, datetime64, bool or boolean."""
        raise NotImplementedError
