"""A dry run: what a migration would be worth and cost, from a sample of the store, before anything is written."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from holdfast.errors import InputError
from holdfast.systems.fct.migrator import EmbeddingMigrator
from holdfast.systems.fct.quality import Prediction
from holdfast.systems.fct.stores import Source
from holdfast.validation import check_integer


@dataclass(frozen=True)
class Preview:
    """What a migration would do.

    Attributes:
        prediction: quality to expect, with intervals.
        seconds: that all rows would take here, reading and writing aside.
        gigabytes: of the new vectors.
        bad: share of the sample with NaN or infinite values.
    """

    prediction: Prediction
    seconds: float
    gigabytes: float
    bad: float


def preview(migrator: EmbeddingMigrator, source: Source, sample: int = 10_000, seed: int = 0) -> Preview:
    """Migrate a sample of a store, write nothing, and say what to expect of the whole.

    The sample is 20 runs of rows from all over the store: single rows would be slow to find in a parquet file.

    Args:
        migrator: fitted.
        source: what would be migrated.
        sample: rows to look at, at most all.
        seed: of where the runs lie.

    Raises:
        InputError: sizes that differ from those of `fit`; nothing but bad rows.
    """
    check_integer(sample, "sample", low=1)
    check_sizes(migrator, source)
    parts = [source.read(a, b) for a, b in runs(source.rows, sample, np.random.default_rng(seed))]
    clean = [part.take(np.setdiff1d(np.arange(len(part)), part.bad())) for part in parts]
    total, kept = sum(map(len, parts)), sum(map(len, clean))
    if not kept:
        raise InputError(str(source.path), "must hold finite rows", f"{total} rows with NaN or infinity in the sample")
    old = np.concatenate([part.vectors for part in clean])
    side = None if clean[0].side is None else np.concatenate([part.side for part in clean if part.side is not None])
    begun = time.perf_counter()
    migrator.transform(old, side)
    per_row = (time.perf_counter() - begun) / kept
    prediction = migrator.predict_quality(old, side)
    return Preview(prediction, per_row * source.rows, source.rows * migrator.dims_[1] * 4 / 1e9, 1 - kept / total)


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


def check_sizes(migrator: EmbeddingMigrator, source: Source) -> None:
    """Refuse a store whose vectors are not like those of `fit`.

    Raises:
        InputError: another number of dimensions; side information missing or not asked for.
    """
    old, _, side = migrator.dims_
    if source.dim != old:
        raise InputError(str(source.path), f"must hold vectors of {old} dimensions, as in fit", source.dim)
    there = source.side_dim
    if there != side:
        rule = f"must come with side information of {side} dimensions, as in fit" if side else "must come without side"
        raise InputError(str(source.path), rule if side else f"{rule} information, as in fit", f"{there} dimensions")


__all__ = ["Preview", "check_sizes", "preview", "runs"]
