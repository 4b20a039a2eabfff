"""Tables from csv and parquet files: numeric feature columns and a column of class labels."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from holdfast.data.readers.names import suggest
from holdfast.errors import InputError
from holdfast.unpacking import check_memory

if TYPE_CHECKING:
    import pandas as pd

TABLES = frozenset({".csv", ".tsv", ".parquet", ".pq"})
LABELS = ("label", "y")


def read_table(
    path: str | Path, *, features: Sequence[str] | None = None, label: str | None = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Features and labels of a table.

    Args:
        path: csv (comma, first line = names), tsv (tab) or parquet file.
        features: names of the feature columns, in the wanted order; None = all but the label.
        label: name of the label column; None = `label` or `y` if there is such a column, else no labels.

    Returns:
        (x, y): x (N, F) float32, finite; y (N,) int64, or None without a label column.

    Raises:
        InputError: unreadable or empty file, missing column (the nearest name is suggested), text, missing or
            infinite values among the features (names column and row), labels that are no whole numbers.

    Example:
        >>> import tempfile; from pathlib import Path
        >>> file = Path(tempfile.mkdtemp()) / "plants.csv"
        >>> _ = file.write_text("height,width,label\\n1.5,2,0\\n3,4,1\\n")
        >>> x, y = read_table(file)
        >>> x.tolist(), y.tolist()
        ([[1.5, 2.0], [3.0, 4.0]], [0, 1])
    """
    frame = _frame(Path(path))
    names = [str(c) for c in frame.columns]
    frame.columns = names
    repeated = sorted({n for n in names if names.count(n) > 1})
    if repeated:
        raise InputError(str(path), "must have columns of different names", f"{repeated[0]!r} more than once")
    if frame.empty:
        raise InputError(str(path), "must have at least one row", f"{len(names)} columns, 0 rows")
    label = label if label is not None else next((n for n in LABELS if n in names), None)
    wanted = [n for n in names if n != label] if features is None else list(features)
    for name in [*wanted, *([] if label is None else [label])]:
        if name not in names:
            raise InputError(str(path), f"must have a column {name!r}{suggest(name, names)}", f"columns {names}")
    if not wanted:
        raise InputError(str(path), "must have at least one feature column", f"columns {names}")
    x = np.stack([_feature(frame[name], f"{path}, column {name!r}") for name in wanted], axis=1)
    return x, None if label is None else _labels(frame[label], f"{path}, column {label!r} (labels)")


def _frame(path: Path) -> pd.DataFrame:
    import pandas as pd

    if not path.is_file():
        raise InputError(str(path), "must be a file", "a folder" if path.is_dir() else "nothing there")
    suffix = path.suffix.lower()
    if suffix not in TABLES:
        raise InputError(str(path), f"must end in one of {' '.join(sorted(TABLES))}", suffix or "no suffix")
    try:
        if suffix in (".parquet", ".pq"):
            _check_size(path)
            return pd.read_parquet(path)
        with warnings.catch_warnings():
            # lines longer than the header would be cut with only a warning
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(path, sep="\t" if suffix == ".tsv" else ",", index_col=False)
    except pd.errors.EmptyDataError:
        raise InputError(str(path), "must not be empty", f"{path.stat().st_size} bytes without a column") from None
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001  forged metadata of a parquet file goes wrong anywhere inside pandas
        raise InputError(str(path), f"must be a readable {suffix[1:]} file", str(error)) from None


def _check_size(path: Path) -> None:
    """Refuse a table that would not fit into memory: runs of one value take hardly any room in a parquet file."""
    import pyarrow.parquet as pq

    about = pq.read_metadata(path)
    check_memory(8 * about.num_rows * about.num_columns, str(path))


def _feature(column: pd.Series, name: str) -> np.ndarray:
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    with np.errstate(over="ignore"):
        values = numbers.astype(np.float32)
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        row = int(wrong[0])
        received = f"{column.iloc[row]!s} in data row {row + 1} ({wrong.size} such values)"
        raise InputError(name, "must hold finite numbers", received)
    return values


def _labels(column: pd.Series, name: str) -> np.ndarray:
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = np.flatnonzero(~np.isfinite(numbers) | (numbers != np.round(numbers)) | (np.abs(numbers) > 2**53))
    if wrong.size:
        row = int(wrong[0])
        received = f"{column.iloc[row]!s} in data row {row + 1} ({wrong.size} such values)"
        raise InputError(name, "must hold whole numbers", received)
    return numbers.astype(np.int64)


__all__ = ["TABLES", "read_table"]
