"""Class labels as users have them (names, any whole numbers) as class indices; `classes[indices]` is the way back."""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_present, is_tensor


def encode_labels(
    y: Any, *, name: str = "y", classes: np.ndarray | None = None, at_least: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Labels of any kind as class indices.

    Args:
        y: (N,) whole numbers, booleans or strings; not both.
        name: what the user calls it.
        classes: the known classes in ascending order; None = those that occur in y.
        at_least: how many different classes there must be where `classes` is None.

    Returns:
        (indices (N,) int64, classes (K,) in ascending order), so that `classes[indices]` equals y.

    Raises:
        InputError: wrong shape or type, too few classes, or a label that `classes` does not have.

    Example:
        >>> from holdfast.estimator.labels import encode_labels
        >>> indices, classes = encode_labels(["cat", "dog", "cat"])
        >>> indices.tolist(), classes.tolist()
        ([0, 1, 0], ['cat', 'dog'])
    """
    array = check_present(y, name)
    if is_tensor(array):
        y = array = (array.detach().double() if array.is_floating_point() else array).cpu().numpy()
    if array.ndim != 1:
        raise InputError(name, "must have shape (N)", f"shape {array.shape}")
    if array.size == 0:
        raise InputError(name, "must not be empty", "shape (0,)")
    if array.dtype.kind in "OT":  # pandas columns and lists of strings arrive as objects
        if not all(isinstance(label, str) for label in array):
            kinds = sorted({type(label).__name__ for label in array})
            raise InputError(name, "must hold whole numbers or strings, not both", f"types {', '.join(kinds)}")
        array = array.astype(str)
    elif array.dtype.kind not in "iubU":
        raise InputError(name, "must hold whole numbers or strings", f"dtype {array.dtype}")
    elif array.dtype.kind == "U" and not hasattr(y, "dtype") and not _all_strings(y):
        # numpy turns [0, "a"] into strings without a word
        raise InputError(name, "must hold whole numbers or strings, not both", "a mixture of types")
    if classes is None:
        classes, indices = np.unique(array, return_inverse=True)
        if len(classes) < at_least:
            raise InputError(name, f"must have at least {at_least} different classes", f"only {classes.tolist()}")
        return indices.astype(np.int64), classes
    return _indices_in(array, np.asarray(classes), name), np.asarray(classes)


def _all_strings(y: Any) -> bool:
    return all(isinstance(label, str) for label in y)


def _indices_in(array: np.ndarray, classes: np.ndarray, name: str) -> np.ndarray:
    strings = array.dtype.kind == "U"
    if strings != (classes.dtype.kind == "U"):
        kind = "strings" if classes.dtype.kind == "U" else "whole numbers"
        raise InputError(name, f"must hold {kind}, as the known classes are", f"dtype {array.dtype}")
    indices = np.searchsorted(classes, array).clip(max=len(classes) - 1)
    unknown = classes[indices] != array
    if unknown.any():
        first = int(unknown.argmax())
        known = f"{len(classes)} classes" if len(classes) > 12 else str(classes.tolist())
        raise InputError(name, f"must be among the known labels {known}", f"{array[first].item()!r} at index {first}")
    return indices.astype(np.int64)


__all__ = ["encode_labels"]
