"""Windows of many series that lie one behind the other in one array: where they end, and their values."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

BLOCK = 1 << 22  # bytes that are copied at a time: what is gathered for a block is small beside the table


def window_ends(lengths: np.ndarray, lookback: int, horizon: int, stride: int = 1) -> np.ndarray:
    """Where the windows of many series end that lie one behind the other in one array.

    Args:
        lengths: (S,) steps of each series; those shorter than lookback + horizon have no window.
        lookback, horizon: steps of a window, and steps after it that must be there.
        stride: steps from one window to the next; each series starts anew.

    Returns:
        (n,) int64, ascending: positions in the joint array of the last observed steps.

    Example:
        >>> import numpy as np
        >>> window_ends(np.array([4, 2, 5]), lookback=2, horizon=1).tolist()
        [1, 2, 7, 8, 9]
    """
    lengths = np.asarray(lengths, np.int64)
    starts = np.cumsum(lengths) - lengths
    counts = np.maximum((lengths - lookback - horizon) // stride + 1, 0)
    total = int(counts.sum())
    within = np.arange(total, dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(starts + (lookback - 1), counts) + stride * within


def gather_windows(values: np.ndarray, first: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Fill `out[i]` with `values[first[i] : first[i] + width]`, a block of rows at a time.

    Args:
        values: (T,) or (T, M); with M columns a row holds the steps one after the other.
        first: (n,) positions of the first steps.
        out: (n, width) or (n, width * M), of any floating type; written in place.

    Returns:
        out.
    """
    wide = values if values.ndim == 2 else values[:, None]
    width = out.shape[1] // wide.shape[1] if wide.shape[1] else 0
    if not width or not len(first):
        return out
    view = sliding_window_view(wide, width, axis=0)  # (T - width + 1, M, width): a view, nothing is copied yet
    for block in blocks(len(first), out.shape[1] * values.itemsize):
        out[block] = view[first[block]].swapaxes(1, 2).reshape(-1, out.shape[1])
    return out


def blocks(count: int, row_bytes: int, limit: int | None = None) -> list[slice]:
    """Slices that cover `count` rows, each of about `limit` bytes; None = as much as is gathered at a time."""
    size = max(1, (limit or BLOCK) // max(1, row_bytes))
    return [slice(a, min(a + size, count)) for a in range(0, count, size)]


__all__ = ["blocks", "gather_windows", "window_ends"]
