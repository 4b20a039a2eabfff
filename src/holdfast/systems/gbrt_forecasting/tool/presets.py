"""The paper's settings for each of its data sets, as read in the reference code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from holdfast.errors import InputError
from holdfast.regressors.boosters import XGBoostTrees


@dataclass(frozen=True)
class Preset:
    """The settings for one data set.

    Attributes:
        lookback, horizon: w, h.
        lr, trees, depth, subsample: of XGBoost, `subsample` being the share of rows and of columns of each tree.
        calendar: features of the last step.
    """

    lookback: int
    horizon: int
    lr: float
    trees: int
    depth: int
    subsample: float
    calendar: tuple[str, ...] = ()

    @property
    def booster(self) -> XGBoostTrees:
        """XGBoost with these settings (min_child_weight 1; scale_pos_weight has no meaning in regression)."""
        return XGBoostTrees(
            learning_rate=self.lr,
            trees=self.trees,
            depth=self.depth,
            min_leaf=1,
            subsample=self.subsample,
            colsample=self.subsample,
        )


DAILY = ("month", "day", "dayofweek", "dayofyear", "week")
HOURLY = ("month", "day", "hour", "dayofweek", "dayofyear", "week")
PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "electricity": Preset(24, 24, 0.2, 150, 8, 0.8, HOURLY),
        "traffic": Preset(24, 24, 0.2, 800, 8, 0.8, HOURLY),
        "pemsd7": Preset(9, 9, 0.045, 150, 8, 0.8, ("minute", *HOURLY)),
        "exchange_rate": Preset(24, 24, 0.07, 80, 3, 0.97, DAILY),
        "solar": Preset(24, 24, 0.06, 300, 6, 0.97, HOURLY),
        "sml2010": Preset(10, 1, 0.09, 150, 3, 0.95),
        "nasdaq100": Preset(10, 1, 0.025, 300, 2, 0.9),
        "beijing_pm25": Preset(1, 6, 0.02, 420, 3, 0.95),
        "urban_air": Preset(1, 6, 0.025, 250, 2, 0.98),
        "pm25_seq2seq": Preset(6, 3, 0.015, 450, 5, 0.85),
    }
)


def preset(name: str) -> dict[str, Any]:
    """Arguments of `WindowForecaster` that are the paper's for one of its data sets.

    Args:
        name: of `PRESETS`.

    Raises:
        InputError: there is no such data set.

    Example:
        >>> from holdfast.systems.gbrt_forecasting import preset
        >>> preset("electricity")["estimator"].trees, preset("pemsd7")["horizon"]
        (150, 9)
    """
    if name not in PRESETS:
        raise InputError("name", f"must be one of {', '.join(PRESETS)}", name)
    found = PRESETS[name]
    return {
        "lookback": found.lookback,
        "horizon": found.horizon,
        "estimator": found.booster,
        "calendar": found.calendar or None,
        "random_state": 42,
    }


__all__ = ["PRESETS", "Preset", "preset"]
