"""Bits that a sequence costs under a predictor, symbol by symbol."""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.validation import is_tensor


def code_lengths(log_probs: Any, x: Any) -> np.ndarray:
    """Bits that each symbol needs: -log2 p(x_t | x_<t), float64 `(T,)`.

    Args:
        log_probs: natural logarithms `(T, A)`.
        x: symbols `(T,)`.

    Example:
        >>> code_lengths(np.log([[0.5, 0.5], [0.25, 0.75]]), np.array([1, 0])).tolist()
        [1.0, 2.0]
    """
    log_probs, x = (np.asarray(a.cpu() if is_tensor(a) else a) for a in (log_probs, x))
    return -log_probs[np.arange(len(x)), x] / np.log(2)


def per_case(values: np.ndarray, unit: int) -> np.ndarray:
    """Means of `unit` neighbours; what is left over at the end is dropped."""
    whole = len(values) // unit * unit
    return values[:whole].reshape(-1, unit).mean(1)


__all__ = ["code_lengths", "per_case"]
