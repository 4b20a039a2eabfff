"""Which options cost no more and give no less than every other: the frontier, and how far off the rest is."""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_array, check_same_length


def pareto(costs: Any, qualities: Any, maximize: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """The frontier, and what each option wastes.

    Args:
        costs: (N,), less is better.
        qualities: (N,).
        maximize: more quality is better; False for losses.

    Returns:
        (mask, gaps): bool (N,), true where no other option costs no more and is no worse with one of the two better;
        float64 (N,), the cost that the cheapest option of at least this quality saves, 0 on the frontier.

    Raises:
        InputError: no options, not finite, or not as many of one as of the other.

    Example:
        >>> mask, gaps = pareto([1, 2, 3, 5], [0.5, 0.7, 0.6, 0.9])
        >>> mask.tolist(), gaps.tolist()
        ([True, True, False, True], [0.0, 0.0, 1.0, 0.0])
    """
    cost, quality = _checked(costs, qualities, maximize)
    order = np.lexsort((cost, -quality))  # best first, cheap first among equals
    cheapest = np.minimum.accumulate(cost[order])  # of at least this quality, so far
    equals = np.searchsorted(-quality[order], -quality[order], side="right") - 1
    gaps = np.empty(len(cost))
    gaps[order] = cost[order] - cheapest[equals]
    mask = np.empty(len(cost), bool)
    first = np.searchsorted(-quality[order], -quality[order], side="left")
    better = np.where(first > 0, cheapest[np.maximum(first - 1, 0)], np.inf)  # of better quality
    mask[order] = (gaps[order] == 0) & (cost[order] < better)
    return mask, gaps


def hypervolume(costs: Any, qualities: Any, cost_limit: float, quality_limit: float, maximize: bool = True) -> float:
    """Area between the frontier and a reference point: how much of it some option dominates.

    Args:
        costs, qualities, maximize: as for `pareto`.
        cost_limit, quality_limit: the reference, no better than any option that should count.

    Raises:
        InputError: as `pareto`.

    Example:
        >>> hypervolume([1, 3], [0.5, 0.9], cost_limit=4, quality_limit=0.0)
        1.9
    """
    cost, quality = _checked(costs, qualities, maximize)
    base = quality_limit if maximize else -quality_limit
    keep = (cost <= cost_limit) & (quality >= base)
    cost, quality = cost[keep], quality[keep]
    order = np.argsort(cost, kind="stable")
    best = np.maximum.accumulate(quality[order]) if len(order) else np.zeros(0)
    edges = np.append(cost[order], cost_limit)
    return float((np.diff(edges) * (best - base)).sum())


def _checked(costs: Any, qualities: Any, maximize: bool) -> tuple[np.ndarray, np.ndarray]:
    cost, quality = (
        np.asarray(check_array(x, "N", name=name, dtype="float64"))
        for x, name in ((costs, "costs"), (qualities, "qualities"))
    )
    if not check_same_length(costs=cost, qualities=quality):
        raise InputError("costs", "must not be empty", "none")
    return cost, quality if maximize else -quality


__all__ = ["hypervolume", "pareto"]
