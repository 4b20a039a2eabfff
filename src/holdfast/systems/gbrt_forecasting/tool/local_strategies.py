"""Forecasters of single series as strategies, alone or averaged with one that learns from windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from holdfast.baselines.forecasting.local import Local, forecasts_at
from holdfast.regressors.base import Regressor
from holdfast.systems.gbrt_forecasting.method import Fitting, Origins, Strategy


@dataclass(frozen=True)
class EachAlone(Strategy):
    """A forecaster of each series by itself: nothing is fitted, and each forecast looks at all of its series.

    Attributes:
        local: the forecaster.
    """

    local: Local
    name: ClassVar[str] = "each alone"
    unbounded: ClassVar[bool] = True

    def remembers(self, lookback: int) -> int | None:
        return None

    def trained(self, horizon: int) -> int:
        return 1

    def fit(self, origins: Origins, fitting: Fitting) -> list[Any]:
        return []

    def predict(self, models: list[Any], origins: Origins, regressor: Regressor, horizon: int) -> np.ndarray:
        return forecasts_at(self.local, origins.panel, origins.index, horizon)


@dataclass(frozen=True)
class Averaged(Strategy):
    """The mean of a forecaster of each series and of a strategy with its regressor.

    Attributes:
        local: the forecaster.
        other: the strategy.
    """

    local: Local
    other: Strategy
    name: ClassVar[str] = "averaged"

    def remembers(self, lookback: int) -> int | None:
        return None

    def ahead(self, horizon: int) -> int:
        return self.other.ahead(horizon)

    def trained(self, horizon: int) -> int:
        return self.other.trained(horizon)

    def fit(self, origins: Origins, fitting: Fitting) -> list[Any]:
        return self.other.fit(origins, fitting)

    def predict(self, models: list[Any], origins: Origins, regressor: Regressor, horizon: int) -> np.ndarray:
        alone = forecasts_at(self.local, origins.panel, origins.index, horizon)
        return (alone + self.other.predict(models, origins, regressor, horizon)) / 2


__all__ = ["Averaged", "EachAlone"]
