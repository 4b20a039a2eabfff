"""Flat files of 16-bit token ids."""

from pathlib import Path

import numpy as np
import pytest

from holdfast.data.readers.tokens import read_tokens
from holdfast.errors import InputError


def test_ids_are_little_endian_and_unsigned(tmp_path: Path) -> None:
    path = tmp_path / "text.bin"
    path.write_bytes(bytes([1, 0, 0, 1, 0xFF, 0xFF]))
    assert read_tokens(path, 65_536).tolist() == [1, 256, 65_535]
    with pytest.raises(InputError, match="ids below 300; received 65535"):
        read_tokens(path, 300)


@pytest.mark.parametrize("size", [0, 2, 3])
def test_other_files_are_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "text.bin"
    np.zeros(size, dtype=np.uint8).tofile(path)
    with pytest.raises(InputError, match=f"16-bit token ids; received {size} bytes"):
        read_tokens(path, 10)
