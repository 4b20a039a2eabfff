"""Series as rows of a regression table: the window of the past, flattened, and the steps to forecast.

The instance at time t (the last observed step) is φ = [y_{t-w+1}, …, y_t, x_t]: the w values of the window in the order
of time, then the covariates of the last step only. Its targets are (y_{t+1}, …, y_{t+h}). A series of T steps has
T - w - h + 1 such instances at stride 1. (arXiv 2101.02118, section 3.)

Differences from the reference code: its exchange script loses windows where w != h and its PeMS script loses the last h
of them; ours follows the definition.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from holdfast.data.series.windows import window_ends
from holdfast.errors import InputError
from holdfast.validation import check_array, check_integer


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
        >>> from holdfast.systems.gbrt_forecasting import window_rows
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


__all__ = ["Windows", "window_rows"]
