"""Rows with named roles: which column of a user's table is the text, which the label, which the group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from holdfast.data.readers.tables import Bounds, Table, TableOptions


@dataclass(frozen=True)
class Role:
    """What a caller wants a column to be.

    Attributes:
        name: of the role; `--column name=...` maps it to a column, and a column of this name has it anyway.
        kind: "text" (ids, names, labels: exactly as written), "number", "time", or "any" (found from the cells).
        required: whether there must be such a column.
        several: whether several columns may have the role.
        missing: whether cells may be without a value.
        also: names of columns that have the role if none is called as it is.
    """

    name: str
    kind: Literal["text", "number", "time", "any"] = "text"
    required: bool = True
    several: bool = False
    missing: bool = False
    also: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Records:
    """Rows of one or several files. `records["label"]` is the column (N,) of a role, None if the file has none."""

    roles: dict[str, dict[str, np.ndarray]]
    rows: np.ndarray
    notes: tuple[str, ...]

    def __getitem__(self, role: str) -> Any:
        raise NotImplementedError

    def place(self, index: int) -> str:
        """Where row `index` stands: "reviews.csv, row 17"."""
        raise NotImplementedError


def read_records(
    paths: str | Path | Sequence[str | Path],
    roles: Sequence[Role],
    columns: Sequence[str] = (),
    options: TableOptions | None = None,
    bounds: Bounds | None = None,
    *,
    option: str = "--column",
) -> Records:
    """Rows with named roles. `columns` are the user's `role=name`, as given to `--column`."""
    raise NotImplementedError


__all__ = ["Bounds", "Records", "Role", "Table", "TableOptions", "read_records"]
