"""Is what was computed for every row complete and undamaged; and how to go back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.data.vectors.job import Job, checksum, ids_checksum
from holdfast.data.vectors.sinks import written
from holdfast.data.vectors.stores import VectorSource
from holdfast.errors import HoldfastError, InputError

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Verified:
    """What was found.

    Attributes:
        rows: rows of the output that were read back and are what was computed.
        dropped: rows of the source that were left out on purpose.
        chunks: how many.
        problems: what is wrong, one sentence each; empty = the output is whole.
    """

    rows: int
    dropped: int
    chunks: int
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.problems


def verify(out: str | Path, source: VectorSource | None = None, *, progress: Progress | None = None) -> Verified:
    """Read a rewritten store back and compare it with its manifests: every row once, every number as it was computed.

    Args:
        out: written by `rewrite`.
        source: the store it was made from; then ids are compared with its own, too.
        progress: called with (chunks done, chunks).

    Raises:
        InputError: not an output of `rewrite`.
    """
    target = Path(out)
    job, sink = written(target)
    if missing := job.pending():
        chunks = f"chunk {missing[0]}" if len(missing) == 1 else f"{len(missing)} chunks, the first is {missing[0]},"
        return Verified(0, 0, job.count, (f"not finished: {chunks} of {job.count} missing; resume it",))
    if not job.is_finished:
        return Verified(0, 0, job.count, ("not finished: all chunks are there, the output is not; resume it",))
    manifests, rows = list(job.manifests()), 0
    problems = [
        f"chunk {m.chunk}: its manifest does not cover rows {job.bounds(m.chunk)}"
        for m in manifests
        if (m.start, m.stop) != job.bounds(m.chunk) or m.kept + len(m.dropped) != m.stop - m.start
    ]
    try:
        for m, (vectors, ids) in zip(manifests, sink.stored(job), strict=True):
            found = _compare(m.kept, m.crc32, m.ids_crc32, vectors, ids)
            if found is None:
                rows += m.kept
            else:
                problems.append(f"chunk {m.chunk} (rows {m.start} to {m.stop - 1}): {found}")
            if progress is not None:
                progress(m.chunk + 1, job.count)
    except (HoldfastError, OSError, ValueError) as error:
        problems.append(f"cannot be read: {error}")
    problems += sink.strays(job)
    if source is not None and not problems:
        problems += _against(source, job)
    return Verified(rows, sum(len(m.dropped) for m in manifests), job.count, tuple(problems))


def _compare(kept: int, crc: int, ids_crc: int, vectors: Any, ids: Any) -> str | None:
    if len(vectors) != kept:
        return f"{len(vectors)} rows where {kept} were written"
    if checksum(vectors) != crc:
        return "the vectors are not those that were written"
    if ids is not None and ids_checksum(ids) != ids_crc:
        return "the ids are not those that were written"
    return None


def _against(source: VectorSource, job: Job) -> list[str]:
    """Compare the ids of the source with those that were written, chunk by chunk."""
    if source.rows != job.rows:
        return [f"{source.path} has {source.rows} rows now, {job.rows} when it was read"]
    problems = []
    for m in job.manifests():
        ids = source.read(m.start, m.stop).ids
        kept = np.setdiff1d(np.arange(m.start, m.stop), m.dropped) - m.start
        if ids_checksum(ids[kept]) != m.ids_crc32:
            problems.append(f"chunk {m.chunk}: the ids of {source.path} are not those it was read with")
    return problems


def rollback(out: str | Path) -> list[Path]:
    """Remove a rewritten store, and its job, once it is certain that the store it was made from is still as it was.

    Returns:
        What was removed.

    Raises:
        InputError: not an output of `rewrite`; the source is gone or was changed since.
    """
    target = Path(out)
    job, sink = written(target)
    source = job.settings["source"]
    path = Path(source["path"])
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    size = sum(p.stat().st_size for p in files if p.is_file())
    if not path.exists() or size != source["bytes"]:
        rule = (
            f"must not be removed: the store it was made from, {path}, is gone or was changed; delete by hand if sure"
        )
        raise InputError(str(target), rule, f"{size} bytes there, {source['bytes']} when it was read")
    return sink.remove()


__all__ = ["Verified", "rollback", "verify"]
