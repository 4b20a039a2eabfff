"""How many values the columns of a parquet file hold, from its footer alone.

pyarrow tells that, too, but a forged footer ends the process there: its library throws where Python cannot catch. Lists
need the number: a row may hold a billion values, and runs of one value take hardly any room in a file.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

DEEPEST = 30  # structures within structures; the format has about ten
ROW_GROUPS, COLUMNS, META_DATA, NUM_VALUES = 4, 1, 3, 5  # numbers of fields in parquet.thrift


def count_values(path: Path) -> int:
    """The values of all columns of a parquet file, those in lists one by one.

    Raises:
        ValueError: damaged.

    Example:
        >>> import tempfile, pyarrow as pa, pyarrow.parquet as pq; from pathlib import Path
        >>> file = Path(tempfile.mkdtemp()) / "a.parquet"
        >>> pq.write_table(pa.table({"x": [1, 2], "lists": [[1, 2, 3], [4]]}), file)
        >>> count_values(file)
        6
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        tail = file.read(8)
        length = int.from_bytes(tail[:4], "little")
        if len(tail) < 8 or tail[4:] != b"PAR1" or length > size - 8:
            raise ValueError("no footer of a parquet file")
        file.seek(size - 8 - length)
        footer = _Compact(file.read(length))
    try:
        groups = footer.structure(0).get(ROW_GROUPS, [])
        return sum(column[META_DATA][NUM_VALUES] for group in groups for column in group[COLUMNS])
    except (IndexError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise ValueError(f"a damaged footer ({type(error).__name__})") from None


class _Compact:
    """Thrift's compact protocol: structures are dicts by the fields' numbers."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def structure(self, depth: int) -> dict[int, Any]:
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            kind = head & 15
            number = number + (head >> 4) if head >> 4 else self._signed()
            fields[number] = kind == 1 if kind in (1, 2) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if depth > DEEPEST:
            raise ValueError("a footer of structures without end")
        if kind in (1, 2, 3):  # truths in lists, and bytes
            return self._byte()
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 7:
            return struct.unpack("<d", self._bytes(8))[0]
        if kind == 8:
            return self._bytes(self._varint())
        if kind in (9, 10):
            head = self._byte()
            count = head >> 4 if head >> 4 < 15 else self._varint()
            if count > len(self._data):
                raise ValueError("a list that is longer than the footer")
            return [self._value(head & 15, depth + 1) for _ in range(count)]
        if kind == 12:
            return self.structure(depth + 1)
        raise ValueError(f"a value of unknown kind {kind}")

    def _byte(self) -> int:
        self._place += 1
        return self._data[self._place - 1]

    def _bytes(self, count: int) -> bytes:
        if count > len(self._data) - self._place:
            raise ValueError("a footer that ends too early")
        self._place += count
        return self._data[self._place - count : self._place]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise ValueError("a number without end")

    def _signed(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


__all__ = ["count_values"]
