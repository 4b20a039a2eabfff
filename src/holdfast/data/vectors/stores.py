"""Where vectors are kept: npy files, parquet files, FAISS indexes, read a chunk at a time by row number."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.data.vectors.checksums import ids_checksum, stored_checksum, table_checksum
from holdfast.data.vectors.finite import bad_rows
from holdfast.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = (".parquet", ".pq")
INDEX = (".index", ".faiss")


@dataclass(frozen=True)
class Chunk:
    """Rows of a store.

    Attributes:
        start: number of the first row.
        vectors: (n, D), as stored; a row that is missing is NaN.
        side: second vectors kept beside the first ("side information"), (n, S), or None.
        ids: what the rows are called, (n,); their numbers where the store has no ids.
        others: the other columns of a table, (n rows), or None.
    """

    start: int
    vectors: np.ndarray
    side: np.ndarray | None
    ids: np.ndarray
    others: pa.Table | None = None

    def __len__(self) -> int:
        return len(self.vectors)

    def bad(self) -> np.ndarray:
        """Positions of rows with NaN or infinite values, rising."""
        found = bad_rows(self.vectors)
        return found if self.side is None else np.union1d(found, bad_rows(self.side))

    def checksums(self) -> tuple[int, int]:
        """CRC-32 of all that the store holds of these rows, and of the side information (0 where there is none)."""
        own = ids_checksum(self.ids) if self.others is None else table_checksum(self.others)
        side = 0 if self.side is None else stored_checksum(self.side)
        return stored_checksum(self.vectors, own), side

    def take(self, positions: np.ndarray) -> Chunk:
        """The rows at these positions."""
        side = None if self.side is None else self.side[positions]
        others = None if self.others is None else self.others.take(positions)
        return Chunk(self.start, self.vectors[positions], side, self.ids[positions], others)


class VectorSource(ABC):
    """Vectors that can be read by row number, any part at a time.

    Attributes:
        path: the file or folder.
        rows: how many vectors there are.
        dim: size of a vector.
        has_ids: whether the store names its rows.
        side_dim: size of the side information; 0 where there is none.
        metric: "l2" or "ip", where the store says what it compares by; else "".
    """

    path: Path
    rows: int
    dim: int
    has_ids: bool = False
    side_dim: int = 0
    metric: str = ""

    @abstractmethod
    def read(self, start: int, stop: int) -> Chunk:
        """Rows start, ..., stop - 1."""

    def chunks(self, size: int) -> Iterator[Chunk]:
        """All rows in order, `size` at a time."""
        for start in range(0, self.rows, size):
            yield self.read(start, min(start + size, self.rows))

    def opened_by(self) -> dict[str, str]:
        """The arguments of `open_source` that open it again."""
        return {"path": str(self.path.absolute())}

    def files(self) -> list[Path]:
        """All files of the store."""
        found = sorted(self.path.rglob("*")) if self.path.is_dir() else [self.path]
        return [path for path in found if path.is_file()]

    def fingerprint(self) -> dict[str, Any]:
        """What tells at a glance whether it is the same store: how it was opened, rows, dim, bytes, last change."""
        stats = [path.stat() for path in self.files()]
        return {
            "opened": self.opened_by(),
            "rows": self.rows,
            "dim": self.dim,
            "bytes": sum(s.st_size for s in stats),
            "modified": max((s.st_mtime_ns for s in stats), default=0),
        }


class NpySource(VectorSource):
    """A matrix in an npy file; its rows are read from the file, never mapped, so that memory stays what it should.

    Raises:
        InputError: no npy file, Python objects in it, not a matrix of numbers, no rows.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(str(path), "must be a file", "a folder" if self.path.is_dir() else "nothing there")
        try:
            mapped = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, SyntaxError, EOFError, TypeError) as error:
            objects = "Python objects" in str(error)  # said of a header; a file without one may be a pickle or anything
            rule = "must hold plain numbers, not Python objects" if objects else "must be a whole npy file"
            raise InputError(str(path), rule, str(error)) from None
        if not isinstance(mapped, np.memmap):
            raise InputError(str(path), "must be an npy file with one matrix", type(mapped).__name__)
        if mapped.ndim != 2 or mapped.dtype.kind not in "fiu":
            received = f"shape {mapped.shape}, dtype {mapped.dtype}"
            raise InputError(str(path), "must be a matrix of numbers (rows, dimensions)", received)
        if 0 in mapped.shape:
            raise InputError(str(path), "must not be empty", f"shape {mapped.shape}")
        self.rows, self.dim = mapped.shape
        self._dtype, self._offset, self._mapped = mapped.dtype, int(mapped.offset), mapped
        self._plain = bool(mapped.flags.c_contiguous)

    def vectors(self, start: int, stop: int) -> np.ndarray:
        """Rows start, ..., stop - 1 as an array of their own."""
        if not self._plain:
            return np.array(self._mapped[start:stop])
        if stop > self.rows:
            raise InputError(str(self.path), f"must have the rows {start} to {stop - 1}", f"{self.rows} rows")
        width = self.dim * self._dtype.itemsize
        count = (stop - start) * self.dim
        flat = np.fromfile(self.path, self._dtype, count, offset=self._offset + start * width)
        if flat.size != count:
            raise InputError(str(self.path), "must not change while it is read", f"cut after row {start}")
        return flat.reshape(-1, self.dim)

    def read(self, start: int, stop: int) -> Chunk:
        return Chunk(start, self.vectors(start, stop), None, np.arange(start, stop))


class ArraySource(VectorSource):
    """Vectors in memory, or in a memory map of your own.

    Example:
        >>> source = ArraySource(np.zeros((5, 3), np.float32), ids=["a", "b", "c", "d", "e"])
        >>> [chunk.ids.tolist() for chunk in source.chunks(2)]
        [['a', 'b'], ['c', 'd'], ['e']]
    """

    def __init__(self, vectors: np.ndarray, ids: Any = None, path: str | Path = "array") -> None:
        if vectors.ndim != 2 or vectors.dtype.kind not in "fiu" or 0 in vectors.shape:
            received = f"shape {vectors.shape}, dtype {vectors.dtype}"
            raise InputError("vectors", "must be a matrix of numbers that is not empty", received)
        self.path = Path(path)
        self.rows, self.dim = vectors.shape
        self._vectors, self._ids = vectors, None if ids is None else np.asarray(ids)
        self.has_ids = ids is not None
        if self._ids is not None and self._ids.shape != (self.rows,):
            raise InputError("ids", f"must have one value per vector ({self.rows})", f"shape {self._ids.shape}")

    def read(self, start: int, stop: int) -> Chunk:
        ids = np.arange(start, stop) if self._ids is None else self._ids[start:stop]
        return Chunk(start, np.array(self._vectors[start:stop]), None, ids)


class WithSide(VectorSource):
    """A store beside which the side information lies in another, row by row.

    Raises:
        InputError: numbers of rows that differ.
    """

    def __init__(self, source: VectorSource, side: VectorSource) -> None:
        if source.rows != side.rows:
            rule = f"must have as many rows as {source.path} ({source.rows})"
            raise InputError(str(side.path), rule, side.rows)
        self.path, self.rows, self.dim, self.has_ids = source.path, source.rows, source.dim, source.has_ids
        self.stored, self._side, self.side_dim, self.metric = source, side, side.dim, source.metric

    def opened_by(self) -> dict[str, str]:
        return {**self.stored.opened_by(), "side": str(self._side.path.absolute())}

    def files(self) -> list[Path]:
        return [*self.stored.files(), *self._side.files()]

    def read(self, start: int, stop: int) -> Chunk:
        chunk = self.stored.read(start, stop)
        return Chunk(start, chunk.vectors, self._side.read(start, stop).vectors, chunk.ids, chunk.others)


def open_source(
    path: str | Path,
    *,
    column: str | None = None,
    id_column: str | None = None,
    side: str | Path | None = None,
    side_column: str | None = None,
) -> VectorSource:
    """The store at a path, by its suffix: .npy, .parquet or .pq (or a folder of them), .index or .faiss.

    Args:
        path: the file, or a folder of parquet files.
        column: of the vectors in parquet files; None = the only column of lists.
        id_column: of the ids in parquet files; None = "id" if there is such a column.
        side: npy file with the side information, in the order of the rows.
        side_column: column of the side information in parquet files.

    Raises:
        InputError: an unknown suffix, an option that the kind of store has no use for, a store that cannot be read.
        MissingExtra: a FAISS index, and faiss is not installed.
    """
    file = Path(path)
    suffix = file.suffix.lower()
    tabular = suffix in PARQUET or (file.is_dir() and any(p.suffix.lower() in PARQUET for p in file.iterdir()))
    if not tabular and (column or id_column or side_column):
        raise InputError("column", "must not be given: only parquet files have columns", str(path))
    if tabular:
        from holdfast.data.vectors.parquet import ParquetSource

        source: VectorSource = ParquetSource(file, column, id_column, side_column)
    elif suffix == ".npy":
        source = NpySource(file)
    elif suffix in INDEX:
        from holdfast.data.vectors.faiss_files import FaissSource

        source = FaissSource(file)
    else:
        rule = f"must end in .npy, {', '.join((*PARQUET, *INDEX))}, or be a folder of parquet files"
        more = "; save its matrix as .npy" if suffix == ".npz" else ""
        raise InputError(str(path), f"{rule}{more}", suffix or "no suffix")
    return source if side is None else WithSide(source, NpySource(side))


__all__ = ["ArraySource", "Chunk", "NpySource", "VectorSource", "WithSide", "open_source"]
