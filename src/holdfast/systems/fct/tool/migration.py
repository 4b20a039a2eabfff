"""Run a migrator over a store or a stream; and, before anything is written, over a sample of the store."""

from __future__ import annotations

import json
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.data.vectors import (
    ArraySource,
    Rewritten,
    VectorSource,
    Verified,
    open_source,
    rewrite,
    rollback,
    sampled,
    verify,
)
from holdfast.errors import InputError
from holdfast.systems.fct.estimator import EmbeddingMigrator
from holdfast.systems.fct.tool.quality import Prediction

SAMPLE = 2000  # rows that tell whether a store is like the pairs
ADVICE = "bring both to one scale (length 1, say), or fit to pairs of this store"


class UnlikePairs(UserWarning):
    """The rows of a store are unlike the pairs that the map was fitted to, or nobody can say."""


def apply(
    migrator: EmbeddingMigrator,
    source: VectorSource,
    out: str | Path,
    *,
    chunk: int | None = None,
    resume: bool = False,
    drop_bad: bool = False,
    unlike_pairs: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Rewritten:
    """Migrate all rows of a store to a new one. The source is only read, so going back is deleting the output.

    Before anything is written, a sample of the store is compared with the pairs of `fit`.

    Args:
        migrator: fitted.
        source, out, chunk, resume, drop_bad, progress: as in `holdfast.data.vectors.rewrite`.
        unlike_pairs: go on where the store is unlike the pairs, with a warning.

    Raises:
        InputError: sizes that differ from those of `fit`; a store unlike its pairs; as in `rewrite`.
        OSError: the disk is full, say. What is done stays done.

    Example:
        >>> import tempfile
        >>> from holdfast.systems.fct import ArraySource
        >>> old = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
        >>> migrator = EmbeddingMigrator("ridge").fit(old, old[:, :3])
        >>> done = apply(migrator, ArraySource(old), Path(tempfile.mkdtemp()) / "new.npy", chunk=20)
        >>> done.rows, done.chunks, np.load(done.out).shape
        (50, (3, 3), (50, 3))
    """
    migrator.check_fitted()
    check_store(migrator, source)
    rows, _ = sampled(source, SAMPLE)
    check_like(migrator, rows.vectors, rows.side, str(source.path), allowed=unlike_pairs)
    held_out = {name: list(values) for name, values in migrator.validation_.items()}
    return rewrite(
        source,
        out,
        migrator.transform,
        migrator.dims_[1],
        model=model_checksum(migrator),
        about={"held_out": held_out},
        chunk=chunk,
        resume=resume,
        drop_bad=drop_bad,
        progress=progress,
    )


def migrate_stream(migrator: EmbeddingMigrator, stream: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, np.ndarray]]:
    """Migrate whatever yields (ids, vectors) or (ids, vectors, side), such as a scroll through a vector database.

    Args:
        migrator: fitted.
        stream: batches; ids of any kind are given back as they came.

    Yields:
        (ids, migrated vectors (n, d_new) float32), batch by batch.

    Raises:
        InputError: a batch with other sizes than in `fit`, or with NaN or infinite rows; its number is said.

    Warns:
        UnlikePairs: the first batch is unlike the pairs of `fit`.

    Example:
        >>> old = np.random.default_rng(0).normal(size=(50, 4))
        >>> migrator = EmbeddingMigrator("ridge").fit(old, old[:, :3])
        >>> [(ids, x.shape) for ids, x in migrate_stream(migrator, [(["a", "b"], old[:2])])]
        [(['a', 'b'], (2, 3))]
    """
    for number, (ids, *arrays) in enumerate(stream):
        try:
            if not number and len(arrays[0]):
                check_like(migrator, arrays[0], *arrays[1:], allowed=True)
            moved = migrator.transform(*arrays)
        except InputError as error:
            raise InputError(f"batch {number}: {error.argument}", error.rule, error.received) from error
        yield ids, moved


@dataclass(frozen=True)
class Preview:
    """What a migration would do.

    Attributes:
        prediction: quality to expect, with intervals; without any where the rows are unlike the pairs.
        unlike: what tells the rows from the pairs, see `EmbeddingMigrator.unlike`.
        seconds: that all rows would take here, reading and writing aside.
        gigabytes: of the new vectors.
        bad: share of the sample with NaN or infinite values.
    """

    prediction: Prediction
    unlike: tuple[str, ...] | None
    seconds: float
    gigabytes: float
    bad: float


def preview(migrator: EmbeddingMigrator, source: VectorSource, sample: int = 10_000, seed: int = 0) -> Preview:
    """Migrate a sample of a store, write nothing, and say what to expect of the whole.

    Args:
        migrator: fitted.
        source: what would be migrated.
        sample: rows to look at, at most all.
        seed: of which.

    Raises:
        InputError: sizes that differ from those of `fit`; nothing but bad rows.
    """
    check_store(migrator, source)
    rows, bad = sampled(source, sample, seed)
    begun = time.perf_counter()
    migrator.transform(rows.vectors, rows.side)
    per_row = (time.perf_counter() - begun) / len(rows)
    prediction, unlike = migrator.predict_quality(rows.vectors, rows.side), migrator.unlike(rows.vectors, rows.side)
    if unlike:
        prediction = replace(prediction, qualities={})
    return Preview(prediction, unlike, per_row * source.rows, source.rows * migrator.dims_[1] * 4 / 1e9, bad)


def check_like(migrator: EmbeddingMigrator, old: Any, side: Any = None, name: str = "old", *, allowed: bool) -> None:
    """Refuse rows of a store that are unlike the pairs of `fit`; or only warn of them.

    Raises:
        InputError: rows that are unlike the pairs, unless that is allowed.

    Warns:
        UnlikePairs: such rows where they are allowed; a model that knows nothing of its pairs.
    """
    unlike = migrator.unlike(old, side)
    if unlike is None and not hasattr(migrator, "profiles_"):
        text = "the model is of an earlier version and cannot tell whether the store is like its pairs: fit it again"
        warnings.warn(text, UnlikePairs, stacklevel=3)
    elif unlike and not allowed:
        rule = f"must be like the pairs that the map was fitted to: {ADVICE}; unlike_pairs goes on all the same"
        raise InputError(name, rule, "; ".join(unlike))
    elif unlike:
        warnings.warn(f"the store is unlike the pairs: {'; '.join(unlike)}; {ADVICE}", UnlikePairs, stacklevel=3)


def check_store(migrator: EmbeddingMigrator, source: VectorSource) -> None:
    """Refuse a store whose vectors are not like those of `fit`.

    Raises:
        InputError: another number of dimensions; side information missing or not asked for.

    Warns:
        UserWarning: an index that compares otherwise than `fit` measured.
    """
    old, _, side = migrator.dims_
    if source.dim != old:
        raise InputError(str(source.path), f"must hold vectors of {old} dimensions, as in fit", source.dim)
    there = source.side_dim
    if there != side:
        rule = f"must come with side information of {side} dimensions, as in fit" if side else "must come without side"
        raise InputError(str(source.path), rule if side else f"{rule} information, as in fit", f"{there} dimensions")
    if source.metric not in ("", migrator.searched_by) and not migrator.unit:
        text = f"{source.path} compares by {source.metric}, and retrieval was measured by {migrator.searched_by}: "
        warnings.warn(f"{text}fit with --metric {source.metric} to know what it will find", stacklevel=3)


def model_checksum(migrator: EmbeddingMigrator) -> str:
    """Eight digits that change with the weights or what is done to their results."""
    crc = zlib.crc32(json.dumps([migrator.dims_, "l2" if migrator.unit else None]).encode())
    for name, tensor in sorted(migrator.map_.state_dict().items()):
        crc = zlib.crc32(tensor.cpu().numpy().tobytes(), zlib.crc32(name.encode(), crc))
    return f"{crc:08x}"


# With the stores it works on: the names that users of this system look for.
__all__ = ["ArraySource", "Preview", "Rewritten", "UnlikePairs", "Verified", "apply", "check_like", "check_store"]
__all__ += ["migrate_stream", "model_checksum", "open_source", "preview", "rollback", "verify"]
