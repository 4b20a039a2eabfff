"""Is what was computed for every row complete and undamaged; and how to go back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.data.vectors.checksums import checksum, ids_checksum
from holdfast.data.vectors.job import Job
from holdfast.data.vectors.sinks import written
from holdfast.data.vectors.stores import VectorSource, open_source
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
        source: the store it was made from; then it is read as well, and compared with what it held at that time.
        progress: called with (chunks done, chunks) of the output.

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
    problems: list[str] = []
    try:
        for m, (vectors, ids) in zip(manifests, sink.stored(job), strict=True):
            found = _compare(m.kept, m.crc32, m.ids_crc32, vectors, ids)
            if found is None:
                rows += m.kept
            else:
                problems.append(f"chunk {m.chunk} (rows {m.start} to {m.stop - 1}): {found}")
            if progress is not None:
                progress(m.chunk + 1, job.count)
        problems += sink.strays(job)
    except (HoldfastError, OSError, ValueError) as error:
        problems.append(f"cannot be read: {error}")
    if source is not None and (changed := difference(source, job)):
        problems.append(changed)
    return Verified(rows, sum(len(m.dropped) for m in manifests), job.count, tuple(problems))


def _compare(kept: int, crc: int, ids_crc: int, vectors: Any, ids: Any) -> str | None:
    if len(vectors) != kept:
        return f"{len(vectors)} rows where {kept} were written"
    if checksum(vectors) != crc:
        return "the vectors are not those that were written"
    if ids is not None and ids_checksum(ids) != ids_crc:
        return "the ids are not those that were written"
    return None


def difference(source: VectorSource, job: Job, progress: Progress | None = None) -> str:
    """In one sentence, how a store differs from what a job read; "" if it holds what every chunk done was made from.

    All of it is read and compared by checksum: vectors, ids, other columns; side information where it is opened with
    such.
    """
    if (source.rows, source.dim) != (job.rows, job.settings["source"].get("dim")):
        was = f"({job.rows}, {job.settings['source'].get('dim')})"
        return f"{source.path} has shape ({source.rows}, {source.dim}) now, {was} when it was read"
    differing = []
    for m in job.recorded():
        own, side = source.read(m.start, m.stop).checksums()
        if own != m.source_crc32 or (source.side_dim and side != m.side_crc32):
            differing.append(f"rows {m.start} to {m.stop - 1}")
        if progress is not None:
            progress(m.chunk + 1, job.count)
    if not differing:
        return ""
    among = f"{len(differing)} of {job.count} chunks, the first is {differing[0]}"
    return f"{source.path} holds other content than when it was read ({among})"


def rollback(out: str | Path, source: VectorSource | None = None, *, progress: Progress | None = None) -> list[Path]:
    """Remove a rewritten store, and its job, once it is certain that the store it was made from is still as it was.

    That store is read again, whole, and compared by checksum. Only files that the job has written are removed; where
    others are in the same folder, it stays with them.

    Args:
        out: written by `rewrite`, finished or not.
        source: the store it was made from; None = opened where it was.
        progress: called with (chunks compared, chunks).

    Returns:
        What was removed.

    Raises:
        InputError: not an output of `rewrite`; the source is gone or was changed since. Nothing was removed.
    """
    target = Path(out)
    job, sink = written(target)
    rule = "must not be removed: the store it was made from is gone or was changed; delete by hand if sure"
    try:
        changed = difference(source or open_source(**job.settings["source"]["opened"]), job, progress)
    except (HoldfastError, OSError, ValueError) as error:
        raise InputError(str(target), rule, str(error)) from error
    if changed:
        raise InputError(str(target), rule, changed)
    return sink.remove(job)


__all__ = ["Verified", "difference", "rollback", "verify"]
