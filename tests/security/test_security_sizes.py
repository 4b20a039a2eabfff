"""A small file never becomes one that fills the memory: it is refused before it is unpacked."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from holdfast import unpacking
from holdfast.data.readers import ImageFiles, decode_image, read_arrays, read_npy, read_npz, read_table
from holdfast.errors import HoldfastError, InputError
from holdfast.estimator.sklearn_models import load_sklearn
from holdfast.training.checkpoint import load_state

FREE = 2**20


@pytest.fixture(autouse=True)
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "_free", lambda: FREE)


def test_archives_and_tables_that_unpack_to_too_much(tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "Files that unpack to more than the memory",
        "npz, skops, parquet and gz files and workbooks of some kilobytes that hold runs of one value",
        "refused in one line with both sizes, before anything is unpacked",
    )
    zeros = np.zeros(4 * FREE, np.uint8)
    np.savez_compressed(tmp_path / "a.npz", x=zeros)
    with zipfile.ZipFile(tmp_path / "b.skops", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b" " * (4 * FREE))
    column = pa.array(np.zeros(FREE), pa.float64())
    pq.write_table(pa.table({"x": column, "y": column}), tmp_path / "c.parquet", compression="zstd")
    with gzip.open(tmp_path / "d.csv.gz", "wb") as packed:
        packed.write(b"x,y\n" + b"0,0\n" * FREE)
    with zipfile.ZipFile(tmp_path / "e.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (4 * FREE))
    for file, read in (
        ("a.npz", read_npz),
        ("a.npz", read_arrays),
        ("b.skops", load_sklearn),
        ("c.parquet", read_arrays),
        ("c.parquet", read_table),
        ("d.csv.gz", read_table),
        ("e.xlsx", read_table),
    ):
        assert (tmp_path / file).stat().st_size < FREE / 10
        with pytest.raises(InputError, match=r"must fit into the free memory .*GB unpacked"):
            read(tmp_path / file)
        counted.again()
    renamed = (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    with pytest.raises(InputError, match="free memory"):
        read_npy(renamed)
    counted.again()


def test_arrays_that_say_they_are_huge(tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "Headers that declare huge sizes",
        "npy and npz members of 2^60 values, safetensors headers of 2^63 bytes and tensors beyond the file",
        "refused in one line",
    )
    for count in (2**40, 2**60, 2**62):
        header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({count},), }}".ljust(117) + "\n"
        content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + b"\0" * 64
        (tmp_path / "a.npy").write_bytes(content)
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("x.npy", content)
        for file in ("a.npy", "a.npz"):
            with pytest.raises(InputError, match="must be readable by numpy"):
                read_arrays(tmp_path / file)
            counted.again()
    for head in (2**63, 2**40, 10**8 + 1, 0):
        (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", head) + b"{}" * 8)
        with pytest.raises(HoldfastError, match="damaged or not a checkpoint"):
            load_state(tmp_path / "a.safetensors")
        counted.again()
    for ends in ([0, 2**50], [8, 0], [-8, 8], [0, 8.5]):
        text = json.dumps({"x": {"dtype": "F64", "shape": [2**47], "data_offsets": ends}}).encode()
        (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"\0" * 16)
        with pytest.raises(HoldfastError, match="damaged or not a checkpoint"):
            load_state(tmp_path / "a.safetensors")
        counted.again()


def png(width: int, height: int, *, text: bytes = b"") -> bytes:
    """A PNG that says it has this size, all of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, rows = zlib.compressobj(9), io.BytesIO()
    line = b"\0" * min(width // 8 + 1, 2**14)
    for _ in range(min(height, 64)):
        rows.write(packer.compress(line))
    rows.write(packer.flush())
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + text + chunk(b"IDAT", rows.getvalue()) + chunk(b"IEND", b"")


def test_images_that_say_they_are_huge(tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "Images that unpack to too much",
        "PNG of 10^9 and more pixels, a packed text of 64 MB inside one",
        "refused in one line, before pixels are reserved",
    )
    packed = b"x\0\0" + zlib.compress(b" " * 2**26, 9)
    text = struct.pack(">I", len(packed)) + b"zTXt" + packed + struct.pack(">I", zlib.crc32(b"zTXt" + packed))
    for content in (png(40_000, 40_000), png(2**31 - 1, 2**31 - 1), png(2**31 - 1, 1), png(64, 64, text=text)):
        (tmp_path / "a.png").write_bytes(content)
        for read in (lambda path: decode_image(path, 8, "L"), lambda path: ImageFiles([path], size=8).read()):
            with pytest.raises(InputError, match="must be a readable image"):
                read(tmp_path / "a.png")
            counted.again()


def test_what_fits_is_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(100))
    assert read_arrays(tmp_path / "a.npz")[0].shape == (100,)
    (tmp_path / "a.png").write_bytes(png(64, 64))
    assert decode_image(tmp_path / "a.png", 8, "L").shape == (1, 8, 8)
    assert unpacking.check_memory(FREE, "x") is None
