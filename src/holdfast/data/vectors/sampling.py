"""A sample of a store, from all over it."""

from __future__ import annotations

import numpy as np

from holdfast.data.vectors.stores import Chunk, VectorSource
from holdfast.errors import InputError
from holdfast.validation import check_integer


def sampled(source: VectorSource, count: int, seed: int = 0) -> tuple[Chunk, float]:
    """The finite ones among `count` rows, at most all, and the share of those that are not finite.

    The sample is 20 runs of rows: single rows would be slow to find in a parquet file.

    Args:
        source: a store.
        count: rows to look at.
        seed: of where the runs lie.

    Raises:
        InputError: no finite row is among them.

    Example:
        >>> from holdfast.data.vectors import ArraySource
        >>> rows, bad = sampled(ArraySource(np.arange(200.0).reshape(100, 2)), 30)
        >>> rows.vectors.shape, rows.ids[:2].tolist() == (rows.vectors[:2, 0] / 2).tolist(), bad
        ((30, 2), True, 0.0)
    """
    check_integer(count, "sample", low=1)
    parts = [source.read(a, b) for a, b in runs(source.rows, count, np.random.default_rng(seed))]
    clean = [part.take(np.setdiff1d(np.arange(len(part)), part.bad())) for part in parts]
    total, kept = sum(map(len, parts)), sum(map(len, clean))
    if not kept:
        raise InputError(str(source.path), "must hold finite rows", f"{total} rows with NaN or infinity in the sample")
    side = None if clean[0].side is None else np.concatenate([part.side for part in clean if part.side is not None])
    vectors, ids = (np.concatenate([getattr(part, name) for part in clean]) for name in ("vectors", "ids"))
    return Chunk(parts[0].start, vectors, side, ids), 1 - kept / total


def runs(rows: int, sample: int, rng: np.random.Generator, count: int = 20) -> list[tuple[int, int]]:
    """Up to `count` runs of rows, together `sample` of them, one in each equal part: (start, stop), rising.

    Example:
        >>> sum(b - a for a, b in runs(1000, 100, np.random.default_rng(0)))
        100
    """
    sample = min(sample, rows)
    count = min(count, sample)
    edges = np.linspace(0, rows, count + 1).astype(int)
    sizes = np.diff(np.linspace(0, sample, count + 1).astype(int))
    found = []
    for first, last, size in zip(edges[:-1], edges[1:], sizes, strict=True):
        size = min(int(size), int(last - first))
        start = int(first) + int(rng.integers(0, last - first - size + 1))
        found.append((start, start + size))
    return found


__all__ = ["runs", "sampled"]
