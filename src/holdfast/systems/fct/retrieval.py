"""How well queries find what belongs to them in a gallery: CMC, mean average precision, nearest neighbours.

Which gallery rows are the query itself is said by ids, never guessed: the reference code guesses it from equal lists of
labels, and is wrong for queries and a gallery with different lists (CMC of 100 % at every rank; mAP of .122 where
counting gives .305). Its "cosine" divides by the L1 norm; it is kept here as `cosine_l1`, for comparison only.

Work goes over the queries in pieces, so memory is bounded whatever their number; distances are float64, so that the
order of rows does not hang on rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_array, check_choice, check_integer, is_tensor

METRICS = ("l2", "cosine", "cosine_l1")
ENTRIES = 1 << 21  # distances held at a time: 16 MB, a few times over


def distances(query: Any, gallery: Any, metric: str = "l2") -> np.ndarray:
    """Distances of every query from every gallery row.

    Args:
        query: (Q, D).
        gallery: (G, D).
        metric: "l2": Euclidean. "cosine": 1 - cosine of the angle, which is 1 for a vector of zeros. "cosine_l1": the
            reference's form, 1 - <q / |q|_1, g / |g|_1>.

    Returns:
        (Q, G) float64, not negative.

    Raises:
        InputError: arrays of another shape, or not finite; an unknown metric.

    Example:
        >>> distances([[0.0, 0.0]], [[3.0, 4.0]]).tolist()
        [[5.0]]
    """
    pair = _Pair.of(query, gallery, metric)
    found = pair.compare(pair.query)
    return np.sqrt(found) if metric == "l2" else found


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


def neighbours(
    query: Any,
    gallery: Any,
    k: int,
    *,
    query_ids: Any = None,
    gallery_ids: Any = None,
    metric: str = "l2",
) -> np.ndarray:
    """The nearest k gallery rows of each query, nearest first: row numbers, int64 (Q, k).

    Raises:
        InputError: as in `cmc`; k larger than the gallery without the query's own rows.

    Example:
        >>> neighbours([[0.0], [9.0]], [[1.0], [2.0], [8.0]], k=2).tolist()
        [[0, 1], [2, 1]]
    """
    check_integer(k, "k", low=1)
    pair = _Pair.of(query, gallery, metric)
    same_item = _same(query_ids, gallery_ids, "ids", len(pair.query), len(pair.gallery))
    found = []
    for rows in pair.pieces():
        d = pair.compare(pair.query[rows])
        if same_item is not None:
            hidden = same_item(rows)
            if k > (left := d.shape[1] - int(hidden.sum(1).max())):
                raise InputError("k", f"must be at most the rows of the gallery that are not the query ({left})", k)
            d[hidden] = np.inf
        elif k > d.shape[1]:
            raise InputError("k", f"must be at most the number of rows of the gallery ({d.shape[1]})", k)
        nearest = np.argpartition(d, k - 1, axis=1)[:, :k] if k < d.shape[1] else np.tile(np.arange(k), (len(d), 1))
        order = np.argsort(np.take_along_axis(d, nearest, axis=1), axis=1, kind="stable")
        found.append(np.take_along_axis(nearest, order, axis=1))
    return np.concatenate(found)


def recall_at_k(found: Any, true: Any) -> np.ndarray:
    """Share of each query's true neighbours that were found: float64 (Q,).

    Args:
        found: row numbers or ids, (Q, k), as `neighbours` gives them.
        true: the same of the new model against its own gallery, (Q, k'); no number twice in a row.

    Example:
        >>> recall_at_k([[1, 2, 3]], [[3, 4, 1]]).round(3).tolist()
        [0.667]
    """
    sizes: dict[str, int] = {}
    found = np.asarray(check_array(found, "Q _", name="found", dtype="integer", sizes=sizes))
    true = np.asarray(check_array(true, "Q _", name="true", dtype="integer", sizes=sizes))
    return (true[:, :, None] == found[:, None, :]).any(2).mean(1)


# -------------------------------------------------------------------------------------------------------------- pieces
@dataclass(frozen=True)
class _Pair:
    """Queries and gallery prepared for a metric: float64, and what needs computing once."""

    query: np.ndarray
    gallery: np.ndarray
    squares: np.ndarray | None  # squared norms of the gallery, for "l2" alone

    @classmethod
    def of(cls, query: Any, gallery: Any, metric: str) -> _Pair:
        check_choice(metric, METRICS, "metric")
        sizes: dict[str, int] = {}
        q = _array(check_array(query, "Q D", name="query", dtype="real", sizes=sizes)).astype(np.float64)
        g = _array(check_array(gallery, "G D", name="gallery", dtype="real", sizes=sizes)).astype(np.float64)
        if metric == "l2":
            middle = g.mean(0)  # distances do not change, and small ones far from zero keep their digits
            g = g - middle
            return cls(q - middle, g, np.einsum("gd,gd->g", g, g))
        order = 1 if metric == "cosine_l1" else 2
        return cls(_unit(q, order), _unit(g, order), None)

    def pieces(self) -> Iterator[slice]:
        """Rows of the queries, so many that their distances fit."""
        step = max(1, ENTRIES // len(self.gallery))
        for start in range(0, len(self.query), step):
            yield slice(start, start + step)

    def compare(self, q: np.ndarray) -> np.ndarray:
        """Squared Euclidean distances, or 1 - cosine; (len(q), G), not negative."""
        products = q @ self.gallery.T
        if self.squares is None:
            return np.maximum(1 - products, 0)
        products *= -2
        products += np.einsum("qd,qd->q", q, q)[:, None]
        products += self.squares
        return np.maximum(products, 0, out=products)


def _unit(x: np.ndarray, order: int) -> np.ndarray:
    norm = np.linalg.norm(x, ord=order, axis=1, keepdims=True)
    return x / np.where(norm > 0, norm, 1)


def _compared(
    query: Any, gallery: Any, query_labels: Any, gallery_labels: Any, query_ids: Any, gallery_ids: Any, metric: str
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(distances, of the same class, to be left out), each (q, G), for one piece of the queries after the other."""
    pair = _Pair.of(query, gallery, metric)
    counts = len(pair.query), len(pair.gallery)
    same_class = _same(query_labels, gallery_labels, "labels", *counts)
    same_item = _same(query_ids, gallery_ids, "ids", *counts)
    if same_class is None:
        raise InputError("query_labels, gallery_labels", "must be given", None)
    for rows in pair.pieces():
        same = same_class(rows)
        yield pair.compare(pair.query[rows]), same, np.zeros_like(same) if same_item is None else same_item(rows)


def _same(q: Any, g: Any, what: str, queries: int, rows: int) -> Callable[[slice], np.ndarray] | None:
    """A function from query rows to which gallery rows have an equal value, or None if no values are given."""
    if (q is None) != (g is None):
        missing = f"query_{what}" if q is None else f"gallery_{what}"
        raise InputError(missing, f"must be given together with the other of query_{what} and gallery_{what}", None)
    if q is None:
        return None
    values = []
    for name, given, count in ((f"query_{what}", q, queries), (f"gallery_{what}", g, rows)):
        array = _array(given)
        if array.shape != (count,):
            raise InputError(name, f"must have shape ({count},), one value per row", f"shape {array.shape}")
        values.append(array)
    if (values[0].dtype.kind in "iub") != (values[1].dtype.kind in "iub"):
        kinds = f"{values[0].dtype} and {values[1].dtype}"
        raise InputError(f"query_{what}, gallery_{what}", "must be of the same kind", kinds)
    _, codes = np.unique(np.concatenate(values), return_inverse=True)  # small numbers: strings compare slowly
    mine, theirs = codes[:queries].astype(np.int32), codes[queries:].astype(np.int32)
    return lambda part: mine[part, None] == theirs[None]


def _array(x: Any) -> np.ndarray:
    return x.detach().cpu().numpy() if is_tensor(x) else np.asarray(x)


def _some(found: np.ndarray) -> None:
    if not len(found):
        raise InputError(
            "gallery_labels", "must hold the class of at least one query, its own row aside", "none of them"
        )


__all__ = ["METRICS", "cmc", "distances", "mean_average_precision", "neighbours", "recall_at_k"]
