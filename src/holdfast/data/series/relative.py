"""Windows relative to their last value or their size, so that trees, which cannot extrapolate, need not.

A window's values a are turned into (a - level) / scale, and so are its targets; a forecast f becomes
level + scale * f.

| difference | scaling | level | scale |
|---|---|---|---|
| None | None | 0 | 1 |
| "last" | None | last value | 1 |
| None | "window-mean" | 0 | mean of the absolute values of the window |
| "last" | "window-mean" | last value | mean of the absolute differences from it |
| None | "standard" | mean of the series in training | its standard deviation there |
| "last" | "standard" | last value | the same |

Lags are taken relative to the same level as the targets. With "last", forecasts then follow every shift of the series;
with "window-mean", every change of unit. The scale of a window is at least a tenth of the standard deviation of its
series in training: else a window that hardly moves (a sensor that is stuck, a week without sales) would turn what comes
after it into huge numbers, and the squared error would be about nothing else. A deviation of zero counts as 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from holdfast.data.series.panel import Panel
from holdfast.validation import check_choice

DIFFERENCES = (None, "last")
SCALINGS = (None, "window-mean", "standard")
QUIET = 0.1  # share of the series' deviation that a window's scale is at least


@dataclass(frozen=True)
class SeriesScale:
    """Mean and standard deviation of each series in training.

    Attributes:
        ids: (S,) names.
        mean, deviation: (S,) float64.
    """

    ids: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, panel: Panel) -> SeriesScale:
        """Those of a panel's series."""
        series = np.repeat(np.arange(panel.count), panel.lengths)
        # The first value is taken off before squaring: a large level would drown the spread in rounding
        shifted = panel.y - panel.y[panel.offsets][series]
        mean = np.bincount(series, shifted) / panel.lengths
        spread = np.bincount(series, (shifted - mean[series]) ** 2) / panel.lengths
        return cls(panel.ids, panel.y[panel.offsets] + mean, _safe(np.sqrt(spread)))

    def for_(self, panel: Panel) -> SeriesScale:
        """For a panel's series, in its order; those that training did not have get their own."""
        order = {name: k for k, name in enumerate(self.ids.tolist())}
        found = np.array([order.get(name, -1) for name in panel.ids.tolist()])
        own = SeriesScale.of(panel)
        mean = np.where(found >= 0, self.mean[found], own.mean)
        return SeriesScale(panel.ids, mean, np.where(found >= 0, self.deviation[found], own.deviation))


@dataclass(frozen=True)
class Relative:
    """See the table above.

    Attributes:
        difference: None or "last".
        scaling: None, "window-mean" or "standard".

    Raises:
        InputError: another word.

    Example:
        >>> import numpy as np
        >>> lags = np.array([[1.0, 2.0, 4.0]])
        >>> level, scale = Relative(difference="last").of(lags, None, np.array([0]))
        >>> ((lags - level[:, None]) / scale[:, None]).tolist()
        [[-3.0, -2.0, 0.0]]
    """

    difference: str | None = None
    scaling: str | None = None

    def __post_init__(self) -> None:
        check_choice(self.difference, DIFFERENCES, "difference")
        check_choice(self.scaling, SCALINGS, "scaling")

    @property
    def nothing(self) -> bool:
        """Values stay what they are."""
        return self.difference is None and self.scaling is None

    def of(self, lags: np.ndarray, known: SeriesScale | None, series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(level (n,), scale (n,)) float64 of windows.

        Args:
            lags: (n, w) float64.
            known: means and deviations of the series; None without scaling.
            series: (n,) which entry of `known` belongs to each window.
        """
        level, scale = np.zeros(len(lags)), np.ones(len(lags))
        deviation = scale
        if self.scaling is not None:
            assert known is not None, "scaling needs the means and deviations of the series"
            deviation = known.deviation[series]
            level = known.mean[series] if self.scaling == "standard" else level
        if self.difference == "last":
            level = lags[:, -1]
        if self.scaling == "window-mean":
            scale = np.maximum(np.abs(lags - level[:, None]).mean(1), QUIET * deviation)
        elif self.scaling == "standard":
            scale = deviation
        return level, scale


def _safe(scale: np.ndarray) -> np.ndarray:
    return np.where(scale > 0, scale, 1.0)


__all__ = ["DIFFERENCES", "SCALINGS", "Relative", "SeriesScale"]
