"""Rows of windows and covariates, and their targets, in the units that a linear model or a network likes."""

from __future__ import annotations

import numpy as np


class WindowScaling:
    """Means and spreads of rows that are fitted on; rows and targets in their units, and forecasts back.

    Windows have one mean and one spread, each covariate has its own; where covariates are missing (NaN) they are
    taken as their mean.

    Args:
        rows: (n, w + M), windows of w values and M covariates.
        lookback: w.
        relative: windows and targets are taken as differences from the window's last value.
        targets: (n, h), of a spread of their own and no mean; None = those of windows.

    Example:
        >>> rows = np.array([[1.0, 3.0, 0.0], [3.0, 5.0, 2.0]])
        >>> scaling = WindowScaling(rows, lookback=2)
        >>> scaled = scaling.targets(rows, np.array([[4.0], [6.0]]))
        >>> scaling.inputs(rows)[1].tolist(), scaling.back(scaled, rows).round(4).tolist()
        ([[-1.0], [1.0]], [[4.0], [6.0]])
    """

    def __init__(
        self, rows: np.ndarray, lookback: int, relative: bool = False, targets: np.ndarray | None = None
    ) -> None:
        self._w, self._relative = lookback, relative
        window = self._centred(rows)
        self._mean = 0.0 if relative else float(window.mean())
        self._spread = float(window.std()) or 1.0
        self._target_mean, self._target_spread = self._mean, self._spread
        if targets is not None:
            self._target_mean, self._target_spread = 0.0, float(targets.std(dtype=np.float64)) or 1.0
        covariates = rows[:, lookback:].astype(np.float64)
        known = ~np.isnan(covariates)
        count = np.maximum(known.sum(0), 1)
        self._x_mean = np.where(known, covariates, 0.0).sum(0) / count
        spread = np.sqrt((np.where(known, covariates - self._x_mean, 0.0) ** 2).sum(0) / count)
        self._x_spread = np.where(spread > 0, spread, 1.0)

    def _centred(self, rows: np.ndarray) -> np.ndarray:
        window = rows[:, : self._w].astype(np.float64)
        return window - window[:, -1:] if self._relative else window

    def inputs(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(windows (n, w), covariates (n, M)) float32, without NaN."""
        window = (self._centred(rows) - self._mean) / self._spread
        covariates = (rows[:, self._w :] - self._x_mean) / self._x_spread
        return window.astype(np.float32), np.nan_to_num(covariates, nan=0.0).astype(np.float32)

    def targets(self, rows: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """(n, h) float32."""
        return ((targets - self._base(rows)) / self._target_spread).astype(np.float32)

    def back(self, forecasts: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """(n, h) in the units of the series."""
        return forecasts * self._target_spread + self._base(rows)

    def _base(self, rows: np.ndarray) -> np.ndarray | float:
        return rows[:, self._w - 1 : self._w].astype(np.float64) if self._relative else self._target_mean


__all__ = ["WindowScaling"]
