"""Checksums of what a store holds, taken from rows in memory while they are there for another reason."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa


def checksum(vectors: np.ndarray) -> int:
    """CRC-32 of a matrix's bytes as float32, row after row.

    Example:
        >>> checksum(np.zeros((2, 2))) == checksum(np.zeros((4, 1), np.float32))
        True
    """
    return stored_checksum(np.asarray(vectors, np.float32))


def stored_checksum(vectors: np.ndarray, after: int = 0) -> int:
    """CRC-32 of a matrix's bytes in its own type, row after row, going on from that of something else."""
    return zlib.crc32(np.ascontiguousarray(vectors).data, after)


def ids_checksum(ids: np.ndarray) -> int:
    """CRC-32 of ids of any kind, in order; the same for equal numbers of any width."""
    if ids.dtype.kind in "iu":
        return zlib.crc32(np.ascontiguousarray(ids, np.int64).data)
    return zlib.crc32("\0".join(map(str, ids.tolist())).encode())


def table_checksum(table: pa.Table) -> int:
    """CRC-32 of the names, types and values of a table; the same however its rows lie in memory.

    Example:
        >>> import pyarrow as pa
        >>> whole = pa.table({"x": [1, None, 3], "y": ["a", "b", "c"]})
        >>> pieces = pa.concat_tables([whole.slice(0, 1), whole.slice(1)])
        >>> table_checksum(pieces) == table_checksum(whole), table_checksum(whole.slice(1)) == table_checksum(whole)
        (True, False)
    """
    import pyarrow as pa

    crc = zlib.crc32(repr([(field.name, str(field.type)) for field in table.schema]).encode())
    # Taken out row by row, what lies under missing values, before the first row and after the last is zero. Of a
    # message only the body counts: its layout is fixed by Arrow's format, that of the header by its version.
    plain = table.combine_chunks().take(np.arange(len(table)))
    for batch in plain.to_batches():
        crc = zlib.crc32(pa.ipc.read_message(batch.serialize()).body, crc)
    return crc


__all__ = ["checksum", "ids_checksum", "stored_checksum", "table_checksum"]
