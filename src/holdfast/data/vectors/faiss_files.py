"""Vectors in files of FAISS indexes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from holdfast.data.vectors.stores import Chunk, VectorSource
from holdfast.errors import InputError
from holdfast.retrieval.faiss_index import faiss_library, ids_of, like


class FaissSource(VectorSource):
    """The vectors of an index, as it gives them back: exact for flat ones, decoded for quantised ones.

    The index itself is in memory; the vectors are read out of it a chunk at a time.

    Raises:
        InputError: not an index file, an empty one, a kind that cannot give its vectors back, or an inverted file in
            which an id stands for several vectors.
        MissingExtra: faiss is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        faiss = faiss_library()
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(str(path), "must be a file", "nothing there")
        try:
            self.index = faiss.read_index(str(self.path))
        except RuntimeError as error:
            raise InputError(str(path), "must be a FAISS index", str(error)) from None
        self.rows, self.dim = int(self.index.ntotal), int(self.index.d)
        if not self.rows:
            raise InputError(str(path), "must hold at least one vector", 0)
        self.has_ids = True
        self.metric = {faiss.METRIC_L2: "l2", faiss.METRIC_INNER_PRODUCT: "ip"}.get(self.index.metric_type, "")
        self._outer = faiss.downcast_index(self.index)
        self.ids, self._inner = ids_of(self.index)
        self._by_id = hasattr(self._inner, "invlists")
        twice = self.ids[:-1][np.diff(self.ids) == 0] if hasattr(self._outer, "invlists") else self.ids[:0]
        if len(twice):
            rule = "must have every id once: an inverted file gives one vector for an id"
            raise InputError(str(path), rule, f"{twice[0]} more than once ({len(twice)} such rows)")
        like(self.index, self.dim)  # now, not after hours
        try:
            if self._by_id:
                self._inner.set_direct_map_type(faiss.DirectMap.Hashtable)
            self.read(0, 1)
        except RuntimeError as error:
            rule = "must be of a kind that gives its vectors back (flat, HNSW, IVF, PQ or scalar-quantised)"
            raise InputError(str(path), rule, self.kind) from error

    @property
    def kind(self) -> str:
        """The class of the index."""
        return type(self._outer).__name__

    def read(self, start: int, stop: int) -> Chunk:
        if self._by_id:
            vectors = self._inner.reconstruct_batch(self._inner_ids(start, stop))
        else:
            vectors = self._inner.reconstruct_n(start, stop - start)
        return Chunk(start, vectors, None, self.ids[start:stop])

    def _inner_ids(self, start: int, stop: int) -> np.ndarray:
        """What the inverted lists call the rows; under an id map that is their number."""
        return self.ids[start:stop] if hasattr(self._outer, "invlists") else np.arange(start, stop)


__all__ = ["FaissSource"]
