"""Features and labels from any file: npz and npy arrays, or the columns of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from holdfast.data.readers.arrays import read_npy, read_npz
from holdfast.data.readers.tables.bounds import Bounds
from holdfast.data.readers.tables.options import TableOptions
from holdfast.data.readers.tables.reading import SUFFIXES, is_table, open_table
from holdfast.data.readers.tables.table import Column, Table, no_column, shown_names
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


def read_arrays(
    path: str | Path, *, x: str | Sequence[str] | None = None, y: str | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Inputs and labels from any supported file, chosen by its suffix.

    | suffix | x | y |
    |---|---|---|
    | .npz | array `x`, else the first | array `y`, else the second if there is one |
    | .npy | the array | none |
    | tables (.csv .tsv .parquet ...) | all other columns | column `label` or `y` if there is one |

    Args:
        path: the file.
        x: name of the array in an npz, or names of the feature columns of a table; None = as above.
        y: name of the label array or column; None = as above.

    Returns:
        (x, y): x finite numbers of any shape (N, ...) in the file's type (tables: float32 (N, F)); y (N,) int64/None.

    Raises:
        InputError: missing, damaged or empty file, unknown suffix or name, NaN, text or objects for numbers, labels
            that are no whole numbers, lengths that differ. The message starts with the file.

    What was decided in reading a table (percent signs, money, ...) is told by `read_features`, which this calls.

    Example:
        >>> import tempfile, numpy as np; from pathlib import Path
        >>> file = Path(tempfile.mkdtemp()) / "points.npz"
        >>> np.savez(file, x=np.zeros((3, 2)), y=[0, 1, 0])
        >>> x, y = read_arrays(file)
        >>> x.shape, y.tolist()
        ((3, 2), [0, 1, 0])
    """
    if is_table(path):
        found = read_features(path, features=[x] if isinstance(x, str) else x, label=y)
        return found.x, found.y
    suffix = Path(path).suffix.lower()
    if suffix == ".npz":
        if x is not None and not isinstance(x, str):
            raise InputError("x", "must be the name of one array for an npz file", repr(x))
        return read_npz(path, x=x, y=y)
    if suffix == ".npy":
        if x is not None or y is not None:
            raise InputError("x, y", "must not be given for an npy file, which holds one array without a name", (x, y))
        return read_npy(path), None
    raise InputError(str(path), f"must end in one of .npy .npz {' '.join(SUFFIXES)}", suffix or "no suffix")


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


__all__ = ["LABELS", "Features", "read_arrays", "read_features"]
