"""A series as a sequence of 0 and 1: did the value rise?"""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_array


def rises(values: Any) -> np.ndarray:
    """1 where a value is above the one before it, else 0; missing values are left out first.

    Args:
        values: `(N,)` numbers, NaN where one is missing; an array or a pandas Series.

    Returns:
        int64 `(M - 1,)` for M values that are there; empty where M is 0 or 1.

    Example:
        >>> rises([3.0, 4.0, float("nan"), 4.0, 2.0]).tolist()
        [1, 0, 0]
    """
    there = np.asarray(check_array(values, "N", name="values", dtype="float64", finite=False, empty=True))
    if np.isinf(there).any():
        raise InputError("values", "must not be infinite", f"{int(np.isinf(there).sum())} infinite")
    return (np.diff(there[~np.isnan(there)]) > 0).astype(np.int64)


__all__ = ["rises"]
