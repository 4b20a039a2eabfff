"""Work on every row of a store as a job on disk: what is to be done, a manifest of every chunk done, claims in work.

A chunk counts as done once its manifest is there, and the manifest is written after its rows are safe on the disk. So
a job that was killed at any moment goes on where it was: no row is lost, and no finished chunk is done again. Chunks
are independent: any number of processes, on one machine or on several that share the folder, may work on one job.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import filelock

from holdfast.canonical import is_intact, sealed
from holdfast.errors import HoldfastError, InputError
from holdfast.fields import check_fields
from holdfast.files import UNFINISHED, read_json, write_json
from holdfast.validation import check_integer

FORMAT = 2  # since 2 with checksums of the source, and sealed
MOST_CHUNKS = 1_000_000  # their names have six digits, and readers go by the order of names
LARGEST = 2**48
OPENED = ("path", "column", "id_column", "side", "side_column")
JOB, DONE, DROPPED, FINISH, CHUNKS = "job.json", "done.json", "dropped.csv", "finish.lock", "chunks"
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
        source_crc32: of all that the source held of these rows when they were read, see `Chunk.checksums`.
        side_crc32: of the side information, likewise.
    """

    chunk: int
    start: int
    stop: int
    kept: int
    crc32: int
    ids_crc32: int
    source_crc32: int
    side_crc32: int
    dropped: list[int] = field(default_factory=list)
    dropped_ids: list[str] = field(default_factory=list)


class Job:
    """The folder beside an output that says what is being done and what is done.

    Args:
        folder: where it is kept.
        settings: what the job is; see IDENTITY for what must be the same to go on with it.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.folder, self.settings = folder, settings
        self.rows, self.chunk = settings["rows"], settings["chunk"]

    @classmethod
    def begin(cls, folder: Path, settings: dict[str, Any], out: Path, resume: bool) -> Job:
        """Start a job, or go on with the one that is there.

        Raises:
            InputError: there is an output or a job already and `resume` is not set; the job that is there is another,
                or damaged; more than a million chunks.
        """
        _check_settings(settings)
        lock = out.absolute().with_name(f".{out.name}.lock")
        try:
            with _locked(lock):
                if (folder / JOB).exists():
                    if not resume:
                        rule = "must be a new name: nothing is overwritten; resume goes on with what was begun there"
                        raise InputError(str(out), rule)
                    found = cls.open(folder, out)
                    found._check_same(settings, out)
                    return found
                if out.exists() and not _only_begun(out, folder):
                    raise InputError(str(out), "must be a new name: nothing is overwritten", "something that is there")
                (folder / CHUNKS).mkdir(parents=True, exist_ok=True)
                write_json(folder / JOB, sealed(settings))
        finally:
            lock.unlink(missing_ok=True)
        return cls(folder, settings)

    @classmethod
    def open(cls, folder: Path, out: Path) -> Job:
        """The job of an output.

        Raises:
            InputError: no job is there, one of an earlier version, or one that was changed.
        """
        file = folder / JOB
        if not file.is_file():
            raise InputError(str(out), "must have been written by a job that leaves manifests", f"no {file}")
        there = read_json(file)
        if isinstance(there, dict) and there.get("format") == 1:
            rule = (
                "must hold checksums of the store it was made from, and an earlier version kept none: compute it again "
                "under another name, or remove it by hand where you are sure of that store"
            )
            raise InputError(str(out), rule, "a job of format 1")
        if isinstance(there, dict) and there.get("format") != FORMAT:
            raise InputError(str(file), f"must be a job of format {FORMAT}; use the version that wrote it")
        settings = _unsealed(there, file)
        _check_settings(settings, f"{file}: ")
        return cls(folder, settings)

    def _check_same(self, mine: dict[str, Any], out: Path) -> None:
        for name in IDENTITY:
            if (there := self.settings.get(name)) != mine[name]:
                rule = f"must be resumed with the same {name} it was begun with, {there}; or choose another output"
                raise InputError(str(out), rule, mine[name])

    def is_untouched(self) -> bool:
        """Whether no row was written, and no other process is about to: then nothing is lost by forgetting the job."""
        for lock in (self.folder / CHUNKS).glob("*.lock"):
            try:
                with filelock.FileLock(lock, timeout=0, thread_local=False):
                    pass
            except filelock.Timeout:
                return False
        return not any(manifest.kept for manifest in self.recorded())

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
        write_json(self._manifest(manifest.chunk), sealed(asdict(manifest)))

    def manifest(self, number: int) -> Manifest:
        """What a chunk became.

        Raises:
            HoldfastError: its manifest is missing or damaged.
        """
        file = self._manifest(number)
        try:
            found = Manifest(**_unsealed(read_json(file), file))
            check_fields(found, f"{file}: ")
            whole = isinstance(found.dropped, list) and all(type(row) is int for row in found.dropped)
            named = isinstance(found.dropped_ids, list) and len(found.dropped_ids) == len(found.dropped)
            covered = (found.chunk, found.start, found.stop) == (number, *self.bounds(number))
            if not (whole and named and covered and found.kept + len(found.dropped) == found.stop - found.start):
                raise InputError(str(file), f"must cover rows {self.bounds(number)}")
        except (TypeError, InputError) as error:
            rule = "a manifest is missing or damaged; delete it and resume, and its chunk is done again"
            raise HoldfastError(f"{file}: {rule}") from error
        return found

    def recorded(self) -> Iterator[Manifest]:
        """The manifests that are there, in order."""
        missing = set(self.pending())
        return (self.manifest(number) for number in range(self.count) if number not in missing)

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
        with _locked(self.folder / FINISH):
            yield not self.is_finished

    def finish(self, result: dict[str, Any]) -> None:
        """Say that the output is complete. All chunks are done: locks of processes that were killed are of no use."""
        for lock in (self.folder / CHUNKS).glob("*.lock"):
            lock.unlink(missing_ok=True)
        write_json(self.folder / DONE, result)

    def forget(self) -> list[Path]:
        """Remove what the job itself has written in its folder, and the folder if nothing else is in it."""
        chunks = self.folder / CHUNKS
        for number in range(self.count):
            for path in (self._manifest(number), chunks / f"{number:06d}.lock"):
                path.unlink(missing_ok=True)
        for folder, names in ((chunks, ()), (self.folder, (DONE, DROPPED, FINISH, JOB))):
            for path in [*folder.glob(f"{UNFINISHED}*")] if folder.is_dir() else []:
                shutil.rmtree(path, ignore_errors=True)
            for name in names:
                (folder / name).unlink(missing_ok=True)
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        return [] if self.folder.exists() else [self.folder]


def _unsealed(content: Any, file: Path) -> dict[str, Any]:
    """What was sealed, without the seal."""
    try:
        intact = isinstance(content, dict) and is_intact(content)
    except (InputError, RecursionError):
        intact = False
    if not intact:
        raise InputError(str(file), "must be as it was written; restore it from a copy", "content that was changed")
    return {name: value for name, value in content.items() if name != "digest"}


def _check_settings(settings: dict[str, Any], where: str = "") -> None:
    """Seals keep out accidents; whoever means harm seals what he likes."""
    for name, low in (("rows", 1), ("chunk", 1), ("dim", 1), ("side", 0)):
        check_integer(settings.get(name), f"{where}{name}", low=low, high=LARGEST)
    count = -(-settings["rows"] // settings["chunk"])
    if count > MOST_CHUNKS:
        rule = f"must be so many rows that there are at most {MOST_CHUNKS:,} chunks"
        raise InputError(f"{where}chunk", rule, f"{settings['chunk']}, for {count:,} chunks")
    source = settings.get("source")
    opened = source.get("opened") if isinstance(source, dict) else None
    for name, value, known in (("columns", settings.get("columns"), None), ("source: opened", opened, OPENED)):
        texts = value if isinstance(value, dict) and all(isinstance(text, str) for text in value.values()) else None
        if texts is None or (known and not {"path"} <= texts.keys() <= set(known)):
            raise InputError(f"{where}{name}", "must be a mapping of names to texts", value)


def _only_begun(out: Path, folder: Path) -> bool:
    """Whether an output is an empty folder, or one in which a process was killed before it had noted its job."""
    if not out.is_dir() or any(path != folder for path in out.iterdir()):
        return False
    inside = folder.iterdir() if folder.is_dir() else ()
    return all(path.name == CHUNKS or path.name.startswith(UNFINISHED) for path in inside)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path, thread_local=False):
        yield


__all__ = ["Job", "Manifest"]
