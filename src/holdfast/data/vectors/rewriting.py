"""Compute a vector for every row of a store: in chunks, bounded in memory, resumable, by any number of processes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import holdfast
from holdfast.data.vectors.job import DROPPED, FORMAT, Job
from holdfast.data.vectors.sinks import ParquetSink, Sink, sink_for
from holdfast.data.vectors.stores import VectorSource, WithSide
from holdfast.data.vectors.worker import Function, Progress, Worker
from holdfast.errors import InputError
from holdfast.files import write_text
from holdfast.validation import check_integer

CHUNK_BYTES = 64 << 20  # of old and new vectors of a chunk; three chunks are in memory at a time


@dataclass(frozen=True)
class Rewritten:
    """What was done.

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


def rewrite(
    source: VectorSource,
    out: str | Path,
    function: Function,
    dim: int,
    *,
    model: str,
    about: Mapping[str, Any] | None = None,
    chunk: int | None = None,
    resume: bool = False,
    drop_bad: bool = False,
    progress: Progress | None = None,
) -> Rewritten:
    """Write a store with function(vectors) in the place of every row's vector. The source is only read.

    Killed at any moment, the same call with `resume` goes on; several processes may make that call at once and share
    the chunks between them. While one chunk is computed, the next is read and the last one written.

    Args:
        source: what to read, see `open_source`.
        out: the output; its suffix says what it is, see `sinks.sink_for`. A name that is not taken.
        function: from vectors (n, D), and side information (n, S) or None, to (n, dim) float32; of each row alone.
        dim: size of a new vector.
        model: changes with the function: a job is resumed with the one it was begun with.
        about: what else the job should say of itself, JSON.
        chunk: rows per chunk; None = so many that a chunk takes 64 MB, at most 100,000.
        resume: go on with a job that was begun with the same source, model and chunks.
        drop_bad: leave rows with NaN or infinite values out, and write their ids beside the output.
        progress: called with (rows done, rows).

    Raises:
        InputError: the output exists, or lies in the source; the job to resume is another; NaN or infinite rows without
            `drop_bad`.
        OSError: the disk is full, say. What is done stays done.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from holdfast.data.vectors import ArraySource
        >>> out = Path(tempfile.mkdtemp()) / "halves.npy"
        >>> done = rewrite(ArraySource(np.ones((50, 4))), out, lambda x, side: x[:, :2] / 2, 2, model="half", chunk=20)
        >>> done.rows, done.chunks, np.load(out).shape
        (50, (3, 3), (50, 2))
    """
    begun = time.perf_counter()
    target = Path(out)
    size = max(1, min(100_000, CHUNK_BYTES // (4 * (source.dim + dim + source.side_dim)))) if chunk is None else chunk
    check_integer(size, "chunk", low=1)
    if source.path.absolute() in target.absolute().parents:
        raise InputError(str(target), f"must not lie in {source.path}, which is only read")
    sink = sink_for(target, source, dim)
    settings = {
        "format": FORMAT,
        "holdfast": holdfast.__version__,
        "source": source.fingerprint(),
        "model": model,
        **(about or {}),
        "chunk": size,
        "rows": source.rows,
        "dim": dim,
        "side": source.side_dim,
        "columns": _columns(source, sink),
    }
    job = Job.begin(sink.folder, settings, target, resume)
    if job.is_finished and not target.exists():
        raise InputError(str(target), f"must be there: its job is finished; remove {job.folder} to compute it again")
    try:
        done = Worker(function, dim, source, sink, job, drop_bad).run(progress) if not job.is_finished else 0
        with job.finishing() as mine:
            if mine:
                _write_dropped(job)
                sink.finish(job)
                job.finish({"finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})
    except Exception:  # a job that was refused before it wrote a row would only be in the way of the mended call
        if job.is_untouched():
            sink.remove(job)
        raise
    manifests = list(job.manifests())
    kept, dropped = sum(m.kept for m in manifests), sum(len(m.dropped) for m in manifests)
    return Rewritten(target, kept, dropped, (done, job.count), time.perf_counter() - begun)


def _columns(source: VectorSource, sink: Sink) -> dict[str, str]:
    inner = source.stored if isinstance(source, WithSide) else source
    columns = {"vectors": sink.column} if isinstance(sink, ParquetSink) else {}
    if (ids := getattr(inner, "id_column", None)) is not None:
        columns["id"] = ids
    return columns


def _write_dropped(job: Job) -> None:
    """A table of the rows left out, if there are any."""
    rows = [pair for m in job.manifests() for pair in zip(m.dropped, m.dropped_ids, strict=True)]
    if rows:
        lines = "".join(f"{row},{_quoted(name)}\n" for row, name in rows)
        write_text(job.folder / DROPPED, f"row,id\n{lines}")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


__all__ = ["Rewritten", "rewrite"]
