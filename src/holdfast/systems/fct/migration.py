"""Run a migrator over a store: in chunks, with bounded memory, resumable, by any number of processes at once."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import holdfast
from holdfast.errors import InputError
from holdfast.files import write_text
from holdfast.systems.fct.dryrun import check_sizes
from holdfast.systems.fct.job import FORMAT, Job
from holdfast.systems.fct.migrator import EmbeddingMigrator
from holdfast.systems.fct.sinks import ParquetSink, Sink, sink_for
from holdfast.systems.fct.stores import Source, WithSide
from holdfast.systems.fct.worker import Progress, Worker
from holdfast.validation import check_integer

CHUNK_BYTES = 64 << 20  # of old and new vectors of a chunk; three chunks are in memory at a time


@dataclass(frozen=True)
class Applied:
    """What a migration did.

    Attributes:
        out: the output.
        rows: rows in it.
        dropped: rows that were left out.
        chunks: chunks done by this call, of all.
        seconds: that this call took.
    """

    out: Path
    rows: int
    dropped: int
    chunks: tuple[int, int]
    seconds: float


def apply(
    migrator: EmbeddingMigrator,
    source: Source,
    out: str | Path,
    *,
    chunk: int | None = None,
    resume: bool = False,
    drop_bad: bool = False,
    progress: Progress | None = None,
) -> Applied:
    """Migrate all rows of a store to a new one. The source is only read, so going back is deleting the output.

    Killed at any moment, the same call with `resume` goes on; several processes may make that call at once and share
    the chunks between them. While one chunk is computed, the next is read and the last one written.

    Args:
        migrator: fitted.
        source: what to migrate, see `open_source`.
        out: the output; its suffix says what it is, see `sinks.sink_for`. A name that is not taken.
        chunk: rows per chunk; None = so many that a chunk takes 64 MB, at most 100,000.
        resume: go on with a job that was begun with the same source, migrator and chunks.
        drop_bad: leave rows with NaN or infinite values out, and write their ids beside the output.
        progress: called with (rows done, rows).

    Raises:
        InputError: the output exists, or lies in the source; the job to resume is another; sizes differ from those of
            `fit`; NaN or infinite rows without `drop_bad`.
        OSError: the disk is full, say. What is done stays done.

    Example:
        >>> import tempfile
        >>> from holdfast.systems.fct.stores import ArraySource
        >>> old = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
        >>> migrator = EmbeddingMigrator("ridge").fit(old, old[:, :3])
        >>> done = apply(migrator, ArraySource(old), Path(tempfile.mkdtemp()) / "new.npy", chunk=20)
        >>> done.rows, done.chunks, np.load(done.out).shape
        (50, (3, 3), (50, 3))
    """
    begun = time.perf_counter()
    migrator.check_fitted()
    check_sizes(migrator, source)
    target = Path(out)
    old, new, side = migrator.dims_
    size = max(1, min(100_000, CHUNK_BYTES // (4 * (old + new + side)))) if chunk is None else chunk
    check_integer(size, "chunk", low=1)
    if source.path.absolute() in target.absolute().parents:
        raise InputError(str(target), f"must not lie in {source.path}, which is only read")
    sink = sink_for(target, source, new)
    settings = _settings(migrator, source, sink, size)
    job = Job.begin(sink.folder, settings, target, resume)
    worker = Worker(migrator, source, sink, job, drop_bad)
    done = worker.run(progress) if not job.is_finished else 0
    with job.finishing() as mine:
        if mine:
            _write_dropped(job)
            result = sink.finish(job)
            job.finish({**result, "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})
    manifests = list(job.manifests())
    kept, dropped = sum(m.kept for m in manifests), sum(len(m.dropped) for m in manifests)
    return Applied(target, kept, dropped, (done, job.count), time.perf_counter() - begun)


def migrate_stream(migrator: EmbeddingMigrator, stream: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, np.ndarray]]:
    """Migrate whatever yields (ids, vectors) or (ids, vectors, side), such as a scroll through a vector database.

    Args:
        migrator: fitted.
        stream: batches; ids of any kind are given back as they came.

    Yields:
        (ids, migrated vectors (n, d_new) float32), batch by batch.

    Raises:
        InputError: a batch with other sizes than in `fit`, or with NaN or infinite rows; its number is said.

    Example:
        >>> old = np.random.default_rng(0).normal(size=(50, 4))
        >>> migrator = EmbeddingMigrator("ridge").fit(old, old[:, :3])
        >>> [(ids, x.shape) for ids, x in migrate_stream(migrator, [(["a", "b"], old[:2])])]
        [(['a', 'b'], (2, 3))]
    """
    for number, (ids, *arrays) in enumerate(stream):
        try:
            moved = migrator.transform(*arrays)
        except InputError as error:
            raise InputError(f"batch {number}: {error.argument}", error.rule, error.received) from error
        yield ids, moved


# ------------------------------------------------------------------------------------------------------------- settings
def model_checksum(migrator: EmbeddingMigrator) -> str:
    """Eight digits that change with the weights or what is done to their results."""
    crc = zlib.crc32(json.dumps([migrator.dims_, migrator.normalize]).encode())
    for name, tensor in sorted(migrator.map_.state_dict().items()):
        crc = zlib.crc32(tensor.cpu().numpy().tobytes(), zlib.crc32(name.encode(), crc))
    return f"{crc:08x}"


def _settings(migrator: EmbeddingMigrator, source: Source, sink: Sink, chunk: int) -> dict[str, Any]:
    inner = source.stored if isinstance(source, WithSide) else source
    columns = {"vectors": sink.column} if isinstance(sink, ParquetSink) else {}
    if (ids := getattr(inner, "id_column", None)) is not None:
        columns["id"] = ids
    return {
        "format": FORMAT,
        "holdfast": holdfast.__version__,
        "source": source.fingerprint(),
        "model": model_checksum(migrator),
        "held_out": {name: list(values) for name, values in migrator.validation_.items()},
        "chunk": chunk,
        "rows": source.rows,
        "dim": migrator.dims_[1],
        "side": migrator.dims_[2],
        "columns": columns,
    }


def _write_dropped(job: Job) -> None:
    """A table of the rows left out, if there are any."""
    rows = [pair for m in job.manifests() for pair in zip(m.dropped, m.dropped_ids, strict=True)]
    if rows:
        lines = "".join(f"{row},{_quoted(name)}\n" for row, name in rows)
        write_text(job.folder / "dropped.csv", f"row,id\n{lines}")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


__all__ = ["Applied", "apply", "migrate_stream", "model_checksum"]
