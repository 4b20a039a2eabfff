"""Files of pairs: a parquet file (or a folder of them) or an npz with `old`, `new`, perhaps `side`, `id`, `label`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.data.readers.names import suggest
from holdfast.data.vectors.stores import PARQUET
from holdfast.errors import InputError
from holdfast.unpacking import DAMAGED, check_archive, check_memory
from holdfast.validation import check_array, check_same_length

VECTORS, KEYS = ("old", "new", "side"), ("id", "label")
COLUMNS = (*VECTORS, *KEYS)


def read_columns(path: Path, option: str, columns: Sequence[str] = COLUMNS) -> dict[str, np.ndarray]:
    """The columns old (N, d_old), new (N, d_new), side (N, d_side), id (N,) and label (N,), as far as there are.

    Vectors are float32 in memory.

    Args:
        path: the file, or a folder of parquet files.
        option: what the path was given as, for messages.
        columns: those to read, where there are such; always old and new.

    Raises:
        InputError: the file cannot be read or has no such columns, lists of several lengths, missing or infinite
            values, numbers of rows that differ.
    """
    rule = "must be a parquet or npz file with old and new"
    if not path.exists():
        raise InputError(option, rule, f"{path} (not found)")
    suffix = path.suffix.lower()
    if path.is_file() and suffix not in (*PARQUET, ".npz"):
        raise InputError(option, rule, str(path))
    try:
        found = _npz(path, columns) if path.is_file() and suffix == ".npz" else _parquet(path, columns)
    except InputError:
        raise
    except (*DAMAGED, TypeError, MemoryError) as error:
        kind = "npz" if suffix == ".npz" else "parquet"
        raise InputError(str(path), f"must be a readable {kind} file of plain arrays", str(error)) from None
    checked: dict[str, np.ndarray] = {}
    for name in VECTORS:
        if name in found:
            checked[name] = check_array(found[name], "N D", name=f"{path}: {name}", dtype="float32")
    for name in KEYS:
        if name in found:
            checked[name] = as_keys(found[name], f"{path}: {name}")
    check_same_length(**checked)
    return checked


def _wanted(names: list[str], path: Path, columns: Sequence[str]) -> list[str]:
    for name in ("old", "new"):
        if name not in names:
            raise InputError(str(path), f"must have a column {name!r}{suggest(name, names)}", names)
    return [name for name in columns if name in names]


def _npz(path: Path, columns: Sequence[str]) -> dict[str, np.ndarray]:
    check_archive(path)
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in _wanted(list(archive.files), path, columns)}


def _parquet(path: Path, columns: Sequence[str]) -> dict[str, np.ndarray]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from holdfast.data.vectors.parquet import parquet_files

    tables, needed = [], 0
    try:
        for part in parquet_files(path):
            file = pq.ParquetFile(part)
            names = _wanted([str(name) for name in file.schema_arrow.names], part, columns)
            about = file.metadata
            groups = [about.row_group(number) for number in range(about.num_row_groups)]
            needed += 8 * sum(group.column(c).num_values for group in groups for c in range(about.num_columns))
            check_memory(needed, str(path))
            tables.append(file.read(names))
        table = pa.concat_tables(tables)
    except pa.ArrowException as error:
        raise InputError(str(path), "must be a readable parquet file", str(error)) from None
    return {name: _column(table[name].combine_chunks(), f"{path}: {name}") for name in table.column_names}


def _column(column: Any, name: str) -> np.ndarray:
    """A column of numbers, words or lists of one length as an array."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, pa.ChunkedArray):  # a column without rows stays in its chunks
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if column.null_count:
        first = pc.index(column.is_null(), True).as_py()
        raise InputError(name, "must have no missing values", f"{column.null_count}, the first in row {first}")
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type) or _fixed(column.type)):
        return np.asarray(column.to_numpy(zero_copy_only=False))
    lengths = np.full(len(column), column.type.list_size) if _fixed(column.type) else pc.list_value_length(column)
    sizes = np.unique(np.asarray(lengths))
    if len(sizes) != 1:
        other = int(np.flatnonzero(np.asarray(lengths) != np.asarray(lengths)[0])[0]) if len(sizes) else 0
        raise InputError(name, "must have lists of one length", f"{sizes.tolist()[:5]}, row {other} is the first other")
    values = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values).reshape(len(column), int(sizes[0]))


def _fixed(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_fixed_size_list(kind))


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


__all__ = ["as_keys", "read_columns"]
