"""Pairs of old and new embeddings: what they must be, and what is said where they are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from holdfast.errors import InputError
from holdfast.validation import as_array, check_array, check_same_length, is_tensor


def as_tensor(x: Any) -> Tensor:
    """x as a float32 tensor on the CPU."""
    tensor = x.detach() if is_tensor(x) else torch.from_numpy(np.ascontiguousarray(x))
    return tensor.to("cpu", torch.float32)


def as_pairs(old: Any, new: Any, side: Any = None) -> tuple[Tensor, Tensor, Tensor | None]:
    """Pairs as float32 tensors on the CPU, once they are known to be so.

    Raises:
        InputError: not a matrix of finite numbers; counts of rows that differ; NaN or infinite rows (how many, and
            which is the first).
    """
    arrays = {name: x for name, x in (("old", old), ("new", new), ("side", side)) if x is not None or name != "side"}
    found = {}
    for name, x in arrays.items():
        array = check_array(x, "N D", name=name, dtype="real", finite=False)
        check_rows(array, name)
        found[name] = as_tensor(check_array(array, "N D", name=name, dtype="float32"))
    check_same_length(**found)
    return found["old"], found["new"], found.get("side")


def bad_rows(x: Any) -> np.ndarray:
    """Numbers of the rows with a NaN or infinite value, rising."""
    array = as_array(x, "x")
    if is_tensor(array):
        return np.flatnonzero(~torch.isfinite(array).all(1).cpu().numpy())
    if array.dtype.kind in "iub":
        return np.zeros(0, np.int64)
    # A sum is finite only if all its terms are, and costs a tenth of looking at each; it may overflow, hence the rest.
    with np.errstate(over="ignore", invalid="ignore"):
        doubtful = np.flatnonzero(~np.isfinite(array.sum(1)))
    return doubtful[~np.isfinite(array[doubtful]).all(1)]


def check_rows(x: Any, name: str) -> None:
    """Refuse NaN and infinite rows, saying how many there are and which is the first."""
    bad = bad_rows(x)
    if len(bad):
        raise InputError(
            name, "must be finite", f"{len(bad)} of {len(x)} rows with NaN or infinity, the first is {bad[0]}"
        )


def as_float64(x: Tensor) -> np.ndarray:
    return x.detach().cpu().numpy().astype(np.float64)


def spread(x: np.ndarray) -> np.ndarray:
    """Standard deviation of each dimension; 1 where it does not vary (but for rounding)."""
    scale = x.std(0)
    return np.where(scale > 1e-7 * np.abs(x).max(0), scale, 1.0)


__all__ = ["as_float64", "as_pairs", "as_tensor", "bad_rows", "check_rows", "spread"]
