"""Where computed vectors go: a folder of parquet files, an npy file, a FAISS index. Chunks arrive in any order."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.data.vectors.job import JOB, Job
from holdfast.data.vectors.stores import INDEX, PARQUET, Chunk, NpySource, VectorSource, WithSide
from holdfast.errors import HoldfastError, InputError
from holdfast.files import beside, clear_up, replacing

PIECE = 65536  # rows copied at a time


class Sink(ABC):
    """An output in the making.

    Attributes:
        out: the path it will have.
        folder: of the job.
    """

    out: Path
    folder: Path

    @abstractmethod
    def prepare(self, job: Job) -> None:
        """Make room. Called by every process, before its first chunk."""

    @abstractmethod
    def write(self, number: int, chunk: Chunk, made: np.ndarray) -> None:
        """Write a chunk's rows; on return they are on the disk. Writing one again replaces it."""

    @abstractmethod
    def finish(self, job: Job) -> None:
        """Make the output of all chunks."""

    @abstractmethod
    def stored(self, job: Job) -> Iterator[tuple[np.ndarray | None, np.ndarray | None]]:
        """(vectors, ids) of each chunk, in order, read back from the output; None where it cannot tell."""

    def strays(self, job: Job) -> list[str]:
        """What is wrong with a finished output that its chunks cannot tell, one sentence each."""
        return []

    @abstractmethod
    def parts(self, job: Job) -> list[Path]:
        """The files that the sink has written for the job, or may have."""

    def remove(self, job: Job) -> list[Path]:
        """Remove the output and its job; what was removed, a file at a time. The job goes last: it can be repeated."""
        removed = [path for path in self.parts(job) if path.is_file() or path.is_symlink()]
        for path in removed:
            path.unlink()
        removed += job.forget()
        clear_up(self.out if self.out.is_dir() else self.out.parent)
        if self.out.is_dir() and not any(self.out.iterdir()):
            self.out.rmdir()
            removed = [self.out]
        return removed


class ParquetSink(Sink):
    """A folder with one parquet file per chunk, as pandas, DuckDB, Spark and Arrow read it; the job is in it."""

    def __init__(self, out: Path, column: str, dim: int) -> None:
        self.out, self.folder, self.column, self.dim = out, out / "_holdfast", column, dim

    def part(self, number: int) -> Path:
        """The file of a chunk."""
        return self.out / f"part-{number:06d}.parquet"

    def prepare(self, job: Job) -> None:
        self.out.mkdir(parents=True, exist_ok=True)

    def write(self, number: int, chunk: Chunk, made: np.ndarray) -> None:
        import pyarrow.parquet as pq

        from holdfast.data.vectors.parquet import with_vectors

        table = with_vectors(chunk.others, self.column, made)
        with replacing(self.part(number)) as temporary:
            # Embeddings do not repeat: dictionaries and compression would cost time and save nothing.
            texts = [name for name in table.column_names if name != self.column]
            packed = dict.fromkeys(texts, "snappy")
            pq.write_table(
                table,
                temporary,
                use_dictionary=texts,
                compression={f"{self.column}.list.element": "none", **packed},
                write_statistics=texts,
            )

    def finish(self, job: Job) -> None:
        """Its parts are the output."""

    def stored(self, job: Job) -> Iterator[tuple[np.ndarray | None, np.ndarray | None]]:
        from holdfast.data.vectors.parquet import ParquetSource

        id_column = job.settings["columns"].get("id")
        for manifest in job.manifests():
            if not manifest.kept:
                yield np.zeros((0, self.dim), np.float32), np.zeros(0, np.int64)
                continue
            source = ParquetSource(self.part(manifest.chunk), self.column, id_column)
            chunk = source.read(0, source.rows)
            yield chunk.vectors, chunk.ids if id_column else None

    def strays(self, job: Job) -> list[str]:
        mine = {self.part(number) for number in range(job.count)}
        strange = sorted(p.name for p in self.out.iterdir() if p.suffix.lower() in PARQUET and p not in mine)
        return [f"{len(strange)} files that no chunk wrote, such as {strange[0]}"] if strange else []

    def parts(self, job: Job) -> list[Path]:
        return [self.part(number) for number in range(job.count)]


class NpySink(Sink):
    """One npy file, (rows, dim) float32. Where rows are left out, `<out>.rows.npy` says which are there."""

    def __init__(self, out: Path, dim: int) -> None:
        self.out, self.folder, self.dim = out, beside(out, ".holdfast"), dim
        self.data, self.compact = self.folder / "data.npy", self.folder / "compact.npy"
        self.numbers = beside(out, ".rows.npy")

    def prepare(self, job: Job) -> None:
        with job.finishing():
            if not self.data.exists() and not self.out.exists():
                with replacing(self.data) as temporary:
                    np.lib.format.open_memmap(temporary, "w+", np.float32, (job.rows, self.dim)).flush()
        if self.data.exists():
            self._offset = int(np.load(self.data, mmap_mode="r", allow_pickle=False).offset)

    def write(self, number: int, chunk: Chunk, made: np.ndarray) -> None:
        # Written, not mapped: mapped pages would count as memory of this process.
        with self.data.open("r+b") as file:
            file.seek(self._offset + chunk.start * self.dim * 4)
            file.write(np.ascontiguousarray(made, np.float32).data)
            file.flush()
            os.fsync(file.fileno())

    def finish(self, job: Job) -> None:
        # Killed at any point in here, it can be done again: the data go last; without them the output is whole.
        dropped = sum(len(m.dropped) for m in job.manifests())
        if self.data.exists() and not dropped:
            os.replace(self.data, self.out)
        elif self.data.exists():
            os.replace(self._compact(job, job.rows - dropped), self.out)
            self.data.unlink()

    def _compact(self, job: Job, rows: int) -> Path:
        """The file without the gaps of rows left out: each chunk's kept rows lie at the front of its place."""
        if not rows:
            raise InputError(str(self.out), "must get at least one row; all are NaN or infinite", 0)
        whole, kept = NpySource(self.data), []
        with replacing(self.compact) as temporary:
            made = np.lib.format.open_memmap(temporary, "w+", np.float32, (rows, self.dim))
            done = 0
            for m in job.manifests():
                made[done : done + m.kept] = whole.vectors(m.start, m.start + m.kept)
                done += m.kept
                kept.append(np.setdiff1d(np.arange(m.start, m.stop), m.dropped))
            made.flush()
        with replacing(self.numbers) as temporary, temporary.open("wb") as file:
            np.save(file, np.concatenate(kept))
        return self.compact

    def stored(self, job: Job) -> Iterator[tuple[np.ndarray | None, np.ndarray | None]]:
        source, start = NpySource(self.out if self.out.exists() else self.data), 0
        compact = job.is_finished
        for m in job.manifests():
            first = start if compact else m.start
            yield (source.vectors(first, first + m.kept) if m.kept else np.zeros((0, self.dim), np.float32)), None
            start += m.kept

    def strays(self, job: Job) -> list[str]:
        shape = NpySource(self.out).rows, NpySource(self.out).dim
        wanted = sum(m.kept for m in job.manifests()), self.dim
        return [] if shape == wanted else [f"its shape is {shape} where {wanted} was written"]

    def parts(self, job: Job) -> list[Path]:
        dropped = any(m.dropped for m in job.recorded())
        return [self.out, *([self.numbers] if dropped else []), self.data, self.compact]


class FaissSink(NpySink):
    """A FAISS index of the source's kind, made of all vectors once they are there."""

    def __init__(self, out: Path, dim: int, source: Any) -> None:
        super().__init__(out, dim)
        self._source = source

    def finish(self, job: Job) -> None:
        import faiss

        from holdfast.retrieval.faiss_index import TRAINING, filled_like

        data = NpySource(self.data)
        kept = sum(m.kept for m in job.manifests())
        if not kept:
            raise InputError(str(self.out), "must get at least one row; all are NaN or infinite", 0)

        def rows() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for m in job.manifests():
                left = np.setdiff1d(np.arange(m.start, m.stop), m.dropped) - m.start
                for first in range(0, m.kept, PIECE):
                    last = min(first + PIECE, m.kept)
                    ids = self._source.ids[m.start + left[first:last]]
                    yield ids, data.vectors(m.start + first, m.start + last)

        try:
            made = filled_like(self._source.index, rows(), self._sample(job, data, TRAINING), self.dim)
        except RuntimeError as error:  # fewer vectors than an inverted file has lists, say
            rule = "cannot be made as an index of the source's kind; its vectors stay in"
            raise HoldfastError(f"{self.out}: {rule} {self.data}: {error}") from error
        with replacing(self.out) as temporary:
            faiss.write_index(made, str(temporary))

    @staticmethod
    def _sample(job: Job, data: NpySource, most: int) -> np.ndarray:
        """Vectors from all over the store, about `most`."""
        share = min(1.0, most / job.rows)
        parts = [data.vectors(m.start, m.start + max(1, int(m.kept * share))) for m in job.manifests() if m.kept]
        return np.concatenate(parts)

    def stored(self, job: Job) -> Iterator[tuple[np.ndarray | None, np.ndarray | None]]:
        """The vectors from before they went into the index, which may be quantised."""
        source = NpySource(self.data)
        for m in job.manifests():
            yield (source.vectors(m.start, m.start + m.kept) if m.kept else np.zeros((0, self.dim), np.float32)), None

    def parts(self, job: Job) -> list[Path]:
        return [self.out, self.data]

    def strays(self, job: Job) -> list[str]:
        from holdfast.data.vectors.faiss_files import FaissSource

        wanted = sum(m.kept for m in job.manifests())
        try:
            there = FaissSource(self.out).rows
        except InputError as error:
            return [str(error)]
        return [] if there == wanted else [f"the index holds {there} vectors where {wanted} were put in"]


def sink_for(out: Path, source: VectorSource, dim: int, column: str | None = None) -> Sink:
    """The output that goes with a path: .npy, .parquet (a folder), .index or .faiss; of the source's kind.

    Raises:
        InputError: an unknown suffix; an index whose source is none.
    """
    inner = source.stored if isinstance(source, WithSide) else source
    suffix = out.suffix.lower()
    if suffix in PARQUET:
        return ParquetSink(out, column or str(getattr(inner, "column", "embedding")), dim)
    if suffix == ".npy":
        return NpySink(out, dim)
    if suffix in INDEX:
        from holdfast.retrieval.faiss_index import like

        if not hasattr(inner, "index"):
            raise InputError(str(out), "must not be an index where the source is none: FAISS would not know its kind")
        like(inner.index, dim)  # now, not after hours
        return FaissSink(out, dim, inner)
    raise InputError(str(out), f"must end in .npy, {', '.join((*PARQUET, *INDEX))}", suffix or "no suffix")


def job_folder(out: Path) -> Path:
    """Where the job of an output is kept, or would be: inside a folder that has it, else beside the output."""
    inside = out / "_holdfast"
    return inside if (inside / JOB).is_file() else beside(out, ".holdfast")


def written(out: Path) -> tuple[Job, Sink]:
    """The job of an output, and the output.

    Raises:
        InputError: no job wrote it.
    """
    job = Job.open(job_folder(out), out)
    dim, column = job.settings["dim"], job.settings["columns"].get("vectors")
    if job.folder.parent != out:
        return job, NpySink(out, dim) if out.suffix.lower() == ".npy" else FaissSink(out, dim, None)
    if column is None:
        raise InputError(str(job.folder / JOB), "must name the column of the vectors", job.settings["columns"])
    return job, ParquetSink(out, column, dim)


__all__ = ["FaissSink", "NpySink", "ParquetSink", "Sink", "job_folder", "sink_for", "written"]
