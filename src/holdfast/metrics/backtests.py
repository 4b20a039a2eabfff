"""Backtests with a rolling origin: where forecasts begin, and how good they were."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from holdfast.data.series.panel import Panel
from holdfast.errors import InputError
from holdfast.metrics import forecasts as metrics
from holdfast.validation import check_integer

KEYS = ("unique_id", "ds", "cutoff", "step", "y")


@dataclass(frozen=True)
class Origin:
    """Where forecasts begin.

    Attributes:
        n_windows: number of cutoffs.
        step: steps between them.
        gap: first steps of a forecast that are not judged.
        train_size: steps before a cutoff that are trained on; None = all.
        refit: fit at every cutoff, else at the first only.
    """

    n_windows: int
    step: int
    gap: int = 0
    train_size: int | None = None
    refit: bool = True

    def check(self, lookback: int, horizon: int) -> None:
        """Raise an InputError for numbers that make no backtest."""
        check_integer(self.n_windows, "n_windows", low=1)
        check_integer(self.step, "step", low=1)
        check_integer(self.gap, "gap", low=0)
        if self.gap >= horizon:
            raise InputError("gap", f"must be below horizon = {horizon}", self.gap)
        if self.train_size is not None:
            check_integer(self.train_size, "train_size", low=lookback + horizon)

    def cutoffs(self, panel: Panel, horizon: int) -> np.ndarray:
        """(n_windows,) positions of the clock after which forecasts begin, ascending."""
        end = int((panel.first + panel.lengths).max()) - 1
        return end - horizon - self.step * np.arange(self.n_windows - 1, -1, -1)


@dataclass(frozen=True)
class Backtest:
    """What came of a backtest.

    Attributes:
        frame: a row per series, cutoff and step: unique_id, ds, cutoff (last time that was known), step (1 = the first
            after it), y, yhat, quantiles, and scale (mean absolute change of the series over a season, up to the
            cutoff; for MASE as the M competitions have it).
        left_out: series and cutoffs that were too short to forecast.
        fit_seconds: CPU seconds that fitting took, of all cutoffs and cores together.
    """

    frame: pd.DataFrame
    left_out: int
    fit_seconds: float = float("nan")

    def scores(self, by: str | None = None) -> pd.DataFrame:
        """Metrics of all forecasts, or of each group.

        Args:
            by: None, "step", "cutoff" or "unique_id".

        Returns:
            rmse, mae, wape, smape, mase, pinball_<q> for every quantile, coverage of the outermost two, and n. WAPE
            and MASE are NaN where they would divide by zero.

        Raises:
            InputError: another word.
        """
        if by is None:
            return pd.DataFrame([_score(self.frame)])
        if by not in ("step", "cutoff", "unique_id"):
            raise InputError("by", "must be None, 'step', 'cutoff' or 'unique_id'", by)
        found = {name: _score(group) for name, group in self.frame.groupby(by, sort=True)}
        return pd.DataFrame(found).T.rename_axis(by)


def _score(frame: pd.DataFrame) -> dict[str, float]:
    y, f, scale = (frame[c].to_numpy(np.float64) for c in ("y", "yhat", "scale"))
    found = {
        "rmse": metrics.rmse(y, f),
        "mae": metrics.mae(y, f),
        "wape": metrics.wape(y, f) if np.any(y) else float("nan"),
        "smape": metrics.smape(y, f),
        "mase": float(np.mean(np.abs(y - f) / scale)) if (scale > 0).all() else float("nan"),
    }
    quantiles = {float(c[1:]) / 100: c for c in frame.columns if c.startswith("q") and c not in KEYS}
    for q, column in sorted(quantiles.items()):
        found[f"pinball_{column}"] = metrics.pinball(y, frame[column], q)
    if len(quantiles) >= 2:
        low, high = frame[quantiles[min(quantiles)]], frame[quantiles[max(quantiles)]]
        found["coverage"] = float(((low <= y) & (y <= high)).mean())
    return found | {"n": float(len(frame))}


__all__ = ["Backtest", "Origin"]
