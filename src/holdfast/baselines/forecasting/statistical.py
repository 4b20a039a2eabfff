"""AutoETS and AutoTheta of statsforecast: a model for each series, chosen by itself, refitted at every cutoff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from holdfast.data.series.panel import Panel
from holdfast.errors import MissingExtra

MODELS = ("AutoETS", "AutoTheta")
LONGEST_SEASON = 24  # that statsforecast's ETS can hold
MOST_STEPS = 1000  # of the past that a model is fitted on: older ones change little and cost much


def local_model(name: str, season: int) -> Any:
    """The model, unfitted.

    Args:
        name: of `MODELS`.
        season: steps after which series repeat; 1 = they do not.

    Raises:
        MissingExtra: statsforecast is not installed.
    """
    try:
        from statsforecast import models
    except ImportError as error:
        raise MissingExtra("statsforecast", "forecast") from error
    return getattr(models, name)(season_length=season if season <= LONGEST_SEASON else 1)


def compiled(name: str, season: int, horizon: int) -> None:
    """Fit once on a short series, so that the time it takes to compile the model is not counted as its own."""
    wave = 10 + np.sin(np.arange(4.0 * max(season, 6)))
    local_model(name, season).forecast(y=wave + np.arange(len(wave)) * 0.1, h=horizon, level=[80])


@dataclass(frozen=True)
class StatisticalModel:
    """A model of each series by itself, to be backtested as a forecaster that learns is.

    Attributes:
        name: of `MODELS`.
        season: steps after which series repeat; 1 = they do not.
        horizon: h.
        lookback: fewest values that a forecast is made from.
    """

    name: str
    season: int
    horizon: int
    lookback: int = 4

    def clone(self) -> StatisticalModel:
        """This one: it holds nothing that is fitted."""
        return self

    def fit_panel(self, panel: Panel) -> StatisticalModel:
        """This one: it is fitted anew for each forecast."""
        return self

    def forecast_windows(
        self, panel: Panel, index: np.ndarray, steps: int, ahead: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """yhat, q10, q90, (n, steps) each, after rows of a panel; a band that is none at a step is NaN.

        Args:
            panel: the series.
            index: rows that are the last known ones.
            steps: h.
            ahead: not used.
        """
        starts = panel.offsets[panel.series_of(index)]
        known = [panel.y[start : end + 1][-MOST_STEPS:] for start, end in zip(starts, index, strict=True)]
        found = [_forecast(self.name, self.season, y, steps) for y in known]
        return {key: np.stack([one[key] for one in found]) for key in ("yhat", "q10", "q90")}

    def predict(self, panel: Panel) -> pd.DataFrame:
        """The steps after the end of every series: unique_id, ds, yhat, q10, q90."""
        found = self.forecast_windows(panel, panel.ends, self.horizon)
        ahead = (panel.first + panel.lengths)[:, None] + np.arange(self.horizon)
        ids, ds = np.repeat(panel.ids, self.horizon), panel.clock.times(ahead.ravel())
        return pd.DataFrame({"unique_id": ids, "ds": ds, **{key: values.ravel() for key, values in found.items()}})


def _forecast(name: str, season: int, y: np.ndarray, horizon: int) -> dict[str, np.ndarray]:
    """yhat, q10, q90 (h,). A series the seasonal model cannot be fitted to gets the model without a season."""
    for tried in dict.fromkeys((season, 1)):
        try:
            found = local_model(name, tried).forecast(y=y.astype(np.float64), h=horizon, level=[80])
        except (ValueError, ZeroDivisionError, FloatingPointError, IndexError, NotImplementedError):
            continue
        if np.isfinite(found["mean"]).all():
            return {"yhat": found["mean"], "q10": found["lo-80"], "q90": found["hi-80"]}
    last = np.full(horizon, y[-1])
    return {"yhat": last, "q10": np.full(horizon, np.nan), "q90": np.full(horizon, np.nan)}


__all__ = ["LONGEST_SEASON", "MODELS", "StatisticalModel", "compiled", "local_model"]
