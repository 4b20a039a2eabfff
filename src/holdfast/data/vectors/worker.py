"""Doing the chunks of a job: read ahead, compute, write behind, and leave to others what they have claimed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import filelock
import numpy as np

from holdfast.data.vectors.checksums import checksum, ids_checksum
from holdfast.data.vectors.job import Job, Manifest
from holdfast.data.vectors.sinks import Sink
from holdfast.data.vectors.stores import Chunk, VectorSource
from holdfast.errors import InputError

Progress = Callable[[int, int], None]
_Read = tuple[Chunk, tuple[int, int]]  # with its checksums
Function = Callable[[np.ndarray, np.ndarray | None], np.ndarray]  # (n, D), (n, S) or None -> (n, dim) float32
RULE = "must be finite in float32; with resume and drop-bad it goes on and leaves such rows out"


class Worker:
    """Does the chunks of a job that nobody else does. A cluster engine may call `chunk(number)` for each of them.

    Args:
        function: from the vectors of some rows, and what is kept beside them, to new ones.
        dim: size of a new vector.
        source, sink: where rows come from and go to.
        job: which chunks there are.
        drop_bad: leave rows out that are not finite.
    """

    def __init__(
        self, function: Function, dim: int, source: VectorSource, sink: Sink, job: Job, drop_bad: bool = False
    ) -> None:
        self.function, self.dim, self.source, self.sink = function, dim, source, sink
        self.job, self.drop_bad = job, drop_bad
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
            self._write(number, self._computed(self._read(number)), held)
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
                    made = self._computed(read.result())
                    if written is not None:
                        written.result()
                    written = writing.submit(self._write, number, made, held)
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
    ) -> tuple[int, Future[_Read]] | None:
        """Claim the next chunk and begin to read it."""
        claimed = next(claims, None)
        if claimed is None:
            return None
        held[claimed[0]] = claimed[1]
        return claimed[0], reading.submit(self._read, claimed[0])

    def _read(self, number: int) -> _Read:
        chunk = self.source.read(*self.job.bounds(number))
        return chunk, chunk.checksums()

    def _computed(self, read: _Read) -> _Computed:
        chunk, checksums = read
        bad = chunk.bad()
        if len(bad) and not self.drop_bad:
            first = f"the first is row {chunk.start + int(bad[0])} (id {chunk.ids[bad[0]]})"
            among = f"rows {chunk.start} to {chunk.start + len(chunk) - 1}"
            received = f"{len(bad)} rows with NaN or infinity among {among}, {first}"
            raise InputError(str(self.source.path), RULE, received)
        kept = chunk.take(np.setdiff1d(np.arange(len(chunk)), bad)) if len(bad) else chunk
        made = self.function(kept.vectors, kept.side) if len(kept) else np.zeros((0, self.dim), np.float32)
        if made.shape != (len(kept), self.dim):  # it would be written over other rows
            raise InputError("function", f"must give shape ({len(kept)}, {self.dim})", f"shape {made.shape}")
        return _Computed(kept, made, checksums, bad + chunk.start, [str(i) for i in chunk.ids[bad].tolist()])

    def _write(self, number: int, made: _Computed, held: dict[int, filelock.BaseFileLock]) -> None:
        """Rows first, the manifest after them, and only then is the chunk given back."""
        self.sink.write(number, made.chunk, made.vectors)
        start, stop = self.job.bounds(number)
        crcs = checksum(made.vectors), ids_checksum(made.chunk.ids), *made.checksums
        dropped = made.dropped.tolist()
        self.job.record(Manifest(number, start, stop, len(made.chunk), *crcs, dropped, made.dropped_ids))
        self.job.release(number, held.pop(number))

    def _show(self, progress: Progress | None) -> None:
        if progress is not None:
            progress(min((self.job.count - len(self.job.pending())) * self.job.chunk, self.job.rows), self.job.rows)


@dataclass(frozen=True)
class _Computed:
    """A chunk on its way to the disk."""

    chunk: Chunk  # without the rows left out
    vectors: np.ndarray
    checksums: tuple[int, int]  # of the chunk as it was read
    dropped: np.ndarray  # row numbers
    dropped_ids: list[str]


__all__ = ["Worker"]
