"""Vectors in parquet files: columns of lists, read a chunk at a time, ids and other columns passed through."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from holdfast.data.readers.names import suggest
from holdfast.data.vectors.stores import PARQUET, Chunk, VectorSource
from holdfast.errors import InputError

BATCH = 16384  # rows decoded at a time


class ParquetSource(VectorSource):
    """A parquet file, or a folder of them in the order of their names.

    Reading forward is what it is good at; going back starts again at the row group that holds the row.

    Args:
        path: the file or folder.
        column: of the vectors; None = the only column of lists.
        id_column: None = "id" if there is such a column.
        side_column: of the side information; None = none.

    Raises:
        InputError: unreadable files, missing columns, columns that hold no lists of numbers, no rows.
    """

    def __init__(
        self, path: Path, column: str | None = None, id_column: str | None = None, side_column: str | None = None
    ) -> None:
        self.path = Path(path)
        self._files = parquet_files(self.path)
        self._opened = [_open(file) for file in self._files]
        schema = self._opened[0].schema_arrow
        self.names: list[str] = schema.names
        for file, opened in zip(self._files[1:], self._opened[1:], strict=True):
            if opened.schema_arrow != schema:
                raise InputError(str(file), f"must have the columns of {self._files[0].name}", "others")
        self.column = column or _only_lists(schema, self.path)
        self.side_column = side_column
        self.id_column = id_column or ("id" if "id" in schema.names else None)
        for name in (self.column, self.side_column, self.id_column):
            if name is not None and name not in schema.names:
                raise InputError(str(path), f"must have a column {name!r}{suggest(name, schema.names)}", schema.names)
        self.has_ids = self.id_column is not None
        # (first row, file, row group) of every row group, and the end
        self._groups, total = [], 0
        for number, opened in enumerate(self._opened):
            for group in range(opened.metadata.num_row_groups):
                self._groups.append((total, number, group))
                total += opened.metadata.row_group(group).num_rows
        self.rows = total
        if not total:
            raise InputError(str(path), "must have at least one row", 0)
        self._stream: Iterator[pa.Table] | None = None
        self._rest: pa.Table | None = None
        self._position = 0
        self.dim = self._width(self.column)
        self.side_dim = 0 if side_column is None else self._width(side_column)

    def _width(self, column: str) -> int:
        kind = self._opened[0].schema_arrow.field(column).type
        if not is_list(kind) or not (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)):
            raise InputError(f"{self.path}, column {column!r}", "must hold lists of numbers", str(kind))
        if pa.types.is_fixed_size_list(kind):
            return kind.list_size
        for opened in self._opened:
            for batch in opened.iter_batches(BATCH, columns=[column]):
                lengths = batch.column(0).value_lengths().drop_null()
                if len(lengths):
                    return lengths[0].as_py()
        raise InputError(f"{self.path}, column {column!r}", "must hold at least one vector", "nulls only")

    def opened_by(self) -> dict[str, str]:
        named = {"column": self.column, "id_column": self.id_column, "side_column": self.side_column}
        return super().opened_by() | {word: name for word, name in named.items() if name is not None}

    def read(self, start: int, stop: int) -> Chunk:
        table = self._table(start, stop)
        vectors = matrix_of(table.column(self.column), self.dim, f"{self.path}, column {self.column!r}", start)
        side = None
        if self.side_column is not None:
            name = f"{self.path}, column {self.side_column!r}"
            side = matrix_of(table.column(self.side_column), self.side_dim, name, start)
        ids = np.arange(start, stop) if self.id_column is None else table.column(self.id_column).to_numpy()
        return Chunk(start, vectors, side, ids, table.drop_columns([self.column]))

    def _table(self, start: int, stop: int) -> pa.Table:
        """Rows start, ..., stop - 1, from where the last reading ended if that is before them in the same row group."""
        group = max(i for i, (first, _, _) in enumerate(self._groups) if first <= start)
        first = self._groups[group][0]
        if self._stream is None or not first <= self._position <= start:
            self._stream, self._rest, self._position = self._batches(group), None, first
        parts: list[pa.Table] = []
        while self._position < stop:
            table = self._rest if self._rest is not None else next(self._stream)
            self._rest = None
            skip = max(0, min(start - self._position, len(table)))
            used = table.slice(skip, min(len(table) - skip, stop - self._position - skip))
            end = skip + len(used)
            if end < len(table):
                self._rest = table.slice(end)
            self._position += end
            parts.append(used)
        return pa.concat_tables(parts)

    def _batches(self, group: int) -> Iterator[pa.Table]:
        """Tables from a row group on. Only pages that are needed are in memory, whatever the size of a row group."""
        _, number, first = self._groups[group]
        for opened in self._opened[number:]:
            groups = list(range(first, opened.metadata.num_row_groups))
            first = 0
            for batch in opened.iter_batches(BATCH, row_groups=groups):
                yield pa.Table.from_batches([batch])


def parquet_files(path: Path) -> list[Path]:
    """The parquet files of a folder, by name, or the file itself.

    Raises:
        InputError: there is none.
    """
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in PARQUET and not p.name.startswith((".", "_")))
        if not found:
            raise InputError(str(path), "must hold parquet files", "none")
        return found
    if not path.is_file():
        raise InputError(str(path), "must be a file", "nothing there")
    return [path]


def _open(file: Path) -> pq.ParquetFile:
    try:
        # Buffered and not read ahead: otherwise whole row groups would be held in memory.
        return pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise InputError(str(file), "must be a readable parquet file", str(error)) from None


def is_list(kind: pa.DataType) -> bool:
    """Whether a column of this type holds lists."""
    return pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind)


def _only_lists(schema: pa.Schema, path: Path) -> str:
    found = [field.name for field in schema if is_list(field.type)]
    if "embedding" in found:
        return "embedding"
    if len(found) != 1:
        rule = "must have one column of lists, or the column of the vectors must be named"
        raise InputError(str(path), rule, f"{len(found)}: {', '.join(found) or 'none'}")
    return found[0]


def matrix_of(column: pa.ChunkedArray, dim: int, name: str, start: int = 0) -> np.ndarray:
    """Lists as a matrix (n, dim); a list that is null, and a null in a list, are NaN.

    Raises:
        InputError: a list of another length; rows are counted from `start`.
    """
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    missing = np.zeros(len(array), bool) if not array.null_count else array.is_null().to_numpy(zero_copy_only=False)
    if not pa.types.is_fixed_size_list(array.type):
        lengths = np.where(missing, dim, array.value_lengths().fill_null(dim).to_numpy(zero_copy_only=False))
        wrong = np.flatnonzero(lengths != dim)
        if len(wrong):
            received = f"{int(lengths[wrong[0]])} in row {start + int(wrong[0])} ({len(wrong)} such rows)"
            raise InputError(name, f"must hold lists of one length ({dim}, as the first)", received)
    values = array.flatten().to_numpy(zero_copy_only=False)  # without those of null lists
    if not missing.any():
        return values.reshape(-1, dim)
    full = np.full((len(array), dim), np.nan, np.promote_types(values.dtype, np.float32))
    full[~missing] = values.reshape(-1, dim)
    return full


def list_column(vectors: np.ndarray) -> pa.Array:
    """A matrix as fixed-size lists of float32."""
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])


def with_vectors(others: pa.Table | None, name: str, vectors: np.ndarray, position: int | None = None) -> pa.Table:
    """A table with the vectors as a column of fixed-size lists, at a position or at the end."""
    column = list_column(vectors)
    if others is None or not others.num_columns:
        return pa.table({name: column})
    return others.add_column(others.num_columns if position is None else position, name, column)


__all__ = ["ParquetSource", "is_list", "list_column", "matrix_of", "parquet_files", "with_vectors"]
