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
    """The file says at its end how much it holds, modulo 4 GB; as that may be forged, unpacking stops at the bounds."""
    with path.open("rb") as file:
        file.seek(max(0, packed - 4))
        _check(int.from_bytes(file.read(4), "little"), packed, path, bounds)
        file.seek(0)
        pieces, total = [], 0
        with gzip.GzipFile(fileobj=file) as unpacker:
            while piece := unpacker.read(PIECE):
                pieces.append(piece)
                total += len(piece)
                _check(total, packed, path, bounds)
    if not total:
        raise InputError(str(path), "must not be empty", "0 bytes unpacked")
    return b"".join(pieces)


def _check(unpacked: int, packed: int, path: Path, bounds: Bounds) -> None:
    bounds.check_ratio(unpacked, packed, str(path))
    bounds.check_size(unpacked, str(path), "bytes unpacked")
    check_memory(COPIES * unpacked, str(path))


__all__ = ["read_bytes"]
