"""Arrays from npy and npz files."""

from __future__ import annotations

import struct
import tokenize
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.data.readers.names import suggest
from holdfast.errors import InputError
from holdfast.unpacking import DAMAGED, check_archive
from holdfast.validation import check_array

# An array's header is Python source to numpy, and may name any size.
UNREADABLE = (*DAMAGED, SyntaxError, tokenize.TokenError, struct.error, TypeError, MemoryError)


def read_npy(path: str | Path, *, empty: bool = False) -> np.ndarray:
    """The array of an npy file: finite numbers, at least one axis. Objects (pickles) are refused.

    Args:
        path: the file.
        empty: whether an axis of size 0 is allowed.

    Raises:
        InputError: missing, damaged or empty file, an npz archive, objects, text, NaN. The message names the file.
    """
    loaded = _open(path)
    if not isinstance(loaded, np.ndarray):
        loaded.close()
        raise InputError(str(path), "must be an npy file", "an npz archive")
    return _numbers(loaded, str(path), empty=empty)


def read_npz(path: str | Path, *, x: str | None = None, y: str | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """Inputs and labels of an npz file; arrays called `x` and `y` if there are such, else the first two.

    Raises:
        InputError: as in `read_npy`; an array that is not there, labels that are no whole numbers, lengths that differ.
    """
    archive = _open(path)
    if isinstance(archive, np.ndarray):
        raise InputError(str(path), "must be an npz archive", "a single npy array")
    with archive:
        names = list(archive.files)
        if not names:
            raise InputError(str(path), "must hold at least one array", "none")
        if x is None:
            x = "x" if "x" in names else next((n for n in names if n != (y or "y")), names[0])
        if y is None:
            others = [n for n in names if n != x]
            y = "y" if "y" in others else others[0] if others else None
        inputs = _numbers(_member(archive, x, path), f"{path}, array {x!r}")
        if y is None:
            return inputs, None
        wanted = f"{path}, array {y!r} (labels)"
        labels = check_array(_numbers(_member(archive, y, path), wanted), "N", name=wanted, dtype="int64")
    if len(labels) != len(inputs):
        rule = f"must have as many rows as {x!r} ({len(inputs)})"
        raise InputError(f"{path}, array {y!r}", rule, f"{len(labels)} rows")
    return inputs, labels


def read_named(path: str | Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Arrays of an npz file by name, finite numbers of any shape.

    Raises:
        InputError: as in `read_npy`; an array that is not there.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "graph.npz"
        >>> np.savez(file, A=np.eye(2), angle=[0.0, 1.5])
        >>> read_named(file, ["angle"])
        {'angle': array([0. , 1.5])}
    """
    archive = _open(path)
    if isinstance(archive, np.ndarray):
        raise InputError(str(path), "must be an npz archive", "a single npy array")
    with archive:
        return {name: _numbers(_member(archive, name, path), f"{path}, array {name!r}") for name in names}


def _open(path: str | Path) -> Any:
    file = Path(path)
    if not file.is_file():
        raise InputError(str(path), "must be a file", "a folder" if file.is_dir() else "nothing there")
    if file.stat().st_size == 0:
        raise InputError(str(path), "must not be empty", "0 bytes")
    try:
        with file.open("rb") as opened:
            packed = opened.read(2) == b"PK"  # as numpy tells an archive from an array, whatever its name
        if packed:
            check_archive(file)
        return np.load(file, allow_pickle=False)
    except InputError:
        raise
    except UNREADABLE as error:
        raise InputError(str(path), _rule(error), str(error)) from None


def _member(archive: Any, name: str, path: str | Path) -> np.ndarray:
    if name not in archive.files:
        raise InputError(str(path), f"must hold an array {name!r}{suggest(name, archive.files)}", archive.files)
    try:
        return archive[name]
    except UNREADABLE as error:
        raise InputError(f"{path}, array {name!r}", _rule(error), str(error)) from None


def _rule(error: Exception) -> str:
    # numpy says "pickle" both for object arrays and for files that are no arrays at all; both may run foreign code
    return "must hold plain numbers, not Python objects" if "pickle" in str(error) else "must be readable by numpy"


def _numbers(array: np.ndarray, name: str, *, empty: bool = False) -> np.ndarray:
    if not isinstance(array, np.ndarray):  # numpy gives other members of an archive as bytes
        raise InputError(name, "must be an array", "another kind of file")
    if array.ndim == 0:
        raise InputError(name, "must have at least one axis", "a single number")
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    return check_array(array, "... _", name=name, empty=empty)


__all__ = ["read_named", "read_npy", "read_npz"]
