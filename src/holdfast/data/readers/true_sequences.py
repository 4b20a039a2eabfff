"""Sequences of 0 and 1 with the probabilities that made them: npz with two arrays, or a table of rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from holdfast.data.readers.arrays import UNREADABLE
from holdfast.data.readers.tables import read_table
from holdfast.data.symbols import check_symbols
from holdfast.errors import InputError
from holdfast.validation import check_array

NAMES = ("sequence", "t", "x", "theta")  # of the columns of a table


def read_sequences(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """x int64 and theta float64 (B, T) of an .npz file with these arrays, or a table with columns `NAMES`.

    Raises:
        InputError: missing or damaged file, missing arrays or columns, symbols other than 0 and 1, theta outside
            [0, 1], sequences of different lengths.
    """
    if not path.is_file():
        raise InputError(str(path), "must be a file", "nothing there")
    if path.suffix.lower() == ".npz":
        try:
            with np.load(path, allow_pickle=False) as arrays:
                if missing := [name for name in ("x", "theta") if name not in arrays]:
                    raise InputError(str(path), "must have arrays x and theta", f"no {missing[0]}")
                x, theta = arrays["x"], arrays["theta"]
        except UNREADABLE as error:
            if isinstance(error, InputError):
                raise
            raise InputError(str(path), "must be a readable npz file", str(error)) from None
    else:
        x, theta = _from_table(path)
    x = check_symbols(x, 2, name=f"{path}: x")
    theta = check_array(theta, f"{x.shape[0]} {x.shape[1]}", name=f"{path}: theta", dtype="float64", low=0.0, high=1.0)
    return x, theta


def _from_table(path: Path) -> tuple[np.ndarray, np.ndarray]:
    table = read_table(path, kinds=dict.fromkeys(NAMES, "number"), columns=NAMES)
    for column in table.columns:
        if column.missing.any():
            row = table.rows[int(column.missing.argmax())]
            raise InputError(str(path), f"must have a {column.name} in every row", f"none in row {row}")
    columns = {column.name: column.values for column in table.columns}
    order = np.lexsort((columns["t"], columns["sequence"]))
    lengths = np.unique(np.unique(columns["sequence"], return_counts=True)[1])
    if len(lengths) != 1:
        raise InputError(str(path), "must have sequences of one length", lengths.tolist())
    x, theta = (columns[name][order].reshape(-1, lengths[0]) for name in ("x", "theta"))
    return x, theta


__all__ = ["NAMES", "read_sequences"]
