"""Rows of numbers that verbs write: .npy, or a table with a column for each, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from holdfast.errors import InputError
from holdfast.files import replacing
from holdfast.verbs.tables import SUFFIXES, check_table, write_table


def check_array_file(path: Path, name: str = "--out") -> None:
    """Refuse a name under which no array can be written.

    Raises:
        InputError: names `name`.
    """
    if path.suffix.lower() != ".npy":
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(name, "must end in .npy, .csv or .parquet", str(path))
        check_table(path, name)
    elif path.exists() and not path.is_file():
        raise InputError(name, "must be a file or a new name", f"{path}, a {'folder' if path.is_dir() else 'device'}")


def write_array(path: Path, rows: Any, names: str = "x") -> None:
    """Write (N, D) numbers: .npy as float32, a table with the columns x0, x1, ...

    Args:
        path: ends in .npy, .csv or .parquet.
        rows: (N, D).
        names: how the names of the columns of a table begin.

    Example:
        >>> import tempfile, numpy as np
        >>> file = Path(tempfile.mkdtemp()) / "x.npy"
        >>> write_array(file, np.eye(2))
        >>> np.load(file).dtype
        dtype('float32')
    """
    import numpy as np

    check_array_file(path)
    rows = np.asarray(rows, dtype=np.float32)
    if path.suffix.lower() != ".npy":
        write_table(path, {f"{names}{j}": rows[:, j] for j in range(rows.shape[1])})
        return
    with replacing(path) as temporary:
        np.save(temporary, rows)


__all__ = ["check_array_file", "write_array"]
