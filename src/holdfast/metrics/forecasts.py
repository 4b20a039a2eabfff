"""How far forecasts are from what came: RMSE, MAE, WAPE, sMAPE, MASE and the pinball loss.

Every function takes arrays of equal shape, any number of axes, and returns one float over all entries. Computed in
float64. MAPE is not here: it is infinite at zeros; WAPE answers the same question.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_array, check_fraction, check_integer


def rmse(y_true: Any, y_pred: Any) -> float:
    """Root of the mean squared error, sqrt(mean(e²)), in the unit of y.

    Example:
        >>> rmse([1.0, 2.0, 3.0], [1.0, 2.0, 6.0]) == 3**0.5
        True
    """
    y, f = _pair(y_true, y_pred)
    return float(np.sqrt(np.mean((y - f) ** 2)))


def mae(y_true: Any, y_pred: Any) -> float:
    """Mean absolute error, mean(|e|), in the unit of y.

    Example:
        >>> mae([1.0, 2.0, 3.0], [1.0, 2.0, 6.0])
        1.0
    """
    y, f = _pair(y_true, y_pred)
    return float(np.mean(np.abs(y - f)))


def wape(y_true: Any, y_pred: Any) -> float:
    """Weighted absolute percentage error, Σ|e| / Σ|y|: 0.1 means that one is off by a tenth of the volume.

    Raises:
        InputError: y_true is zero throughout.

    Example:
        >>> wape([1.0, 2.0, 3.0], [1.0, 2.0, 6.0])
        0.5
    """
    y, f = _pair(y_true, y_pred)
    volume = float(np.abs(y).sum())
    if volume == 0:
        raise InputError("y_true", "must not be zero throughout: WAPE divides by its sum", "zeros only")
    return float(np.abs(y - f).sum()) / volume


def smape(y_true: Any, y_pred: Any) -> float:
    """Symmetric mean absolute percentage error, mean(2|e| / (|y| + |f|)), in [0, 2]; 0/0 counts as 0.

    The definition of the M4 competition without its factor 100 (Makridakis et al. 2020, section 2).

    Example:
        >>> smape([0.0, 1.0], [0.0, 3.0])
        0.5
    """
    y, f = _pair(y_true, y_pred)
    size = np.abs(y) + np.abs(f)
    return float(np.mean(np.divide(2 * np.abs(y - f), size, out=np.zeros_like(size), where=size > 0)))


def mase(y_true: Any, y_pred: Any, history: Any, season: int = 1) -> float:
    """Mean absolute error over that of the (seasonal) naive forecast within the history; below 1 is better than it.

    mean(|e|) / mean(|y_t - y_{t-m}|), Hyndman and Koehler 2006, section 3.

    Args:
        y_true, y_pred: arrays of one series.
        history: (T,) the series before the forecast, T > season.
        season: m, steps after which the series repeats; 1 = no season.

    Raises:
        InputError: a history that is too short, or whose seasonal differences are all zero.

    Example:
        >>> mase([5.0], [4.0], history=[1.0, 3.0, 1.0, 3.0])
        0.5
    """
    past = np.asarray(check_array(history, "T", name="history", dtype="float64"))
    m = check_integer(season, "season", low=1)
    if len(past) <= m:
        raise InputError("history", f"must have more than season = {m} steps", f"{len(past)} steps")
    naive = float(np.abs(past[m:] - past[:-m]).mean())
    if naive == 0:
        raise InputError("history", f"must not repeat exactly after season = {m} steps: MASE divides by that error")
    return mae(y_true, y_pred) / naive


def pinball(y_true: Any, y_pred: Any, quantile: float) -> float:
    """Pinball (quantile) loss, mean(max(q (y - f), (q - 1)(y - f))), in the unit of y; q = 0.5 gives half the MAE.

    Args:
        y_true: what came.
        y_pred: forecast of the quantile.
        quantile: q, in (0, 1).

    Example:
        >>> round(pinball([10.0], [8.0], quantile=0.9), 6)
        1.8
    """
    q = check_fraction(quantile, "quantile", zero=False, one=False)
    y, f = _pair(y_true, y_pred)
    return float(np.mean(np.maximum(q * (y - f), (q - 1) * (y - f))))


def _pair(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    y = np.asarray(check_array(y_true, "... N", name="y_true", dtype="float64"))
    f = np.asarray(check_array(y_pred, "... N", name="y_pred", dtype="float64"))
    if y.shape != f.shape:
        raise InputError("y_pred", f"must have the shape of y_true, {y.shape}", f"shape {f.shape}")
    return y, f


__all__ = ["mae", "mase", "pinball", "rmse", "smape", "wape"]
