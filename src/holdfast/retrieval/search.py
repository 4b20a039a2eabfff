"""Exact search: distances of queries from a gallery, the nearest rows, how many of the true ones were found.

Which gallery rows are the query itself is said by ids, never guessed. Work goes over the queries in pieces, so memory
is bounded whatever their number; distances are float64, so that the order of rows does not hang on rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_array, check_choice, check_integer, check_present, is_tensor

METRICS = ("l2", "cosine", "ip", "cosine_l1")
ENTRIES = 1 << 21  # distances held at a time: 16 MB, a few times over


def distances(query: Any, gallery: Any, metric: str = "l2") -> np.ndarray:
    """Distances of every query from every gallery row.

    Args:
        query: (Q, D).
        gallery: (G, D).
        metric: "l2": Euclidean. "cosine": 1 - cosine of the angle. "ip": the inner product as a distance, |q| max |g| -
            <q, g> with the maximum over the gallery. "cosine_l1": 1 - <q / |q|_1, g / |g|_1>, what some published code
            calls cosine; for comparison with its numbers only.

    Returns:
        (Q, G) float64, not negative.

    Raises:
        InputError: arrays of another shape, or not finite; an unknown metric; under the cosines rows without a
            direction, see `check_directions`.

    Example:
        >>> distances([[0.0, 0.0]], [[3.0, 4.0]]).tolist()
        [[5.0]]
    """
    pair = Prepared.of(query, gallery, metric)
    found = pair.compare(pair.query)
    return np.sqrt(found) if metric == "l2" else found


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
        InputError: arrays that do not fit together, one of the ids without the other; k larger than the gallery without
            the query's own rows.

    Example:
        >>> neighbours([[0.0], [9.0]], [[1.0], [2.0], [8.0]], k=2).tolist()
        [[0, 1], [2, 1]]
    """
    check_integer(k, "k", low=1)
    pair = Prepared.of(query, gallery, metric)
    same_item = same_values(query_ids, gallery_ids, "ids", len(pair.query), len(pair.gallery))
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


def check_directions(x: Any, name: str) -> None:
    """Refuse rows of zeros, which have no direction, and rows of one value throughout: both stand for a missing vector.

    Raises:
        InputError: such rows; how many, and the numbers of the first.

    Example:
        >>> check_directions([[1.0, 2.0], [0.0, 0.0], [3.0, 3.0]], "gallery")
        Traceback (most recent call last):
        holdfast.errors.InputError: gallery: must have no rows of zeros or of one value throughout where angles count; \
received 2 of 3, the first are rows 1, 2
    """
    rows = _array(x)
    wrong = np.flatnonzero((rows == rows[:, :1]).all(1) if rows.shape[1] > 1 else rows[:, 0] == 0)
    if len(wrong):
        first = f"the first is row {wrong[0]}" if len(wrong) == 1 else f"the first are rows {_listed(wrong[:5])}"
        rule = "must have no rows of zeros or of one value throughout where angles count"
        raise InputError(name, rule, f"{len(wrong)} of {len(rows)}, {first}")


def _listed(numbers: np.ndarray) -> str:
    return ", ".join(map(str, numbers.tolist()))


def of_length_one(x: Any) -> bool:
    """Whether all rows but those of zeros have length 1, as indexes searched by cosine or inner product keep them.

    Example:
        >>> of_length_one([[0.6, 0.8], [0.0, 0.0], [1.0, 0.0]]), of_length_one([[1.0, 1.0]])
        (True, False)
    """
    lengths = np.linalg.norm(_array(x), axis=1)
    lengths = lengths[lengths > 0]
    return bool(len(lengths)) and np.allclose(lengths, 1, atol=1e-3)


def recall_at_k(found: Any, true: Any) -> np.ndarray:
    """Share of each query's true neighbours that were found: float64 (Q,).

    Args:
        found: row numbers or ids, (Q, k), as `neighbours` gives them.
        true: the neighbours to be found, (Q, k'); no number twice in a row.

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
class Prepared:
    """Queries and gallery prepared for a metric: float64, and what needs computing once."""

    query: np.ndarray
    gallery: np.ndarray
    squares: np.ndarray | None = None  # squared norms of the gallery, for "l2" alone
    longest: float | None = None  # length of the longest row of the gallery, for "ip" alone

    @classmethod
    def of(cls, query: Any, gallery: Any, metric: str) -> Prepared:
        check_choice(metric, METRICS, "metric")
        sizes: dict[str, int] = {}
        q = _array(check_array(query, "Q D", name="query", dtype="real", sizes=sizes)).astype(np.float64)
        g = _array(check_array(gallery, "G D", name="gallery", dtype="real", sizes=sizes)).astype(np.float64)
        if metric == "l2":
            middle = g.mean(0)  # distances do not change, and small ones far from zero keep their digits
            g = g - middle
            return cls(q - middle, g, np.einsum("gd,gd->g", g, g))
        if metric == "ip":
            return cls(q, g, longest=float(np.linalg.norm(g, axis=1).max()))
        check_directions(q, "query")
        check_directions(g, "gallery")
        order = 1 if metric == "cosine_l1" else 2
        return cls(_unit(q, order), _unit(g, order))

    def pieces(self) -> Iterator[slice]:
        """Rows of the queries, so many that their distances fit."""
        step = max(1, ENTRIES // len(self.gallery))
        for start in range(0, len(self.query), step):
            yield slice(start, start + step)

    def compare(self, q: np.ndarray) -> np.ndarray:
        """Squared Euclidean distances, 1 - cosine, or |q| max |g| - <q, g>; (len(q), G), not negative."""
        products = q @ self.gallery.T
        if self.longest is not None:  # a bound that all products of a query have in common
            return np.maximum(np.linalg.norm(q, axis=1, keepdims=True) * self.longest - products, 0)
        if self.squares is None:
            return np.maximum(1 - products, 0)
        products *= -2
        products += np.einsum("qd,qd->q", q, q)[:, None]
        products += self.squares
        return np.maximum(products, 0, out=products)


def _unit(x: np.ndarray, order: int) -> np.ndarray:
    return x / np.linalg.norm(x, ord=order, axis=1, keepdims=True)


def same_values(q: Any, g: Any, what: str, queries: int, rows: int) -> Callable[[slice], np.ndarray] | None:
    """A function from query rows to which gallery rows have an equal value, or None if no values are given."""
    if (q is None) != (g is None):
        missing = f"query_{what}" if q is None else f"gallery_{what}"
        raise InputError(missing, f"must be given together with the other of query_{what} and gallery_{what}", None)
    if q is None:
        return None
    values = []
    for name, given, count in ((f"query_{what}", q, queries), (f"gallery_{what}", g, rows)):
        array = _array(check_present(given, name))
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


__all__ = ["METRICS", "Prepared", "check_directions", "distances", "neighbours", "of_length_one", "recall_at_k"]
__all__ += ["same_values"]
