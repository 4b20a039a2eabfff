"""Arrays in the idx format, as MNIST is published: `train-images-idx3-ubyte`, packed by gzip or not.

http://yann.lecun.com/exdb/mnist describes it: two zero bytes, the type, the number of axes, the sizes as big-endian
32-bit numbers, then the values in C order, big-endian.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from holdfast.errors import InputError
from holdfast.files import check_regular
from holdfast.unpacking import check_memory

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | Path) -> np.ndarray:
    """The array of an idx file, in the machine's byte order.

    Args:
        path: the file; one that begins with gzip's two bytes is unpacked, whatever its name.

    Raises:
        InputError: missing, empty, cut off or too long, of another type, or larger than the free memory.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "labels-idx1-ubyte"
        >>> _ = file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
        >>> read_idx(file).tolist()
        [7, 2, 1]
    """
    file = Path(path)
    check_regular(file)
    try:
        with file.open("rb") as opened:
            packed = opened.read(2) == b"\x1f\x8b"
        with gzip.open(file, "rb") if packed else file.open("rb") as stream:
            head = stream.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in TYPES or not head[3]:
                raise InputError(str(path), "must begin with an idx header (0, 0, type, number of axes)", head.hex(" "))
            sizes = stream.read(4 * head[3])
            if len(sizes) < 4 * head[3]:
                raise InputError(str(path), f"must have the sizes of its {head[3]} axes", "the file ends before")
            shape = struct.unpack(f">{head[3]}I", sizes)
            kind = np.dtype(TYPES[head[2]])
            needed = math.prod(shape) * kind.itemsize
            check_memory(needed, str(path))
            values = stream.read(needed)
            if len(values) < needed or stream.read(1):
                shown = f"{len(values)} bytes" if len(values) < needed else "more"
                raise InputError(str(path), f"must hold {needed} bytes of values, as its sizes {shape} say", shown)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(str(path), "must be a readable idx file", str(error)) from None
    return np.frombuffer(values, kind).reshape(shape).astype(kind.newbyteorder("="))


__all__ = ["read_idx"]
