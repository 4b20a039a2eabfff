"""Doing the chunks of a migration: read ahead, compute, write behind, and leave to others what they have claimed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import filelock
import numpy as np

from holdfast.errors import InputError
from holdfast.systems.fct.job import Job, Manifest, checksum, ids_checksum
from holdfast.systems.fct.migrator import EmbeddingMigrator
from holdfast.systems.fct.sinks import Sink
from holdfast.systems.fct.stores import Chunk, Source

Progress = Callable[[int, int], None]


RULE = "must be finite in float32; with --resume --drop-bad it goes on and leaves such rows out"


class Worker:
    """Does the chunks of a job that nobody else does. A cluster engine may call `chunk(number)` for each of them.

    Args:
        migrator: fitted.
        source, sink: where rows come from and go to.
        job: which chunks there are.
        drop_bad: leave rows out that are not finite.
    """

    def __init__(self, migrator: EmbeddingMigrator, source: Source, sink: Sink, job: Job, drop_bad: bool) -> None:
        self.migrator, self.source, self.sink, self.job, self.drop_bad = migrator, source, sink, job, drop_bad
        sink.prepare(job)

    def run(self, progress: Progress | None = None) -> int:
        """Do chunks until none is left, waiting for those of other processes; how many this one did."""
        mine = 0
        while pending := self.job.pending():
            done = self._pass(pending, progress)
            mine += done
            if not done and self.job.pending():
                time.sleep(0.2)  # others have the rest; should one of them die, its chunk is free
                self._show(progress)
        self._show(progress)
        return mine

    def chunk(self, number: int) -> bool:
        """Do one chunk; whether it was this call that did it."""
        lock = self.job.claim(number)
        if lock is None:
            return False
        held = {number: lock}
        try:
            self._write(number, self._moved(self._read(number)), held)
        finally:
            for left in held.values():
                self.job.release(number, left)
        return True

    def _pass(self, pending: list[int], progress: Progress | None) -> int:
        """Go through chunks once: while one is computed, the next is read and the last one written."""
        done = 0
        claims = self._claims(pending)
        held: dict[int, filelock.BaseFileLock] = {}
        with ThreadPoolExecutor(1) as reading, ThreadPoolExecutor(1) as writing:
            written: Future[None] | None = None
            try:
                ahead = self._ahead(claims, held, reading)
                while ahead is not None:
                    number, read = ahead
                    ahead = self._ahead(claims, held, reading)
                    moved = self._moved(read.result())
                    if written is not None:
                        written.result()
                    written = writing.submit(self._write, number, moved, held)
                    done += 1
                    self._show(progress)
                if written is not None:
                    written.result()
            finally:
                writing.shutdown()
                reading.shutdown(cancel_futures=True)
                for number, lock in list(held.items()):
                    self.job.release(number, lock)
        return done

    def _claims(self, pending: list[int]) -> Iterator[tuple[int, filelock.BaseFileLock]]:
        for number in pending:
            if (lock := self.job.claim(number)) is not None:
                yield number, lock

    def _ahead(
        self,
        claims: Iterator[tuple[int, filelock.BaseFileLock]],
        held: dict[int, filelock.BaseFileLock],
        reading: ThreadPoolExecutor,
    ) -> tuple[int, Future[Chunk]] | None:
        """Claim the next chunk and begin to read it."""
        claimed = next(claims, None)
        if claimed is None:
            return None
        held[claimed[0]] = claimed[1]
        return claimed[0], reading.submit(self._read, claimed[0])

    def _read(self, number: int) -> Chunk:
        return self.source.read(*self.job.bounds(number))

    def _moved(self, chunk: Chunk) -> _Moved:
        bad = chunk.bad()
        if not len(bad):
            return _Moved(chunk, self.migrator.transform(chunk.vectors, chunk.side), bad, [])
        if not self.drop_bad:
            first = f"the first is row {chunk.start + int(bad[0])} (id {chunk.ids[bad[0]]})"
            among = f"rows {chunk.start} to {chunk.start + len(chunk) - 1}"
            received = f"{len(bad)} rows with NaN or infinity among {among}, {first}"
            raise InputError(str(self.source.path), RULE, received)
        kept = chunk.take(np.setdiff1d(np.arange(len(chunk)), bad))
        moved = np.zeros((0, self.migrator.dims_[1]), np.float32)
        if len(kept):
            moved = self.migrator.transform(kept.vectors, kept.side)
        return _Moved(kept, moved, bad + chunk.start, [str(i) for i in chunk.ids[bad].tolist()])

    def _write(self, number: int, moved: _Moved, held: dict[int, filelock.BaseFileLock]) -> None:
        """Rows first, the manifest after them, and only then is the chunk given back."""
        self.sink.write(number, moved.chunk, moved.vectors)
        start, stop = self.job.bounds(number)
        crc, ids = checksum(moved.vectors), ids_checksum(moved.chunk.ids)
        dropped = moved.dropped.tolist()
        self.job.record(Manifest(number, start, stop, len(moved.chunk), crc, ids, dropped, moved.dropped_ids))
        self.job.release(number, held.pop(number))

    def _show(self, progress: Progress | None) -> None:
        if progress is not None:
            progress(min((self.job.count - len(self.job.pending())) * self.job.chunk, self.job.rows), self.job.rows)


@dataclass(frozen=True)
class _Moved:
    """A chunk on its way to the disk."""

    chunk: Chunk  # without the rows left out
    vectors: np.ndarray
    dropped: np.ndarray  # row numbers
    dropped_ids: list[str]


__all__ = ["Worker"]
