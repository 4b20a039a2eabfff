"""Work on every row of a store as a job on disk: what is to be done, a manifest of every chunk done, claims in work.

A chunk counts as done once its manifest is there, and the manifest is written after its rows are safe on the disk. So
a job that was killed at any moment goes on where it was: no row is lost, and no finished chunk is done again. Chunks
are independent: any number of processes, on one machine or on several that share the folder, may work on one job.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from holdfast.errors import HoldfastError, InputError
from holdfast.files import read_json, write_json

FORMAT = 1
JOB, DONE, CHUNKS = "job.json", "done.json", "chunks"
IDENTITY = ("format", "source", "model", "chunk", "rows", "dim", "side", "columns")


@dataclass(frozen=True)
class Manifest:
    """What a chunk became.

    Attributes:
        chunk: its number.
        start, stop: rows of the source.
        kept: rows written.
        dropped: numbers of rows left out because they were not finite.
        crc32: of the computed vectors' bytes (float32, row after row).
        ids_crc32: of the ids.
    """

    chunk: int
    start: int
    stop: int
    kept: int
    crc32: int
    ids_crc32: int
    dropped: list[int] = field(default_factory=list)
    dropped_ids: list[str] = field(default_factory=list)


def checksum(vectors: np.ndarray) -> int:
    """CRC-32 of a matrix's bytes as float32, row after row.

    Example:
        >>> checksum(np.zeros((2, 2))) == checksum(np.zeros((4, 1), np.float32))
        True
    """
    return zlib.crc32(np.ascontiguousarray(vectors, np.float32).data)


def ids_checksum(ids: np.ndarray) -> int:
    """CRC-32 of ids of any kind, in order; the same for equal numbers of any width."""
    if ids.dtype.kind in "iu":
        return zlib.crc32(np.ascontiguousarray(ids, np.int64).data)
    return zlib.crc32("\0".join(map(str, ids.tolist())).encode())


class Job:
    """The folder beside an output that says what is being done and what is done.

    Args:
        folder: where it is kept.
        settings: what the job is; see IDENTITY for what must be the same to go on with it.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.folder, self.settings = folder, settings
        self.rows, self.chunk = int(settings["rows"]), int(settings["chunk"])

    @classmethod
    def begin(cls, folder: Path, settings: dict[str, Any], out: Path, resume: bool) -> Job:
        """Start a job, or go on with the one that is there.

        Raises:
            InputError: there is an output or a job already and `resume` is not set; the job that is there is another.
        """
        lock = out.absolute().with_name(f".{out.name}.lock")
        with _locked(lock):
            if (folder / JOB).exists():
                if not resume:
                    rule = "must be a new name: nothing is overwritten; resume goes on with what was begun there"
                    raise InputError(str(out), rule)
                cls._check_same(read_json(folder / JOB), settings, out)
                return cls(folder, settings)
            if out.exists() and not (out.is_dir() and not any(out.iterdir())):
                raise InputError(str(out), "must be a new name: nothing is overwritten", "something that is there")
            (folder / CHUNKS).mkdir(parents=True, exist_ok=True)
            write_json(folder / JOB, settings)
        lock.unlink(missing_ok=True)
        return cls(folder, settings)

    @classmethod
    def open(cls, folder: Path, out: Path) -> Job:
        """The job of an output.

        Raises:
            InputError: no job is there.
        """
        if not (folder / JOB).is_file():
            raise InputError(str(out), "must have been written by a job that leaves manifests", f"no {folder / JOB}")
        settings = read_json(folder / JOB)
        if not isinstance(settings, dict) or settings.get("format") != FORMAT:
            raise InputError(str(folder / JOB), f"must be a job of format {FORMAT}; use the version that wrote it")
        return cls(folder, settings)

    @staticmethod
    def _check_same(there: Any, mine: dict[str, Any], out: Path) -> None:
        for name in IDENTITY:
            if not isinstance(there, dict) or there.get(name) != mine[name]:
                other = there.get(name) if isinstance(there, dict) else there
                rule = f"must be resumed with the same {name} it was begun with, {other}; or choose another output"
                raise InputError(str(out), rule, mine[name])

    # ----------------------------------------------------------------------------------------------------------- chunks
    @property
    def count(self) -> int:
        """How many chunks there are."""
        return -(-self.rows // self.chunk)

    def bounds(self, number: int) -> tuple[int, int]:
        """First row of a chunk, and the one after its last."""
        return number * self.chunk, min((number + 1) * self.chunk, self.rows)

    def is_done(self, number: int) -> bool:
        return self._manifest(number).is_file()

    def pending(self) -> list[int]:
        """Numbers of the chunks that are not done; some may be in work elsewhere."""
        done = {path.stem for path in (self.folder / CHUNKS).glob("*.json")}
        return [number for number in range(self.count) if f"{number:06d}" not in done]

    def claim(self, number: int) -> filelock.BaseFileLock | None:
        """The right to do a chunk, for this process alone; None if it is done or another process has it.

        The system gives the right back when its holder dies, however it dies.
        """
        if self.is_done(number):
            return None
        lock = filelock.FileLock(self.folder / CHUNKS / f"{number:06d}.lock", timeout=0, thread_local=False)
        try:
            lock.acquire()
        except filelock.Timeout:
            return None
        if self.is_done(number):  # by whoever had it until now
            self.release(number, lock)
            return None
        return lock

    def release(self, number: int, lock: filelock.BaseFileLock) -> None:
        """Give the right back."""
        if self.is_done(number):  # before letting go: whoever gets the lock of a removed file looks for the manifest
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()

    def record(self, manifest: Manifest) -> None:
        """Say that a chunk is done. Its rows must be on the disk."""
        write_json(self._manifest(manifest.chunk), asdict(manifest))

    def manifest(self, number: int) -> Manifest:
        """What a chunk became.

        Raises:
            HoldfastError: its manifest is missing or damaged.
        """
        try:
            return Manifest(**read_json(self._manifest(number)))
        except (TypeError, InputError) as error:
            rule = "a manifest is missing or damaged; delete it and resume, and its chunk is done again"
            raise HoldfastError(f"{self._manifest(number)}: {rule}") from error

    def manifests(self) -> Iterator[Manifest]:
        """Those of all chunks, in order."""
        return (self.manifest(number) for number in range(self.count))

    def _manifest(self, number: int) -> Path:
        return self.folder / CHUNKS / f"{number:06d}.json"

    # -------------------------------------------------------------------------------------------------------- finishing
    @property
    def is_finished(self) -> bool:
        return (self.folder / DONE).is_file()

    @contextmanager
    def finishing(self) -> Iterator[bool]:
        """Whether the caller is to finish the job: true for one process alone, the others wait for it."""
        with _locked(self.folder / "finish.lock"):
            yield not self.is_finished

    def finish(self, result: dict[str, Any]) -> None:
        """Say that the output is complete."""
        write_json(self.folder / DONE, result)

    def result(self) -> dict[str, Any]:
        """What `finish` was told."""
        return dict(read_json(self.folder / DONE))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path, thread_local=False):
        yield


__all__ = ["Job", "Manifest", "checksum", "ids_checksum"]
