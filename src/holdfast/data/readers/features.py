"""Tables of numbers: feature columns and a column of class labels, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from holdfast.data.readers.tables import Bounds, Column, Table, TableOptions, open_table
from holdfast.data.readers.tables.table import no_column, shown_names
from holdfast.errors import InputError

LABELS = ("label", "y")
PANDAS_INDEX = "__index_level_"  # how pandas calls an index without a name in a parquet file


@dataclass(frozen=True, eq=False)
class Features:
    """Rows of a table as arrays.

    Attributes:
        x: (N, F) float32, finite.
        y: (N,) int64, or None without a label column.
        names: of the columns of x.
        rows: (N,) numbers of the rows in the file.
        notes: what was decided in reading, one line each.
    """

    x: np.ndarray
    y: np.ndarray | None
    names: tuple[str, ...]
    rows: np.ndarray
    notes: tuple[str, ...]


def read_features(
    path: str | Path,
    *,
    features: Sequence[str] | None = None,
    label: str | None = None,
    options: TableOptions | None = None,
    bounds: Bounds | None = None,
) -> Features:
    """Features and labels of a table of any format.

    Args:
        path: of the file; see `read_table`.
        features: names of the feature columns, in the wanted order; None = all but the label, and but the index that
            pandas writes into parquet files.
        label: name of the label column; None = `label` or `y` if there is such a column, else no labels.
        options: what the user said.
        bounds: the most the file may hold.

    Raises:
        InputError: unreadable or empty file, missing column (the nearest name is suggested), text, missing or
            infinite values among the features (names column and row), labels that are no whole numbers.

    Example:
        >>> import tempfile; from pathlib import Path
        >>> file = Path(tempfile.mkdtemp()) / "plants.csv"
        >>> _ = file.write_text("height,width,label\\n1.5,2,0\\n3,4,1\\n")
        >>> found = read_features(file)
        >>> found.x.tolist(), found.y.tolist()
        ([[1.5, 2.0], [3.0, 4.0]], [0, 1])
    """
    file = open_table(path, options=options, bounds=bounds)
    label = label if label is not None else next((name for name in LABELS if name in file.names), None)
    given = [name for name in file.names if name != label and not name.startswith(PANDAS_INDEX)]
    wanted = given if features is None else list(features)
    for name in [*wanted, *([] if label is None else [label])]:
        if name not in file.names:
            raise no_column(str(path), name, file.names)
    if not wanted:
        raise InputError(str(path), "must have at least one feature column", f"columns {shown_names(file.names)}")
    columns = list(dict.fromkeys([*wanted, *([] if label is None else [label])]))
    table = file.read(dict.fromkeys(columns, "number"), columns)
    if not len(table):
        raise InputError(str(path), "must have at least one row", f"{len(file.names)} columns, 0 rows")
    x = np.stack([_feature(table, name) for name in wanted], axis=1)
    y = None if label is None else _labels(table, table.column(label))
    return Features(x, y, tuple(wanted), table.rows, table.notes)


def _feature(table: Table, name: str) -> np.ndarray:
    column = table.column(name)
    with np.errstate(over="ignore"):
        values = column.numbers().astype(np.float32)
    _check(table, column, ~np.isfinite(values), f"column {name!r}", "must hold finite numbers")
    return values


def _labels(table: Table, column: Column) -> np.ndarray:
    name = f"column {column.name!r} (labels)"
    if column.kind == "real":
        numbers = column.values.astype(np.float64)
        with np.errstate(invalid="ignore"):
            wrong = ~np.isfinite(numbers) | (numbers != np.round(numbers)) | (np.abs(numbers) >= 2**53)
        _check(table, column, wrong | column.missing, name, "must hold whole numbers")
    else:
        wrong = column.missing if column.values.dtype != np.uint64 else column.missing | (column.values >= 2**63)
        _check(table, column, wrong, name, "must hold whole numbers")
    return column.values.astype(np.int64)


def _check(table: Table, column: Column, wrong: np.ndarray, name: str, rule: str) -> None:
    if wrong.any():
        place = int(wrong.argmax())
        shown = "no value" if column.missing[place] else str(column.values[place])
        more = f" ({int(wrong.sum()):,} such cells)" if wrong.sum() > 1 else ""
        raise InputError(f"{table.path}, {name}", rule, f"{shown} in row {table.rows[place]}{more}")


__all__ = ["LABELS", "Features", "read_features"]
