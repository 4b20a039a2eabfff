"""What the values of series are: counts, outside of what was before, too large for their small steps."""

from __future__ import annotations

import numpy as np

from holdfast.data.series.panel import Panel

BEYOND = 0.05  # of the range of what was before
DIGITS = 1e-3  # of a usual step that rounding to 32 bits may cost


def are_counts(panel: Panel) -> np.ndarray:
    """(S,) which series hold whole numbers from 0 on and nothing else."""
    wrong = (panel.y < 0) | (panel.y != np.round(panel.y))
    return np.bincount(np.repeat(np.arange(panel.count), panel.lengths), wrong, panel.count) == 0


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


def loses_digits(panel: Panel) -> bool:
    """Whether 32 bits are too few for the values of some series as they are: a large level with small steps."""
    series = np.repeat(np.arange(panel.count), panel.lengths)
    largest = np.zeros(panel.count)
    np.maximum.at(largest, series, np.abs(panel.y))
    step = panel.mean_step()
    return bool(((step > 0) & (largest * np.finfo(np.float32).eps > DIGITS * step)).any())


__all__ = ["are_counts", "beyond", "loses_digits"]
