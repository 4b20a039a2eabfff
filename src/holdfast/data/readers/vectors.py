"""Rows of numbers from any file, and one value for each of them from another: embeddings and their labels or groups."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from holdfast.data.readers.arrays import read_named, read_npy
from holdfast.data.readers.features import read_features
from holdfast.data.readers.records import Role, read_records
from holdfast.data.readers.tables.options import TableOptions
from holdfast.errors import InputError

READERS: dict[str, Callable[[str | Path], np.ndarray]] = {
    ".npy": read_npy,
    ".npz": lambda path: read_named(path, ("x",))["x"],
}


def read_vectors(path: str | Path, options: TableOptions | None = None) -> np.ndarray:
    """(N, D) float64: a .npy array, the array `x` of a .npz, or all columns of numbers of a table.

    Raises:
        InputError: no file, no rows, text, NaN, an array that has not two axes; names the file.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "x.npy"
        >>> np.save(file, np.eye(2, dtype=np.float32))
        >>> read_vectors(file).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    reader = READERS.get(Path(path).suffix.lower())
    x = read_features(path, options=options).x if reader is None else reader(path)
    if x.ndim != 2:
        raise InputError(str(path), "must hold rows of numbers, (N, D)", f"shape {x.shape}")
    return x.astype(np.float64)


def read_values(path: str | Path, role: str, count: int, of: str, options: TableOptions | None = None) -> np.ndarray:
    """(count,) values of a role, as text: a .npy array, or the column `role` of a table (or its only column).

    Args:
        path: of the file.
        role: "label", "group", ...
        count: how many there must be: the rows of another file.
        of: what that file is called, for the message.

    Raises:
        InputError: another number of values; no such column; a cell without a value.
    """
    if Path(path).suffix.lower() == ".npy":
        found = read_npy(path)
        if found.ndim != 1:
            raise InputError(str(path), f"must hold one {role} per row, (N,)", f"shape {found.shape}")
        values = found.astype(str)
    else:
        values = np.asarray(read_records(path, [_role(path, role, options)], (), options)[role], dtype=str)
    if len(values) != count:
        raise InputError(str(path), f"must hold one {role} for each of the {count} rows of {of}", f"{len(values)}")
    return values


def _role(path: str | Path, role: str, options: TableOptions | None) -> Role:
    """The role; a table's only column has it, whatever its name."""
    from holdfast.data.readers.tables.reading import open_table

    names = open_table(path, options=options).names
    return Role(role, also=(f"{role}s", *names[:1]) if len(names) == 1 else (f"{role}s",))


__all__ = ["read_values", "read_vectors"]
