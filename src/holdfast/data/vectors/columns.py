"""Several columns of one file, rows side by side: vectors and keys from a parquet file, a folder of them or an npz."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.data.readers.names import suggest
from holdfast.data.readers.tables.footers import count_values
from holdfast.data.vectors.stores import PARQUET
from holdfast.errors import InputError
from holdfast.unpacking import DAMAGED, check_archive, check_memory
from holdfast.validation import check_array, check_same_length


def read_columns(
    path: Path, option: str, *, needed: Sequence[str], vectors: Sequence[str] = (), keys: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Columns of vectors (N, D), float32, and of keys (N,), whole numbers or words; whole in memory.

    Args:
        path: the file, or a folder of parquet files.
        option: what the path was given as, for messages.
        needed: columns of vectors that must be there.
        vectors, keys: columns that are read where there are such.

    Raises:
        InputError: the file cannot be read or lacks a column, lists of several lengths, missing or infinite values,
            numbers of rows that differ.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "x.npz"
        >>> np.savez(file, image=np.ones((2, 3)), name=np.array(["a", "b"]))
        >>> {name: x.shape for name, x in read_columns(file, "--data", needed=["image"], keys=["name"]).items()}
        {'image': (2, 3), 'name': (2,)}
    """
    rule = f"must be a parquet or npz file with {' and '.join(needed)}"
    if not path.exists():
        raise InputError(option, rule, f"{path} (not found)")
    npz = path.is_file() and path.suffix.lower() == ".npz"
    if path.is_file() and not npz and path.suffix.lower() not in PARQUET:
        raise InputError(option, rule, str(path))
    try:
        found = (_npz if npz else _parquet)(path, needed, (*needed, *vectors, *keys))
    except InputError:
        raise
    except (*DAMAGED, TypeError, MemoryError) as error:
        kind = "npz" if npz else "parquet"
        raise InputError(str(path), f"must be a readable {kind} file of plain arrays", str(error)) from None
    checked: dict[str, np.ndarray] = {}
    for name, values in found.items():
        named = f"{path}: {name}"
        checked[name] = (
            as_keys(values, named) if name in keys else check_array(values, "N D", name=named, dtype="float32")
        )
    check_same_length(**checked)
    return checked


def as_keys(values: np.ndarray, name: str) -> np.ndarray:
    """Ids or labels: whole numbers or words, one per row.

    Raises:
        InputError: something else.
    """
    if values.ndim != 1:
        raise InputError(name, "must hold one value per row", f"shape {values.shape}")
    if values.dtype.kind == "O" and all(isinstance(v, str) for v in values):
        values = values.astype(str)
    if values.dtype.kind not in "iuU":
        raise InputError(name, "must hold whole numbers or words", f"dtype {values.dtype}")
    return values


def read_keys(path: Path) -> np.ndarray:
    """Labels of any kind from an npy file, (N,).

    Raises:
        InputError: a file that cannot be read, or holds something else.
    """
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(str(path), "must be an npy file of numbers or strings", str(error)) from None
    if not isinstance(values, np.ndarray) or values.ndim != 1:
        raise InputError(str(path), "must hold one label per row", f"shape {getattr(values, 'shape', None)}")
    return values


def _wanted(there: Sequence[str], path: Path, needed: Sequence[str], columns: Sequence[str]) -> list[str]:
    for name in needed:
        if name not in there:
            raise InputError(str(path), f"must have a column {name!r}{suggest(name, there)}", list(there))
    return [name for name in columns if name in there]


def _npz(path: Path, needed: Sequence[str], columns: Sequence[str]) -> dict[str, np.ndarray]:
    check_archive(path)
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in _wanted(archive.files, path, needed, columns)}


def _parquet(path: Path, needed: Sequence[str], columns: Sequence[str]) -> dict[str, np.ndarray]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from holdfast.data.vectors.parquet import parquet_files

    tables, size = [], 0
    try:
        for part in parquet_files(path):
            file = pq.ParquetFile(part)
            names = _wanted([str(name) for name in file.schema_arrow.names], part, needed, columns)
            size += 8 * count_values(part)
            check_memory(size, str(path))
            tables.append(file.read(names))
        table = pa.concat_tables(tables)
    except pa.ArrowException as error:
        raise InputError(str(path), "must be a readable parquet file", str(error)) from None
    return {name: _column(table[name], f"{path}: {name}") for name in table.column_names}


def _column(column: Any, name: str) -> np.ndarray:
    """A column of numbers, words or lists of one length as an array."""
    import pyarrow.compute as pc

    from holdfast.data.vectors.parquet import is_list, matrix_of

    if column.null_count:
        first = pc.index(column.is_null(), True).as_py()
        raise InputError(name, "must have no missing values", f"{column.null_count}, the first in row {first}")
    if not len(column) or not is_list(column.type):
        return np.asarray(column.to_numpy())
    return matrix_of(column, len(column[0]), name)


__all__ = ["as_keys", "read_columns", "read_keys"]
