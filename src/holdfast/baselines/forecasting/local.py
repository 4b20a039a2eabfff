"""Forecasters that look at each series alone, from its first step on, and learn nothing across series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from holdfast.data.series.panel import Panel

AT_A_TIME = 1 << 21  # steps that are looked at together


class Local(Protocol):
    """Forecasts every series of a panel by itself."""

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """(S, h) float64: the steps after the end of every series."""


@dataclass(frozen=True)
class SeasonalNaive:
    """The last season over and over; of a shorter series its last value.

    Attributes:
        season: m; 1 = the last value.

    Example:
        >>> from holdfast.data.series.long_wide import read_panel
        >>> SeasonalNaive(2).forecast(read_panel([1.0, 2.0, 3.0]), 3).tolist()
        [[2.0, 3.0, 2.0]]
    """

    season: int = 1

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        steps = np.arange(horizon)
        season = np.where(panel.lengths >= self.season, self.season, 1)[:, None]
        return panel.y[panel.ends[:, None] - season + 1 + steps % season]


def forecasts_at(forecaster: Local, panel: Panel, index: np.ndarray, horizon: int) -> np.ndarray:
    """(n, h) forecasts from rows of a panel, each knowing its series up to that row and nothing later."""
    series = panel.series_of(index)
    lengths = index - panel.offsets[series] + 1
    out = np.empty((len(index), horizon))
    most = max(1, AT_A_TIME // max(1, int(lengths.max(initial=1))))
    for start in range(0, len(index), most):
        part = slice(start, start + most)
        known = _begun(panel, series[part], lengths[part])
        out[part] = forecaster.forecast(known, horizon)
    return out


def _begun(panel: Panel, series: np.ndarray, lengths: np.ndarray) -> Panel:
    """The first steps of series, the same series perhaps several times; without covariates."""
    shift = panel.offsets[series] - (np.cumsum(lengths) - lengths)
    index = np.arange(int(lengths.sum()), dtype=np.int64) + np.repeat(shift, lengths)
    nothing = np.empty((len(index), 0), np.float32)
    return Panel(
        np.arange(len(series)), lengths, panel.first[series], panel.y[index], nothing, nothing, (), (), panel.clock
    )


__all__ = ["Local", "SeasonalNaive", "forecasts_at"]
