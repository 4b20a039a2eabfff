"""Theta and simple exponential smoothing of many series at once, with a season taken out before and put back after.

Theta (Assimakopoulos and Nikolopoulos, 2000) is simple exponential smoothing with a drift of half the slope of the
series' regression line on time (Hyndman and Billah, 2003):

    l_t = a y_t + (1 - a) l_{t-1},   f_{n+k} = l_n + (b / 2) (k - 1 + 1/a - (1 - a)^n / a)

The season is that of the classical decomposition, by ratios where all values are positive, else by differences, and
only where the autocorrelation at its lag is beyond chance (90 %), as in the M3 and M4 competitions. The weight a is the
best of a grid by the squared errors one step ahead. Nothing loops over series.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from holdfast.data.series.panel import Panel

WEIGHTS = np.concatenate([np.linspace(0.02, 0.3, 8), np.linspace(0.35, 1.0, 12)])
CHANCE = 1.645  # standard normal quantile of a two-sided test at 90 %


@dataclass(frozen=True)
class Theta:
    """The method, with or without its drift.

    Attributes:
        season: steps after which series repeat; 1 = they do not.
        drift: half the slope of the regression line; without it, this is simple exponential smoothing.
    """

    season: int = 1
    drift: bool = True

    def forecast(self, panel: Panel, horizon: int) -> np.ndarray:
        """(S, h) float64: the steps after the end of every series.

        Example:
            >>> import numpy as np
            >>> from holdfast.data.series.long_wide import read_panel
            >>> line = read_panel(np.arange(40.0) + 100)
            >>> Theta().forecast(line, 2).round(1).tolist()
            [[139.5, 140.0]]
        """
        y, start = from_the_right(panel)
        season, ratio = seasons(y, start, self.season)
        flat = np.where(ratio[:, None], y / np.where(ratio[:, None], season, 1), y - season)
        # Before a series begins it is its first value, which smoothing then starts from
        first = flat[np.arange(len(flat)), start]
        flat = np.where(np.arange(flat.shape[1]) < start[:, None], first[:, None], flat)
        level, weight = smoothed(flat)
        length = y.shape[1] - start
        ahead = np.arange(1, horizon + 1)
        found = np.repeat(level[:, None], horizon, 1)
        if self.drift:
            lag = (1 - (1 - weight) ** length) / weight
            found += 0.5 * slopes(flat, start)[:, None] * (ahead - 1 + lag[:, None])
        last = season[:, -self.season :][:, (ahead - 1) % self.season]
        return np.where(ratio[:, None], found * last, found + last)


def from_the_right(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """(values (S, T) that end together, with each series' first value before it begins; where it begins (S,))."""
    longest = int(panel.lengths.max())
    start = longest - panel.lengths
    index = np.arange(longest) - start[:, None]
    return panel.y[panel.offsets[:, None] + np.maximum(index, 0)], start


def seasons(y: np.ndarray, start: np.ndarray, season: int) -> tuple[np.ndarray, np.ndarray]:
    """The season of each series at all of its steps, and whether it is a ratio; 0 where there is none.

    Args:
        y: (S, T), from `from_the_right`.
        start: (S,) where series begin.
        season: m.
    """
    count, steps = y.shape
    nothing = np.zeros_like(y), np.zeros(count, bool)
    if season < 2 or steps < 2 * season + 1:
        return nothing
    inside = np.arange(steps) >= start[:, None]
    seasonal = _repeats(y, inside, season)
    ratio = seasonal & (np.where(inside, y, np.inf).min(1) > 0)
    if not seasonal.any():
        return nothing
    kernel = np.ones(season) if season % 2 else np.concatenate([[0.5], np.ones(season - 1), [0.5]])
    half = len(kernel) // 2
    windows = np.lib.stride_tricks.sliding_window_view(y, len(kernel), axis=1)
    trend = np.full_like(y, np.nan)
    trend[:, half : steps - half] = windows @ (kernel / kernel.sum())
    trend[np.arange(steps) < (start + half)[:, None]] = np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = np.where(ratio[:, None], y / trend, y - trend)
    # Columns are counted from the end, so that the last season is the next one, too
    padded = np.concatenate([np.full((count, -steps % season), np.nan), moved], 1).reshape(count, -1, season)
    known = np.isfinite(padded)
    index = np.where(known, padded, 0).sum(1) / np.maximum(known.sum(1), 1)
    mean = index.mean(1, keepdims=True)
    index = np.where(ratio[:, None], index / np.where(ratio[:, None], mean, 1), index - mean)
    whole = known.any(1).all(1) & seasonal & np.where(ratio, (index > 0).all(1), True)
    index = np.where(whole[:, None], index, 0.0)
    repeated = np.tile(index, (1, -(-steps // season)))[:, -steps:]
    return repeated, ratio & whole


def _repeats(y: np.ndarray, inside: np.ndarray, season: int) -> np.ndarray:
    """(S,) whether the autocorrelation at lag m is beyond what chance and the shorter lags explain."""
    n = inside.sum(1)
    centred = np.where(inside, y - (np.where(inside, y, 0).sum(1) / n)[:, None], 0)
    power = np.fft.rfft(centred, 2 * y.shape[1], axis=1)
    correlation = np.fft.irfft(np.abs(power) ** 2, axis=1)[:, : season + 1]
    correlation = correlation[:, 1:] / np.where(correlation[:, :1] > 0, correlation[:, :1], 1)
    limit = CHANCE * np.sqrt((1 + 2 * (correlation[:, :-1] ** 2).sum(1)) / n)
    return (np.abs(correlation[:, -1]) > limit) & (n > 2 * season)


def smoothed(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(last level (S,), weight (S,)) of simple exponential smoothing from the first value on."""
    level = np.repeat(y[:, :1], len(WEIGHTS), 1)
    squares = np.zeros_like(level)
    # Before a series begins it is its first value: its level stays, and its errors are 0
    for column in y.T[1:]:
        error = column[:, None] - level
        squares += error * error
        level = level + WEIGHTS * error
    best = squares.argmin(1)
    return level[np.arange(len(y)), best], WEIGHTS[best]


def slopes(y: np.ndarray, start: np.ndarray) -> np.ndarray:
    """(S,) slope of each series' regression line on time."""
    steps = np.arange(y.shape[1])
    inside = steps >= start[:, None]
    n = inside.sum(1)
    time = np.where(inside, steps - ((y.shape[1] - 1 + start) / 2)[:, None], 0)
    spread = (time**2).sum(1)
    mean = np.where(inside, y, 0).sum(1) / n
    return (time * (y - mean[:, None])).sum(1) / np.where(spread > 0, spread, 1)


__all__ = ["Theta", "from_the_right", "seasons", "slopes", "smoothed"]
