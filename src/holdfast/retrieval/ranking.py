"""How well queries find rows of their class in a gallery: cumulative match characteristic, mean average precision.

Which gallery rows are the query itself is said by ids. Code that guesses it from equal lists of labels is wrong for
queries and a gallery with different lists.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.retrieval.search import Prepared, same_values
from holdfast.validation import check_integer


def cmc(
    query: Any,
    gallery: Any,
    query_labels: Any,
    gallery_labels: Any,
    *,
    query_ids: Any = None,
    gallery_ids: Any = None,
    top_k: int = 5,
    metric: str = "l2",
) -> np.ndarray:
    """Cumulative match characteristic: share of queries with a row of their class among the nearest k, k = 1..top_k.

    A row of another class at the same distance counts as nearer, so that embeddings without information gain nothing.
    Queries whose class is nowhere in the gallery (the query itself aside) are left out.

    Args:
        query: (Q, D).
        gallery: (G, D).
        query_labels: classes, (Q,).
        gallery_labels: classes, (G,).
        query_ids, gallery_ids: what the rows are, (Q,) and (G,): gallery rows with the query's own id are left out of
            its ranking. None = no gallery row is a query.
        top_k: length of the curve.
        metric: as in `distances`.

    Returns:
        (top_k,) float64, never falling.

    Raises:
        InputError: arrays that do not fit together, one of the ids without the other, no query with a match.

    Example:
        >>> cmc([[0.0]], [[1.0], [2.0]], ["a"], ["b", "a"], top_k=2).tolist()
        [0.0, 1.0]
    """
    check_integer(top_k, "top_k", low=1)
    ranks: list[np.ndarray] = []
    for d, same, hidden in _compared(query, gallery, query_labels, gallery_labels, query_ids, gallery_ids, metric):
        best = np.where(same & ~hidden, d, np.inf).min(1)
        rivals = (d <= best[:, None]) & ~same & ~hidden
        ranks.append(rivals.sum(1)[np.isfinite(best)])
    found = np.concatenate(ranks)
    _some(found)
    counts = np.bincount(np.minimum(found, top_k), minlength=top_k + 1)[:top_k]
    return counts.cumsum() / len(found)


def mean_average_precision(
    query: Any,
    gallery: Any,
    query_labels: Any,
    gallery_labels: Any,
    *,
    query_ids: Any = None,
    gallery_ids: Any = None,
    metric: str = "l2",
) -> float:
    """Mean over queries of the average precision of the gallery sorted by distance.

    Average precision is the mean, over the rows of the query's class, of the share of that class among all rows at most
    as far (scikit-learn's `average_precision_score` of the negative distances). Arguments as in `cmc`.

    Raises:
        InputError: as in `cmc`.

    Example:
        >>> mean_average_precision([[0.0]], [[1.0], [2.0], [3.0]], [0], [0, 1, 0])   # (1/1 + 2/3) / 2
        0.8333333333333333
    """
    values: list[np.ndarray] = []
    for d, same, hidden in _compared(query, gallery, query_labels, gallery_labels, query_ids, gallery_ids, metric):
        values.append(_average_precisions(d, same & ~hidden, hidden))
    found = np.concatenate(values)
    found = found[~np.isnan(found)]
    _some(found)
    return float(found.mean())


def _average_precisions(d: np.ndarray, relevant: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Average precision of each row of distances; NaN where nothing is relevant."""
    # The bits of a float64 that is not negative sort as the number does. Whether a row is relevant takes the place of
    # the last bit: sorting plain integers is several times faster than finding an order and gathering by it.
    d = np.where(hidden, np.inf, d) + 0.0  # no negative zeros
    keys = np.sort((d.view(np.int64) & ~1) | relevant, axis=1)
    hits = (keys & 1).astype(np.int32)
    count = d.shape[1]
    last = np.ones_like(hits, dtype=bool)  # the last of rows at the same distance
    last[:, :-1] = (keys[:, 1:] >> 1) != (keys[:, :-1] >> 1)
    ends = np.where(last, np.arange(count, dtype=np.int32), count)
    ends = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    precision = np.take_along_axis(hits.cumsum(1), ends, axis=1) / (ends + 1.0)
    total = hits.sum(1)
    with np.errstate(invalid="ignore"):
        return (precision * hits).sum(1) / np.where(total, total, np.nan)


def _compared(
    query: Any, gallery: Any, query_labels: Any, gallery_labels: Any, query_ids: Any, gallery_ids: Any, metric: str
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(distances, of the same class, to be left out), each (q, G), for one piece of the queries after the other."""
    pair = Prepared.of(query, gallery, metric)
    counts = len(pair.query), len(pair.gallery)
    same_class = same_values(query_labels, gallery_labels, "labels", *counts)
    same_item = same_values(query_ids, gallery_ids, "ids", *counts)
    if same_class is None:
        raise InputError("query_labels, gallery_labels", "must be given", None)
    for rows in pair.pieces():
        same = same_class(rows)
        yield pair.compare(pair.query[rows]), same, np.zeros_like(same) if same_item is None else same_item(rows)


def _some(found: np.ndarray) -> None:
    if not len(found):
        raise InputError(
            "gallery_labels", "must hold the class of at least one query, its own row aside", "none of them"
        )


__all__ = ["cmc", "mean_average_precision"]
