"""The bytes of a file: regular files only, gz unpacked, never more than the bounds allow."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from holdfast.data.readers.tables.bounds import Bounds
from holdfast.errors import InputError
from holdfast.files import check_regular
from holdfast.unpacking import check_memory

PIECE = 1 << 20
COPIES = 4  # of a text in memory while it is read: as bytes, as cells, as columns


def read_bytes(path: Path, bounds: Bounds) -> bytes:
    """What is in a file, unpacked if its name ends in .gz.

    Raises:
        InputError: no regular file, an empty one, a damaged gz file, more than the bounds or the free memory allow.
    """
    check_regular(path)
    size = path.stat().st_size
    if not size:
        raise InputError(str(path), "must not be empty", "0 bytes")
    bounds.check_size(size, str(path))
    try:
        if path.suffix.lower() == ".gz":
            return _unpacked(path, size, bounds)
        check_memory(COPIES * size, str(path))
        return path.read_bytes()
    except InputError:
        raise
    except (OSError, EOFError, zlib.error) as error:
        kind = "a whole gz file" if path.suffix.lower() == ".gz" else "a readable file"
        raise InputError(str(path), f"must be {kind}", str(error)) from None


def _unpacked(path: Path, packed: int, bounds: Bounds) -> bytes:
    """Unpacked a piece at a time, and no further than the bounds: the size that a gz file says it has may be forged."""
    pieces, total = [], 0
    with gzip.open(path) as unpacker:
        while piece := unpacker.read(PIECE):
            total += len(piece)
            bounds.check_ratio(total, packed, str(path))
            bounds.check_size(total, str(path), "bytes unpacked, or more")
            check_memory(COPIES * total, str(path))
            pieces.append(piece)
    if not total:
        raise InputError(str(path), "must not be empty", "0 bytes unpacked")
    return b"".join(pieces)


__all__ = ["read_bytes"]
