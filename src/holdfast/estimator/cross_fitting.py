"""Probabilities of examples by models that were not trained on them, with folds by content: equal inputs, one fold."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from holdfast.errors import InputError


def hash_folds(keys: Any, k: int = 3) -> np.ndarray:
    """The fold of each example, sha256(key)[0] mod k: the same text or row of numbers is always in the same fold.

    Folds by position would let a model score a text that it was trained on, and trolls' texts recur.

    Args:
        keys: N texts (a list, an array or a column of a data frame), or (N, ...) numbers.
        k: number of folds.

    Returns:
        (N,) int64 in [0, k).

    Example:
        >>> hash_folds(["sample utterance number 0", "sample utterance number 1", "sample utterance number 0"]).tolist()
        [1, 0, 1]
    """
    return np.array([hashlib.sha256(key).digest()[0] % k for key in _as_bytes(keys)], np.int64)


def cross_fit_proba(
    estimator: Any,
    X: Any,
    y: np.ndarray,
    folds: np.ndarray,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """p_i = P(y = 1 | x_i) by the model that was trained on all folds but that of i.

    Args:
        estimator: a classifier as scikit-learn's, copies of which are fitted; it should balance the classes.
        X: N texts (a list), an array (N, ...), or a data frame of N rows.
        y: (N,) labels 0 or 1.
        folds: (N,) fold of each example.
        progress: called with (models fitted, models).

    Returns:
        (N,) float64 in [0, 1].

    Raises:
        InputError: what is left for a fold's model has one class only.
    """
    p = np.zeros(len(y))
    different = np.unique(folds)
    for done, fold in enumerate(different):
        if progress is not None:
            progress(done, len(different))
        mine = folds == fold
        if len(np.unique(y[~mine])) < 2:
            rule = f"must leave both labels to the model of fold {fold}; give more examples, or another number of folds"
            raise InputError("k", rule, f"{int((~mine).sum())} examples, all with one label")
        model = copy.deepcopy(estimator).fit(taken(X, ~mine), y[~mine])
        p[mine] = model.predict_proba(taken(X, mine))[:, 1]
    if progress is not None:
        progress(len(different), len(different))
    return p


def taken(X: Any, keep: np.ndarray) -> Any:
    """The rows of X where `keep` is true: a list of texts stays a list."""
    return [x for x, kept in zip(X, keep, strict=True) if kept] if isinstance(X, list | tuple) else X[keep]


def _as_bytes(keys: Any) -> list[bytes]:
    values = keys if isinstance(keys, list | tuple) else np.asarray(keys)
    if len(values) and isinstance(values[0], str):
        return [key.encode("utf-8", "surrogatepass") for key in values]
    rows = np.asarray(values, np.float64).reshape(len(keys), -1) + 0.0  # -0 is 0
    return [row.tobytes() for row in rows]


__all__ = ["cross_fit_proba", "hash_folds", "taken"]
