"""FAISS indexes: the ids of their rows, and an index of the same kind for vectors of another size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from holdfast.errors import InputError, MissingExtra

TRAINING = 100_000  # vectors that coarse and product quantisers are trained on at most


def faiss_library() -> Any:
    """The module `faiss`.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import faiss
    except ImportError:
        raise MissingExtra("faiss-cpu", "index") from None
    return faiss


def ids_of(index: Any) -> tuple[np.ndarray, Any]:
    """The ids of an index's rows, and the index that holds the vectors."""
    faiss = faiss_library()
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
    faiss = faiss_library()
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


def filled_like(index: Any, chunks: Iterator[tuple[np.ndarray, np.ndarray]], sample: np.ndarray, dim: int) -> Any:
    """An index like another one with other vectors.

    Args:
        index: what it should be like.
        chunks: (ids, vectors (n, dim)) of all rows, in order; an index without ids of its own takes no notice of them.
        sample: vectors to train quantisers on, (n, dim).
        dim: size of a vector.
    """
    faiss = faiss_library()
    made = like(index, dim)
    if not made.is_trained:
        made.train(np.ascontiguousarray(sample, np.float32))
    outer = faiss.downcast_index(index)
    plain = not isinstance(outer, faiss.IndexIDMap | faiss.IndexIDMap2) and not hasattr(outer, "invlists")
    for ids, vectors in chunks:
        rows = np.ascontiguousarray(vectors, np.float32)
        if plain:
            made.add(rows)
        else:
            made.add_with_ids(rows, ids.astype(np.int64))
    return made


__all__ = ["TRAINING", "faiss_library", "filled_like", "ids_of", "like"]
