"""Windows of series: of one as rows of a regression table, of many that lie one behind the other in one array."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from holdfast.data.series.panel import Panel
from holdfast.errors import InputError
from holdfast.validation import check_array, check_integer

BLOCK = 1 << 22  # bytes that are copied at a time: what is gathered for a block is small beside the table


class Windows(NamedTuple):
    """Instances of one series; see `window_rows`."""

    rows: np.ndarray
    targets: np.ndarray
    index: np.ndarray  # type: ignore[assignment]  # the field's name, which hides the method of tuples


def window_rows(y: Any, X: Any = None, lookback: int = 24, horizon: int = 24, stride: int = 1) -> Windows:
    """Windows of one series as a regression table.

    Args:
        y: (T,) the series, finite numbers in the order of time.
        X: (T, M) covariates, of which those of a window's last step are used; NaN = missing. None = none.
        lookback: w, steps of the window.
        horizon: h, steps to forecast; 0 gives every window of the past, the latest included, without targets.
        stride: steps from one window to the next; the first window starts at the first step.

    Returns:
        (rows, targets, index): rows (n, w + M) float32 [y_{t-w+1}, …, y_t, x_t]; targets (n, h) float32
        [y_{t+1}, …, y_{t+h}]; index (n,) int64, the position t of each window's last observed step.

    Raises:
        InputError: fewer than w + h steps, non-finite y, X of another length, numbers below 1.

    Example:
        >>> from holdfast.data.series.windows import window_rows
        >>> rows, targets, index = window_rows([1, 2, 3, 4, 5], [[.1], [.2], [.3], [.4], [.5]], lookback=3, horizon=1)
        >>> rows
        array([[1. , 2. , 3. , 0.3],
               [2. , 3. , 4. , 0.4]], dtype=float32)
        >>> targets.tolist(), index.tolist()
        ([[4.0], [5.0]], [2, 3])
    """
    w = check_integer(lookback, "lookback", low=1)
    h = check_integer(horizon, "horizon", low=0)
    stride = check_integer(stride, "stride", low=1)
    y = np.asarray(check_array(y, "T", name="y", dtype="float32"))
    covariates = np.empty((len(y), 0), np.float32)
    if X is not None:
        covariates = np.asarray(
            check_array(X, "T M", name="X", dtype="float32", finite=False, empty=True, sizes={"T": len(y)})
        )
    if len(y) < w + h:
        raise InputError("y", f"must have at least lookback + horizon = {w + h} steps", f"{len(y)} steps")
    index = window_ends(np.array([len(y)]), w, h, stride)
    rows = np.empty((len(index), w + covariates.shape[1]), np.float32)
    targets = np.empty((len(index), h), np.float32)
    windows = sliding_window_view(y, w + h)[::stride]  # a view; copied once, in two parts
    rows[:, :w], rows[:, w:], targets[:] = windows[:, :w], covariates[index], windows[:, w:]
    return Windows(rows, targets, index)


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


def evenly(index: np.ndarray, panel: Panel, most: int) -> np.ndarray:
    """Of ascending rows of a panel, at most so many of each series, evenly spaced, the last among them."""
    series = panel.series_of(index)
    count = np.bincount(series, minlength=panel.count)[series]
    rank = np.arange(len(index)) - np.searchsorted(series, series)
    kept = np.minimum(most, count)
    # Of the ranks counted from the last, those at which another multiple of count / kept is reached
    back = count - 1 - rank
    return index[(back * kept) // count != ((back - 1) * kept) // count]


__all__ = ["Windows", "blocks", "evenly", "gather_windows", "window_ends", "window_rows"]
