"""The entries with the largest inner products: by going through all of them, or by an index of FAISS."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from holdfast.errors import InputError
from holdfast.retrieval.faiss_index import faiss_library
from holdfast.validation import check_array, check_integer

PRODUCTS = 1 << 23  # held at a time: 32 MB


class Search(Protocol):
    """Built once from entries, asked as often as one likes."""

    def search(self, queries: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Inner products and row numbers of the k largest, (Q, k) float32 and int64, largest first."""


class Scan:
    """Every product is computed, in float32. Of equal ones the entry with the lowest number comes first.

    Args:
        entries: (M, D) numbers of any float type; float16 stays so until it is needed.

    Raises:
        InputError: no entries, not finite, not two axes.

    Example:
        >>> products, rows = Scan([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]).search([[2.0, 1.0]], 2)
        >>> products.tolist(), rows.tolist()
        ([[2.0, 2.0]], [[0, 2]])
    """

    def __init__(self, entries: Any) -> None:
        self.entries = _entries(entries)

    def search(self, queries: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Search`.

        Raises:
            InputError: queries of another width or not finite; k beyond the number of entries.
        """
        asked = _queries(queries, self.entries.shape[1])
        check_integer(k, "k", low=1, high=len(self.entries))
        step = max(1, PRODUCTS // max(1, len(asked)))
        values, rows = np.zeros((len(asked), 0), np.float32), np.zeros((len(asked), 0), np.int64)
        for start in range(0, len(self.entries), step):
            part = asked @ np.asarray(self.entries[start : start + step], np.float32).T
            found = _largest(part, min(k, part.shape[1]))
            values = np.concatenate([values, np.take_along_axis(part, found, 1)], 1)
            rows = np.concatenate([rows, found + start], 1)
            order = np.argsort(-values, axis=1, kind="stable")[:, :k]
            values, rows = np.take_along_axis(values, order, 1), np.take_along_axis(rows, order, 1)
        return values, rows


class FaissSearch:
    """The same by FAISS: exactly, or through a graph (HNSW) whose answers are nearly always the same.

    Args:
        entries: (M, D), as for `Scan`; kept in float32.
        links: of a node in the graph, 32 say; None = exact.
        breadth: nodes looked at while the graph is built and searched.

    Raises:
        MissingExtra: faiss is not installed.
        InputError: as `Scan`; links below 2.

    Example:
        >>> FaissSearch([[1.0, 0.0], [0.0, 1.0]]).search([[2.0, 1.0]], 1)[1].tolist()
        [[0]]
    """

    def __init__(self, entries: Any, links: int | None = None, breadth: int = 64) -> None:
        faiss = faiss_library()
        rows = np.ascontiguousarray(_entries(entries), np.float32)
        if links is None:
            self.index = faiss.IndexFlatIP(rows.shape[1])
        else:
            check_integer(links, "links", low=2)
            self.index = faiss.IndexHNSWFlat(rows.shape[1], links, faiss.METRIC_INNER_PRODUCT)
            self.index.hnsw.efConstruction = self.index.hnsw.efSearch = check_integer(breadth, "breadth", low=1)
        self.index.add(rows)

    def search(self, queries: Any, k: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Search`; of equal products the order is FAISS's."""
        asked = _queries(queries, self.index.d)
        values, rows = self.index.search(asked, check_integer(k, "k", low=1, high=self.index.ntotal))
        return np.asarray(values), np.asarray(rows, np.int64)


def _largest(products: np.ndarray, k: int) -> np.ndarray:
    """Row numbers of the k largest, ascending by number among equals at the edge, too."""
    if k == 1:
        return np.asarray(products.argmax(1)[:, None])
    edge = np.partition(products, -k, axis=1)[:, -k]
    above, equal = products > edge[:, None], products == edge[:, None]
    keep = above | (equal & (equal.cumsum(1) <= k - above.sum(1, keepdims=True)))
    return np.nonzero(keep)[1].reshape(len(products), k)


def _entries(entries: Any) -> np.ndarray:
    array = np.asarray(check_array(entries, "M D", name="entries"))
    if not len(array):
        raise InputError("entries", "must not be empty", f"shape {array.shape}")
    return array if array.dtype.kind == "f" else array.astype(np.float32)


def _queries(queries: Any, width: int) -> np.ndarray:
    array = np.asarray(check_array(queries, "Q D", name="queries", dtype="float32"))
    if array.shape[1] != width:
        raise InputError("queries", f"must be {width} numbers wide, as the entries are", array.shape[1])
    return np.ascontiguousarray(array)


__all__ = ["FaissSearch", "Scan", "Search"]
