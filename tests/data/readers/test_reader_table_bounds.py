"""Small files that unpack to much, and how much a table may hold."""

import gzip
import tracemalloc

import pytest

from holdfast.data.readers.tables import Bounds, read_table
from holdfast.errors import InputError

MEGABYTE = 2**20


def peak(call):
    """The most bytes that Python and numpy held at once."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_gz_files_stop_at_their_ratio(tmp_path):
    with gzip.open(tmp_path / "a.csv.gz", "wb", 9) as file:
        file.write(b"a,b\n")
        for _ in range(70):
            file.write(b"1,2\n" * (MEGABYTE // 4))

    def refused():
        words = r"at most 200 times its own .* bytes \(Bounds\(ratio=\.\.\.\).*received 6"
        with pytest.raises(InputError, match=words):
            read_table(tmp_path / "a.csv.gz")

    assert peak(refused) < 80 * MEGABYTE
    with pytest.raises(InputError, match=r"at most 1,000,000 bytes \(Bounds\(size=\.\.\.\).*unpacked, or more"):
        read_table(tmp_path / "a.csv.gz", bounds=Bounds(size=10**6, ratio=1e6))


def test_gz_files_may_hold_more_if_one_says_so(tmp_path):
    text = b"a,b\n" + b"1,2\n" * 100
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text))
    assert len(read_table(tmp_path / "a.csv.gz", bounds=Bounds(size=len(text)))) == 100
    with pytest.raises(InputError, match="at most 403 bytes"):
        read_table(tmp_path / "a.csv.gz", bounds=Bounds(size=len(text) - 1))


def test_a_gz_file_of_several_members_is_one_text(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n"))
    assert len(read_table(tmp_path / "a.csv.gz")) == 2


@pytest.mark.parametrize("value", [0, -1.0, True, "many", float("nan")])
@pytest.mark.parametrize("field", ["size", "ratio", "cells", "columns"])
def test_bounds_are_numbers_above_0(field, value):
    with pytest.raises(InputError, match=f"{field}: must be a number above 0"):
        Bounds(**{field: value})
