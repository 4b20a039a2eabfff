"""Quantiles from what a model got wrong on windows it had not seen: split conformal prediction, for each step ahead.

The residuals r = y - f of the calibration windows are sorted for each step ahead; the forecast of quantile q is f plus
their k-th smallest, k = ceil((n + 1) q) for q > 1/2, floor((n + 1) q) for q < 1/2, the median for q = 1/2. If
calibration windows and the one to come are exchangeable, the next value lies below the quantile q > 1/2 with
probability q at least, and with q + 1/(n + 1) at most; likewise above a quantile q < 1/2. (Vovk, Gammerman and Shafer
2005, chapter 2; Lei et al. 2018, theorem 2.) Windows of a series that overlap are only nearly so, and none are where
the series changes its nature: look at the coverage in a backtest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.data.series.panel import Panel
from holdfast.data.series.relative import SeriesScale
from holdfast.data.series.windows import window_ends
from holdfast.errors import InputError
from holdfast.validation import check_fraction


@dataclass(frozen=True)
class SplitConformal:
    """How quantiles are calibrated.

    Attributes:
        fraction: share of each series' steps, the last ones, whose windows are left out of training to calibrate on.
        refit: forecast with a model that was fitted once more on everything; quantiles stay those of the calibrated
            one, widened where the forecast lies outside. Without it, one model does both.
        scaled: residuals are taken relative to the mean absolute step of their series, so that large series do not
            decide about small ones.

    Example:
        >>> SplitConformal(fraction=0.3).cut(np.array([100, 10])).tolist()
        [70, 7]
    """

    fraction: float = 0.2
    refit: bool = True
    scaled: bool = True

    def __post_init__(self) -> None:
        check_fraction(self.fraction, "fraction", zero=False, one=False)

    def cut(self, lengths: np.ndarray) -> np.ndarray:
        """(S,) steps of each series that are trained on."""
        return np.floor(lengths * (1 - self.fraction) + 1e-9).astype(np.int64)

    def split(self, panel: Panel, lookback: int, horizon: int, trained: int) -> tuple[np.ndarray, np.ndarray]:
        """(ends of windows to train on, ends of windows to calibrate on); no target of one is among the other's.

        Series that are too short to have both only train. A window to train on has `trained` steps as targets.
        """
        cut = self.cut(panel.lengths)
        split = (cut >= lookback + horizon) & (panel.lengths - cut >= horizon)
        index = window_ends(panel.lengths, lookback, trained)
        series = panel.series_of(index)
        trains = ~split[series] | (index - panel.offsets[series] + trained < cut[series])
        later = window_ends(panel.lengths, lookback, horizon)
        series = panel.series_of(later)
        # A window that ends at step cut - 1 has its first target at step cut
        calibrates = split[series] & (later - panel.offsets[series] >= cut[series] - 1)
        return index[trains], later[calibrates]

    def scale(self, panel: Panel) -> np.ndarray:
        """(S,) what residuals of each series are divided by."""
        if not self.scaled:
            return np.ones(panel.count)
        mean = panel.mean_step()
        usual = mean[mean > 0].mean() if (mean > 0).any() else 1.0
        return np.where(mean > 0, mean, usual)


def conformal_offsets(residuals: np.ndarray, quantiles: Sequence[float]) -> np.ndarray:
    """What is added to a forecast to get its quantiles.

    Args:
        residuals: (n, h) y - f on calibration windows.
        quantiles: in (0, 1).

    Returns:
        (h, Q) float64.

    Raises:
        InputError: too few calibration windows for the outermost quantile.

    Example:
        >>> import numpy as np
        >>> conformal_offsets(np.arange(-9.0, 10.0)[:, None], [0.1, 0.5, 0.9]).tolist()
        [[-8.0, 0.0, 8.0]]
    """
    n = len(residuals)
    ordered = np.sort(residuals, axis=0)
    found = np.empty((residuals.shape[1], len(quantiles)))
    for k, q in enumerate(quantiles):
        if q == 0.5:
            found[:, k] = np.median(ordered, axis=0) if n else np.nan
        # The small number takes back what rounding puts on top: 20 * 0.9 is 18.000000000000004 elsewhere
        rank = math.ceil((n + 1) * q - 1e-9) if q > 0.5 else math.floor((n + 1) * q + 1e-9)
        if not 1 <= rank <= n:
            needed = math.ceil(1 / min(q, 1 - q) - 1e-9) - 1
            rule = (
                f"must have at least {needed} calibration windows for quantile {q:g}; use longer series or no quantiles"
            )
            raise InputError("y", rule, f"{n} windows")
        if q != 0.5:
            found[:, k] = ordered[rank - 1]
    return found


def check_quantiles(quantiles: Any) -> tuple[float, ...]:
    """Quantiles in ascending order; () for None.

    Raises:
        InputError: no sequence of different numbers between 0 and 1.
    """
    if quantiles is None:
        return ()
    if isinstance(quantiles, str) or not isinstance(quantiles, Sequence | np.ndarray):
        raise InputError("quantiles", "must be a sequence of numbers in (0, 1)", quantiles)
    found = sorted(check_fraction(q, "quantiles", zero=False, one=False) for q in quantiles)
    if len(set(found)) < len(found):
        raise InputError("quantiles", "must be different from each other", list(quantiles))
    return tuple(found)


def quantile_name(quantile: float) -> str:
    """ "q10" for 0.1, "q2.5" for 0.025.

    Example:
        >>> quantile_name(0.1), quantile_name(0.975)
        ('q10', 'q97.5')
    """
    return f"q{round(100 * quantile, 6):g}"


@dataclass(frozen=True, eq=False)
class Calibration:
    """A model of the first part of series, and how it did on the last.

    Attributes:
        models: of the strategy.
        known: means and deviations of the series that the models saw, if they were scaled.
        residuals: (n, h) y - forecast, of windows that the models have not seen.
        series: (n,) which series each belongs to.
        scale: (S,) of every series, what its residuals are divided by.
    """

    models: list[Any]
    known: SeriesScale | None
    residuals: np.ndarray
    series: np.ndarray
    scale: np.ndarray

    def offsets(self, quantiles: Sequence[float]) -> np.ndarray:
        """(h, Q) what is added to forecasts to get their quantiles, in units of the scale."""
        return conformal_offsets(self.residuals / self.scale[self.series, None], quantiles)


def scale_within(conformal: SplitConformal, past: Panel, panel: Panel) -> np.ndarray:
    """(S,) scale of a panel's series by what was trained on; the mean one for series that were not."""
    scale = conformal.scale(past)
    by_id = dict(zip(past.ids.tolist(), scale, strict=True))
    usual = float(scale.mean())
    return np.array([by_id.get(name, usual) for name in panel.ids.tolist()])


def bands(
    yhat: np.ndarray, centre: np.ndarray, offsets: np.ndarray, quantiles: Sequence[float], scale: np.ndarray
) -> Mapping[str, np.ndarray]:
    """Quantiles (n, k): those of the calibrated model, moved to the forecast's side where they lie beyond it.

    Args:
        yhat: (n, k) forecasts.
        centre: (n, k) those of the model that the offsets were measured on.
        offsets: (h, Q), h >= k.
        quantiles: in ascending order.
        scale: (n,) of the offsets.
    """
    found = {}
    for k, q in enumerate(quantiles):
        value = centre + offsets[: yhat.shape[1], k] * scale[:, None]
        beyond = np.minimum if q < 0.5 else np.maximum if q > 0.5 else _as_it_is
        found[quantile_name(q)] = beyond(value, yhat)
    return found


def _as_it_is(value: np.ndarray, yhat: np.ndarray) -> np.ndarray:
    return value


__all__ = [
    "Calibration",
    "SplitConformal",
    "bands",
    "check_quantiles",
    "conformal_offsets",
    "quantile_name",
    "scale_within",
]
