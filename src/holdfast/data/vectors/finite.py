"""Rows of vectors with NaN or infinite values."""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import as_array, is_tensor


def bad_rows(x: Any) -> np.ndarray:
    """Numbers of the rows with a value that is NaN or infinite as float32, rising.

    Example:
        >>> bad_rows([[1.0, 2.0], [float("nan"), 0.0], [1e300, 0.0]]).tolist()
        [1, 2]
    """
    array = as_array(x, "x")
    if is_tensor(array):
        return np.flatnonzero(~array.isfinite().all(1).cpu().numpy())
    if array.dtype.kind in "iub":
        return np.zeros(0, np.int64)
    if array.dtype.itemsize > 4:
        with np.errstate(over="ignore"):
            array = array.astype(np.float32)
    # A sum is finite only if all its terms are, and costs a tenth of looking at each; it may overflow, hence the rest.
    with np.errstate(over="ignore", invalid="ignore"):
        doubtful = np.flatnonzero(~np.isfinite(array.sum(1)))
    return doubtful[~np.isfinite(array[doubtful]).all(1)]


def check_rows(x: Any, name: str) -> None:
    """Refuse NaN and infinite rows, saying how many there are and which is the first."""
    bad = bad_rows(x)
    if len(bad):
        received = f"{len(bad)} of {len(x)} rows with NaN or infinity, the first is row {bad[0]}"
        raise InputError(name, "must be finite in float32", received)


__all__ = ["bad_rows", "check_rows"]
