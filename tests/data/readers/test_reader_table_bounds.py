"""Small files that unpack to much, and how much a table may hold."""

import csv
import gzip
import tracemalloc
import zipfile

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from holdfast import unpacking
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


@pytest.mark.parametrize(
    "content", [b"a,b\n1,2\n", gzip.compress(b"a,b\n1,2\n", mtime=0)[:-6], gzip.compress(b"", mtime=0)]
)
def test_gz_files_that_are_none(tmp_path, content):
    (tmp_path / "a.csv.gz").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.csv\.gz: must"):
        read_table(tmp_path / "a.csv.gz")


def test_parquet_is_refused_by_what_it_says_of_itself(tmp_path):
    column = pa.array(np.zeros(2_000_000))
    pq.write_table(pa.table({"x": column}), tmp_path / "a.parquet", compression="zstd")
    assert (tmp_path / "a.parquet").stat().st_size < 20_000

    def refused(bounds, words):
        with pytest.raises(InputError, match=words):
            read_table(tmp_path / "a.parquet", bounds=bounds)

    words = r"at most 1,000,000 bytes \(Bounds\(size=\.\.\.\) allows more\); received 16,000,000 bytes unpacked"
    assert peak(lambda: refused(Bounds(size=1_000_000), words)) < MEGABYTE
    refused(Bounds(cells=1_000_000), r"at most 1,000,000 cells.*received 2,000,000 rows of 1")


def test_a_long_text_that_parquet_repeats_is_held_once(tmp_path):
    """A megabyte, a thousand times: a gigabyte if each row had a copy of its own."""
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1000, np.int32)), pa.array(["x" * MEGABYTE]))
    pq.write_table(pa.table({"t": column}), tmp_path / "a.parquet")
    values = {}
    assert peak(lambda: values.update(t=read_table(tmp_path / "a.parquet").column("t").values)) < 20 * MEGABYTE
    assert len(values["t"]) == 1000
    assert values["t"][999] is values["t"][0]
    with pytest.raises(InputError, match=r"at most 100,000,000 bytes.*1,048,576,000 bytes of text"):
        read_table(tmp_path / "a.parquet", kinds={"t": "number"}, bounds=Bounds(size=10**8))


def test_values_in_lists_of_parquet_are_counted(tmp_path):
    """A row that holds four million zeros, in some thousand bytes."""
    lists = pa.ListArray.from_arrays([0, 4_000_000], np.zeros(4_000_000))
    pq.write_table(pa.table({"x": [1], "l": lists}), tmp_path / "a.parquet", compression="zstd")
    assert (tmp_path / "a.parquet").stat().st_size < 20_000

    def refused():
        with pytest.raises(InputError, match=r"at most 10,000,000 bytes .*received 32,000,008 bytes unpacked"):
            read_table(tmp_path / "a.parquet", bounds=Bounds(size=10**7))

    assert peak(refused) < MEGABYTE


def test_forged_footers_end_nothing_but_the_reading(tmp_path):
    """pyarrow's own count of values ends the process at some of these."""
    pq.write_table(pa.table({"x": [1.5, 2.5], "l": [[1], [2, 3]], "t": ["a", "b"]}), tmp_path / "a.parquet")
    good = (tmp_path / "a.parquet").read_bytes()
    length = int.from_bytes(good[-8:-4], "little")
    rng, refused = np.random.default_rng(0), 0
    for _ in range(500):
        content = bytearray(good)
        for _ in range(rng.integers(1, 4)):
            content[len(content) - 8 - int(rng.integers(1, length))] = int(rng.integers(256))
        (tmp_path / "a.parquet").write_bytes(content)
        try:
            table = read_table(tmp_path / "a.parquet", bounds=Bounds(size=10**7))
        except InputError:
            refused += 1
        else:
            assert len(table) <= 10
    assert 100 < refused < 500


def test_workbooks_are_refused_by_what_they_unpack_to(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.xml", "w") as file:
        for _ in range(65):
            file.write(b" " * MEGABYTE)
    with pytest.raises(InputError, match=r"at most 200 times its own .*received 68,157,440 bytes or more"):
        read_table(tmp_path / "a.xlsx")
    with pytest.raises(InputError, match="at most 1,000,000 bytes"):
        read_table(tmp_path / "a.xlsx", bounds=Bounds(size=10**6, ratio=1e6))


def test_a_cell_far_out_does_not_make_a_sheet_of_billions(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["a", "b"])
    book.active.append([1, 2])
    book.active.cell(10_000, 16_000, "x")
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(InputError, match=r"a\.xlsx: must have at most 10 columns \(Bounds\(columns=\.\.\.\)"):
        read_table(tmp_path / "a.xlsx", bounds=Bounds(columns=10))
    with pytest.raises(InputError, match=r"a\.xlsx: must have at most 10,000 cells"):
        read_table(tmp_path / "a.xlsx", bounds=Bounds(cells=10_000))


def test_cells_and_columns_of_texts(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,c\n" + "1,2,3\n" * 10)
    assert len(read_table(tmp_path / "a.csv", bounds=Bounds(columns=3))) == 10
    with pytest.raises(InputError, match=r"at most 2 columns \(Bounds\(columns=\.\.\.\) allows more\); received 3"):
        read_table(tmp_path / "a.csv", bounds=Bounds(columns=2))
    with pytest.raises(InputError, match=r"at most 30 cells .*received 11 rows of 3"):
        read_table(tmp_path / "a.csv", bounds=Bounds(cells=30))


def test_what_does_not_fit_into_the_memory(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("a,b\n" + "1,2\n" * 10_000)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n' * 10_000)
    monkeypatch.setattr(unpacking, "_free", lambda: 100_000)
    for name in ("a.csv", "a.csv.gz", "a.jsonl"):
        with pytest.raises(InputError, match=r"must fit into the free memory .*GB unpacked"):
            read_table(tmp_path / name)


@pytest.mark.parametrize("value", [0, -1.0, True, "many", float("nan")])
@pytest.mark.parametrize("field", ["size", "ratio", "cells", "columns"])
def test_bounds_are_numbers_above_0(field, value):
    with pytest.raises(InputError, match=f"{field}: must be a number above 0"):
        Bounds(**{field: value})


def test_the_limit_of_the_csv_module_is_given_back(tmp_path):
    before = csv.field_size_limit()
    (tmp_path / "a.csv").write_text("text,number\n" + '"' + "x" * (before + 10) + '",1\nb,2\n')
    assert len(read_table(tmp_path / "a.csv").columns[0].tolist()[0]) == before + 10
    assert csv.field_size_limit() == before
