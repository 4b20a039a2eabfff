"""Recall and precision of scores of queries against a gallery, with a matrix that says what is relevant to whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_array, check_integer

EPS = 1e-5  # in the published recall of several targets
KS = (1, 5, 10, 50, 100)


def ranked(scores: Any, exclude: Any = None) -> np.ndarray:
    """(Q, G) rows of the gallery by falling score, equal ones in their order; excluded ones last.

    Args:
        scores: (Q, G).
        exclude: (Q,) the row that a query may not find (its own picture); -1 = none.
    """
    found = np.array(check_array(scores, "Q G", name="scores", dtype="float64"))
    if exclude is not None:
        rows = check_array(
            exclude, "Q", name="exclude", dtype="int64", sizes={"Q": len(found)}, high=found.shape[1] - 1
        )
        some = np.flatnonzero(rows >= 0)
        found[some, rows[some]] = -np.inf
    return np.argsort(-found, axis=1, kind="stable")


def recall_at_k(scores: Any, relevant: Any, exclude: Any = None, ks: Sequence[int] = KS) -> list[float]:
    """Share of queries with a relevant row among the first k, for each k.

    CIRR leaves the reference picture out of the ranking (`exclude`), Fashion-IQ does not.

    Args:
        scores: (Q, G), higher is nearer.
        relevant: (Q, G) bool.
        exclude: as in `ranked`.
        ks: numbers of answers.

    Raises:
        InputError: shapes that do not fit; a query without a relevant row.

    Example:
        >>> recall_at_k([[0.9, 0.1, 0.5]], [[False, False, True]], ks=(1, 2))
        [0.0, 1.0]
    """
    hits = _hits(scores, relevant, exclude)
    if not hits.any(1).all():
        raise InputError(
            "relevant", "must have a row for every query", f"none for query {int((~hits.any(1)).argmax())}"
        )
    first = hits.argmax(1)
    return [float((first < check_integer(k, "ks", low=1)).mean()) for k in ks]


def recall_and_precision(scores: Any, relevant: Any, ks: Sequence[int] = (*KS, 200)) -> tuple[list[float], list[float]]:
    """Mean share of a query's relevant rows among the first k, and mean share of relevant rows among these.

    As published for domain conversion: recall is over (relevant + 1e-5), a query without a relevant row counts as 0,
    precision is over min(k, G).

    Example:
        >>> recall, precision = recall_and_precision([[0.9, 0.1, 0.5]], [[True, False, True]], ks=(1, 2))
        >>> [round(r, 3) for r in recall], precision
        ([0.5, 1.0], [1.0, 1.0])
    """
    hits = _hits(scores, relevant, None)
    among = np.cumsum(hits, axis=1)
    count = hits.sum(1)
    at = [min(check_integer(k, "ks", low=1), hits.shape[1]) for k in ks]
    recall = [float((among[:, k - 1] / (count + EPS)).mean()) for k in at]
    return recall, [float(among[:, k - 1].mean() / k) for k in at]


def ranks(scores: Any, ks: Sequence[int] = KS) -> dict[str, float]:
    """Ranks (from 1) of each query's own row in a square matrix: mean, median, and R@k, the published numbers of COCO.

    Example:
        >>> ranks([[0.9, 0.1], [0.8, 0.2]], ks=(1,))
        {'mean_rank': 1.5, 'median_rank': 1.0, 'R@1': 0.5}
    """
    found = ranked(scores)
    if found.shape[0] != found.shape[1]:
        raise InputError("scores", "must be square: query i is to find row i", f"shape {found.shape}")
    place = (found == np.arange(len(found))[:, None]).argmax(1)
    numbers = {"mean_rank": float(place.mean() + 1), "median_rank": float(np.floor(np.median(place)) + 1)}
    return {**numbers, **{f"R@{k}": float((place < k).mean()) for k in ks}}


def _hits(scores: Any, relevant: Any, exclude: Any) -> np.ndarray:
    order = ranked(scores, exclude)
    sizes = dict(zip("QG", order.shape, strict=True))
    wanted = check_array(relevant, "Q G", name="relevant", dtype="bool", sizes=sizes)
    return np.take_along_axis(np.asarray(wanted), order, axis=1)


__all__ = ["ranked", "ranks", "recall_and_precision", "recall_at_k"]
