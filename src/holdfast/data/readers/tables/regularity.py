"""How well moments lie on a regular grid: what decides between two readings of the same dates."""

from __future__ import annotations

import numpy as np

LEAST, ENOUGH, DOUBTFUL = 4, 0.8, 0.5


def regularity(moments: np.ndarray) -> float:
    """The share of a regular grid's steps that are there, in [0, 1]; 0 for fewer than four different moments.

    The grid has the most frequent step, in time or, where all moments are on one day of the month (or on its last), in
    months. Moments may repeat (several series), and stand in any order.

    Args:
        moments: (N,) datetime64, without NaT.

    Example:
        >>> months = np.arange("2020-01", "2022-01", dtype="datetime64[M]").astype("datetime64[D]")
        >>> regularity(months), regularity(months[[0, 1, 2, 9, 23]]) < 0.5
        (1.0, True)
    """
    different = np.unique(moments)
    if len(different) < LEAST:
        return 0.0
    days = different.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    of_month = (days - months).astype(np.int64)
    last = ((months + 1).astype("datetime64[D]") - days).astype(np.int64) == 1
    by_time = evenness(different.astype(np.int64))
    if (of_month == of_month[0]).all() or last.all():
        return max(by_time, evenness(months.astype(np.int64)))
    return by_time


def clearly_first(one: float, other: float) -> bool:
    """Whether a reading of one regularity is the right one, the other reading having another."""
    return one >= ENOUGH and other < DOUBTFUL


def evenness(places: np.ndarray) -> float:
    """Of ascending whole numbers: those on the grid of the most frequent step from the first, over all of its steps."""
    places = places - places[0]
    steps, counts = np.unique(np.diff(places), return_counts=True)
    step = int(steps[counts.argmax()])
    if step <= 0:
        return 0.0
    return float((places % step == 0).sum() / (places[-1] // step + 1))


__all__ = ["clearly_first", "evenness", "regularity"]
