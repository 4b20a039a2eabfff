"""Forecasts that learn nothing: the last value, and the value a season ago."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.regressors.base import Regressor


def repeated(rows: np.ndarray, lookback: int, season: int, horizon: int) -> np.ndarray:
    """The last `season` values of windows, over and over: the last value for 1, else the seasonal naive forecast.

    Args:
        rows: (n, w + M), windows in front.
        lookback: w.
        season: m <= w.
        horizon: h.

    Returns:
        (n, h), the type of the rows.

    Example:
        >>> repeated(np.array([[1.0, 2.0, 3.0]]), lookback=3, season=2, horizon=5).tolist()
        [[2.0, 3.0, 2.0, 3.0, 2.0]]
    """
    return rows[:, lookback - season + np.arange(horizon) % season]


@dataclass(frozen=True)
class Repeat(Regressor):
    """`repeated` as a regressor of all steps at once.

    Attributes:
        season: m.
        lookback: w, leading columns that are the window.
    """

    season: int
    lookback: int

    def several(self) -> bool:
        return True

    def fit_joint(
        self, rows: np.ndarray, targets: np.ndarray, seed: int, threads: int, when: np.ndarray | None = None
    ) -> Any:
        return targets.shape[1]

    def predict(self, model: Any, rows: np.ndarray) -> np.ndarray:
        return repeated(rows, self.lookback, self.season, model).astype(np.float64)


__all__ = ["Repeat", "repeated"]
