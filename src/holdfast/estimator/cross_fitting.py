"""Probabilities of examples by models that were not trained on them, with folds by content: equal inputs, one fold."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import numpy as np

from holdfast.errors import InputError


def hash_folds(keys: Any, k: int = 3) -> np.ndarray:
    """The fold of each example, sha256(key)[0] mod k: the same text or row of numbers is always in the same fold.

    Folds by position would let a model score a text that it was trained on, and trolls' texts recur.

    Args:
        keys: N texts, or (N, ...) numbers.
        k: number of folds.

    Returns:
        (N,) int64 in [0, k).

    Example:
        >>> hash_folds(["sample utterance number 0", "sample utterance number 1", "sample utterance number 0"]).tolist()
        [1, 0, 1]
    """
    return np.array([hashlib.sha256(key).digest()[0] % k for key in _as_bytes(keys)], np.int64)


def cross_fit_proba(estimator: Any, X: Any, y: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """p_i = P(y = 1 | x_i) by the model that was trained on all folds but that of i.

    Args:
        estimator: a classifier as scikit-learn's, copies of which are fitted; it should balance the classes.
        X: N texts (a list), or an array (N, ...).
        y: (N,) labels 0 or 1.
        folds: (N,) fold of each example.

    Returns:
        (N,) float64 in [0, 1].

    Raises:
        InputError: what is left for a fold's model has one class only.
    """
    p = np.zeros(len(y))
    for fold in np.unique(folds):
        mine = folds == fold
        if len(np.unique(y[~mine])) < 2:
            rule = f"must leave both labels to the model of fold {fold}; give more examples, or another number of folds"
            raise InputError("k", rule, f"{int((~mine).sum())} examples, labels {np.unique(y[~mine]).tolist()}")
        model = copy.deepcopy(estimator).fit(taken(X, ~mine), y[~mine])
        p[mine] = model.predict_proba(taken(X, mine))[:, 1]
    return p


def taken(X: Any, keep: np.ndarray) -> Any:
    """The rows of X where `keep` is true: a list of texts stays a list."""
    return X[keep] if isinstance(X, np.ndarray) else [x for x, kept in zip(X, keep, strict=True) if kept]


def _as_bytes(keys: Any) -> list[bytes]:
    if len(keys) and isinstance(keys[0], str):
        return [key.encode("utf-8", "surrogatepass") for key in keys]
    rows = np.asarray(keys, np.float64).reshape(len(keys), -1) + 0.0  # -0 is 0
    return [row.tobytes() for row in rows]


__all__ = ["cross_fit_proba", "hash_folds", "taken"]
