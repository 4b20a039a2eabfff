"""The idx format, on files written by hand."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from holdfast.data.readers.idx import TYPES, read_idx
from holdfast.errors import InputError


def idx(array, code):
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize("code", TYPES)
@pytest.mark.parametrize("packed", [False, True])
def test_what_was_written_is_read(tmp_path, code, packed):
    array = np.arange(24).reshape(2, 3, 4).astype(TYPES[code])
    content = idx(array, code)
    (tmp_path / "images-idx3-ubyte").write_bytes(gzip.compress(content) if packed else content)
    read = read_idx(tmp_path / "images-idx3-ubyte")
    assert read.dtype.isnative
    assert read.tolist() == array.tolist()


def test_values_are_big_endian(tmp_path):
    (tmp_path / "a").write_bytes(bytes([0, 0, 0x0B, 1, 0, 0, 0, 1, 1, 2]))
    assert read_idx(tmp_path / "a").tolist() == [258]


WHOLE = idx(np.arange(6, dtype=">u1").reshape(2, 3), 0x08)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "idx header"),
        (WHOLE[:3], "idx header"),
        (b"PK" + WHOLE, "idx header"),
        (bytes([0, 0, 0x0A, 1]) + WHOLE[4:], "idx header"),
        (bytes([0, 0, 0x08, 0]), "idx header"),
        (WHOLE[:9], "sizes of its 2 axes"),
        (WHOLE[:-1], "5 bytes"),
        (WHOLE + b"x", "more"),
        (bytes([0, 0, 8, 2]) + b"\xff" * 8, "free memory"),
        (gzip.compress(WHOLE, mtime=0)[:-6], "readable idx file"),
    ],
)
def test_damaged_files_are_refused(tmp_path, content, message):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_idx(tmp_path / "a")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="nothing"):
        read_idx(tmp_path / "nothing")
