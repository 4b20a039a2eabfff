"""Divisions of rows that keep the rows of one item (several vectors of a document, say) together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_present


def held_out(
    total: int, fraction: float, rng: np.random.Generator, ids: Any = None, least: tuple[int, int] = (1, 1)
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers to fit to, and a share of all that is held out; both rising.

    Rows with the same id are on the same side, so that the share may be a little larger.

    Args:
        total: rows.
        fraction: the share.
        rng: draws it.
        ids: what item a row belongs to, (total,); None = each is one.
        least: rows that either side must have.

    Raises:
        InputError: not an id per row; so few different ones that a side would be too small.

    Example:
        >>> fitted, held = held_out(10, 0.2, np.random.default_rng(0))
        >>> len(fitted), len(held)
        (8, 2)
    """
    few, fewest = least
    if ids is None:
        order = rng.permutation(total)
        count = min(max(fewest, round(fraction * total)), total - few)
        return np.sort(order[count:]), np.sort(order[:count])
    named = np.asarray(check_present(ids, "ids"))
    if named.shape != (total,):
        raise InputError("ids", f"must have as many rows as there are ({total})", f"shape {named.shape}")
    _, item, rows = np.unique(named, return_inverse=True, return_counts=True)
    place = rng.permutation(len(rows))  # items in the order in which they are held out
    before = np.concatenate([[0], rows[place].cumsum()[:-1]])
    chosen = np.zeros(len(rows), bool)
    chosen[place[before < max(fewest, round(fraction * total))]] = True
    held = chosen[item.ravel()]
    if held.sum() < fewest or (~held).sum() < few:
        raise InputError("ids", "must differ between enough rows to hold some out", f"{len(rows)} different ids")
    return np.flatnonzero(~held), np.flatnonzero(held)


def grouped(
    ids: np.ndarray | None, total: int, sizes: Mapping[str, int], rng: np.random.Generator, least: int = 1
) -> tuple[np.ndarray, dict[str, int]]:
    """A random order in which rows of one id follow each other, and part sizes that cut between ids only.

    Args:
        ids: what item a row belongs to, (total,); None = each is one.
        total: rows.
        sizes: wanted, by part; the parts follow each other in the order.
        rng: draws the order.
        least: rows that every part must have.

    Raises:
        InputError: so few ids that a part stays without rows.
    """
    if ids is None:
        return rng.permutation(total), dict(sizes)
    _, group = np.unique(check_present(ids, "id"), return_inverse=True)
    place = rng.permutation(int(group.max()) + 1)[group]
    order = np.argsort(place, kind="stable")
    ends = np.flatnonzero(np.diff(place[order], append=-1)) + 1  # where a cut is allowed
    cuts = [int(ends[np.abs(ends - wanted).argmin()]) for wanted in np.cumsum([*sizes.values()])[:-1]]
    counts = np.diff([0, *cuts, total]).tolist()
    if min(counts) < least:
        raise InputError(
            "id", "must differ between enough rows to divide them", f"{int(group.max()) + 1} different ids"
        )
    return order, dict(zip(sizes, counts, strict=True))


__all__ = ["grouped", "held_out"]
