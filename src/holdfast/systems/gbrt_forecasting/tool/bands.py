"""Bands around forecasts: what the calibrated model got wrong, and what no band may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.data.series.panel import Panel
from holdfast.data.series.relative import SeriesScale
from holdfast.metrics.conformal import SplitConformal, conformal_offsets, quantile_name

BEYOND = 0.05  # of the range of what was before
DIGITS = 1e-3  # of a usual step that rounding to 32 bits may cost


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


def evenly(index: np.ndarray, panel: Panel, most: int) -> np.ndarray:
    """Of ascending rows of a panel, at most so many of each series, evenly spaced, the last among them."""
    series = panel.series_of(index)
    count = np.bincount(series, minlength=panel.count)[series]
    rank = np.arange(len(index)) - np.searchsorted(series, series)
    kept = np.minimum(most, count)
    # Of the ranks counted from the last, those at which another multiple of count / kept is reached
    back = count - 1 - rank
    return index[(back * kept) // count != ((back - 1) * kept) // count]


def are_counts(panel: Panel) -> np.ndarray:
    """(S,) which series hold whole numbers from 0 on and nothing else."""
    wrong = (panel.y < 0) | (panel.y != np.round(panel.y))
    return np.bincount(np.repeat(np.arange(panel.count), panel.lengths), wrong, panel.count) == 0


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


def loses_digits(panel: Panel) -> bool:
    """Whether 32 bits are too few for the values of some series as they are: a large level with small steps."""
    series = np.repeat(np.arange(panel.count), panel.lengths)
    largest = np.zeros(panel.count)
    np.maximum.at(largest, series, np.abs(panel.y))
    step = panel.mean_step()
    return bool(((step > 0) & (largest * np.finfo(np.float32).eps > DIGITS * step)).any())


def beyond(panel: Panel, before: Panel) -> str | None:
    """Where the last part of series lies outside of all that was before by more than a twentieth of its range.

    Args:
        panel: the series.
        before: their first part, or other series.
    """
    low, high = float(before.y.min()), float(before.y.max())
    out = np.maximum(panel.y - high, low - panel.y)
    if out.max() <= BEYOND * (high - low):
        return None
    where = panel.ids[panel.series_of(np.array([int(out.argmax())]))[0]]
    return f"series {str(where)!r} has {panel.y[int(out.argmax())]:g}, outside of {low:g} to {high:g}"


__all__ = ["Calibration", "are_counts", "bands", "beyond", "evenly", "loses_digits", "scale_within"]
