"""How large a compressed file becomes: a small file from a stranger must not fill the memory."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from holdfast.errors import InputError

# What the readers of zip archives raise on damaged members, RuntimeError where one is encrypted.
DAMAGED = (OSError, ValueError, EOFError, KeyError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error)


def check_archive(path: Path, rule: str = "must be a whole zip archive") -> None:
    """Refuse a zip archive (npz, skops) whose members would not fit into the memory that is free.

    No member can unpack to more than its entry says: reading ends there.

    Args:
        path: the archive.
        rule: of the message, where it is none.

    Raises:
        InputError: too large, or no readable archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            needed = sum(member.file_size for member in archive.infolist())
    except DAMAGED as error:
        raise InputError(str(path), rule, str(error)) from None
    check_memory(needed, str(path))


def check_memory(needed: int, name: str) -> None:
    """Refuse what would not fit into the memory that is free.

    Args:
        needed: bytes.
        name: what the user calls it.

    Raises:
        InputError: with both sizes.
    """
    free = _free()
    if needed > free:
        raise InputError(
            name, f"must fit into the free memory ({free / 1e9:.1f} GB)", f"{needed / 1e9:.1f} GB unpacked"
        )


def _free() -> int:
    import psutil

    return int(psutil.virtual_memory().available)


__all__ = ["DAMAGED", "check_archive", "check_memory"]
