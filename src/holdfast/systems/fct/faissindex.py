"""Vectors in FAISS indexes: read them out, and make an index of the same kind for migrated ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.errors import InputError, MissingExtra
from holdfast.systems.fct.stores import Chunk, Source

TRAINING = 100_000  # vectors that coarse and product quantisers are trained on at most


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise MissingExtra("faiss-cpu", "index") from None
    return faiss


class FaissSource(Source):
    """The vectors of an index, as it gives them back: exact for flat ones, decoded for quantised ones.

    The index itself is in memory; the vectors are read out of it a chunk at a time.

    Raises:
        InputError: not an index file, an empty one, a kind that cannot give its vectors back, or an inverted file in
            which an id stands for several vectors.
        MissingExtra: faiss is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        faiss = _faiss()
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
        self._outer = faiss.downcast_index(self.index)
        self.ids, self._inner = _ids(self.index)
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


def _ids(index: Any) -> tuple[np.ndarray, Any]:
    """The ids of an index's rows, and the index that holds the vectors."""
    faiss = _faiss()
    index = faiss.downcast_index(index)
    if isinstance(index, faiss.IndexIDMap | faiss.IndexIDMap2):
        return faiss.vector_to_array(index.id_map).copy(), faiss.downcast_index(index.index)
    if hasattr(index, "invlists"):
        lists = index.invlists
        found = [
            faiss.rev_swig_ptr(lists.get_ids(k), lists.list_size(k)).copy()
            for k in range(index.nlist)
            if lists.list_size(k)
        ]
        return np.sort(np.concatenate(found)), index
    return np.arange(index.ntotal), index


def like(index: Any, dim: int) -> Any:
    """An empty, untrained index of the same kind and settings for vectors of another size.

    Known kinds: flat, HNSW (flat), IVF (flat, PQ, scalar quantiser), PQ, scalar quantiser, each also in an id map.

    Raises:
        InputError: another kind; a product quantiser whose number of parts does not divide `dim`.
    """
    faiss = _faiss()
    index = faiss.downcast_index(index)
    kind, metric = type(index).__name__, index.metric_type
    if kind in ("IndexIDMap", "IndexIDMap2"):
        return getattr(faiss, kind)(like(index.index, dim))
    if kind in ("IndexFlat", "IndexFlatL2", "IndexFlatIP"):
        return faiss.IndexFlat(dim, metric) if kind == "IndexFlat" else getattr(faiss, kind)(dim)
    if kind == "IndexHNSWFlat":
        made = faiss.IndexHNSWFlat(dim, index.hnsw.nb_neighbors(0) // 2, metric)
        made.hnsw.efConstruction, made.hnsw.efSearch = index.hnsw.efConstruction, index.hnsw.efSearch
        return made
    if kind == "IndexScalarQuantizer":
        return faiss.IndexScalarQuantizer(dim, index.sq.qtype, metric)
    if kind == "IndexPQ":
        return faiss.IndexPQ(dim, _parts(index.pq, dim), index.pq.nbits, metric)
    if kind in ("IndexIVFFlat", "IndexIVFPQ", "IndexIVFScalarQuantizer"):
        coarse = like(index.quantizer, dim)
        if kind == "IndexIVFFlat":
            made = faiss.IndexIVFFlat(coarse, dim, index.nlist, metric)
        elif kind == "IndexIVFPQ":
            made = faiss.IndexIVFPQ(coarse, dim, index.nlist, _parts(index.pq, dim), index.pq.nbits, metric)
        else:
            made = faiss.IndexIVFScalarQuantizer(coarse, dim, index.nlist, index.sq.qtype, metric)
        made.nprobe = index.nprobe
        return made
    known = "flat, HNSW, IVF, PQ or scalar-quantised"
    raise InputError("index", f"must be of a kind that can be made again for another size ({known})", kind)


def _parts(quantiser: Any, dim: int) -> int:
    if dim % quantiser.M:
        rule = f"must have product-quantiser parts that divide the new dimensions ({dim}); make the index anew"
        raise InputError("index", rule, f"{quantiser.M} parts")
    return int(quantiser.M)


def build(source: FaissSource, chunks: Iterator[tuple[np.ndarray, np.ndarray]], sample: np.ndarray, dim: int) -> Any:
    """An index like the source's with migrated vectors under the same ids.

    Args:
        source: what it should be like.
        chunks: (ids, vectors (n, dim)) of all rows, in order.
        sample: vectors to train quantisers on, (n, dim).
        dim: size of a vector.
    """
    faiss = _faiss()
    made = like(source.index, dim)
    if not made.is_trained:
        made.train(np.ascontiguousarray(sample, np.float32))
    outer = faiss.downcast_index(source.index)
    plain = not isinstance(outer, faiss.IndexIDMap | faiss.IndexIDMap2) and not hasattr(outer, "invlists")
    for ids, vectors in chunks:
        rows = np.ascontiguousarray(vectors, np.float32)
        if plain:
            made.add(rows)
        else:
            made.add_with_ids(rows, ids.astype(np.int64))
    return made


__all__ = ["FaissSource", "build", "like"]
