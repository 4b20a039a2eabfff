"""Random and damaged files under every ending: a table or an InputError, nothing else."""

import gzip
import io
import tempfile
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.data.readers.tables import SUFFIXES, Bounds, TableOptions, read_table
from holdfast.errors import InputError

FRAME = pd.DataFrame({"a": [1.5, -2.0], "b": [3, 4], "c": ["x", "2,500"], "d": ["2024-01-01", "2024-01-02"]})
OPTIONS = (
    None, TableOptions(decimal=","), TableOptions(header=0), TableOptions(header=2), TableOptions(day_first=True),
    TableOptions(null=["1.5", ""]), TableOptions(encoding="utf-16"), TableOptions(delimiter="|"),
)  # fmt: skip


def good(suffix):
    stream = io.BytesIO()
    if suffix in (".parquet", ".pq"):
        FRAME.to_parquet(stream)
    elif suffix in (".xlsx", ".xlsm"):
        book = openpyxl.Workbook()
        book.active.append(list(FRAME.columns))
        book.active.append([1.5, 3, "x", "=A2"])
        book.save(stream)
    elif suffix in (".json", ".jsonl"):
        FRAME.to_json(stream, orient="records", lines=suffix == ".jsonl")
    else:
        FRAME.to_csv(stream, index=False)
        return gzip.compress(stream.getvalue()) if suffix.endswith(".gz") else stream.getvalue()
    return stream.getvalue()


GOOD = {suffix: good(suffix) for suffix in SUFFIXES}


@st.composite
def damaged(draw, content):
    """A file that is cut, or some of whose bytes are changed, doubled or left out."""
    data = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        what = draw(st.sampled_from(["cut", "change", "repeat", "leave out"]))
        if what == "cut":
            del data[place:]
        elif what == "change" and data:
            data[place] = draw(st.integers(0, 255))
        elif what == "repeat":
            data[place:place] = data[place : place + draw(st.integers(1, 40))]
        else:
            del data[place : place + draw(st.integers(1, 8))]
    return bytes(data)


pieces = [
    "1,5",
    "1.234",
    "€",
    "%",
    "(",
    ")",
    "-",
    "\n",
    "\n\n",
    ";",
    ",",
    "\t",
    '"',
    "n/a",
    "03/04/2024",
    "a",
    "0",
    "\r",
    " ",
]
pieces += ["sep=;\n", "\ufeff", "é", "\0", "{", "}", "[", "]", ":", '"a":', "true", "null", "1e999", "nan"]
texts = st.lists(st.sampled_from(pieces), max_size=40).map("".join).map(str.encode)


@settings(max_examples=30)
@pytest.mark.parametrize("suffix", SUFFIXES)
@given(data=st.data())
def test_whatever_is_in_a_file(suffix, data):
    content = data.draw(st.one_of(damaged(GOOD[suffix]), damaged(GOOD[suffix]), texts, st.binary(max_size=80)))
    if suffix.endswith(".gz") and data.draw(st.booleans()):
        content = gzip.compress(content)
    options = data.draw(st.sampled_from(OPTIONS))
    kinds = data.draw(st.sampled_from([None, {"a": "number"}, {"a": "text", "d": "time"}]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        path.write_bytes(content)
        try:
            table = read_table(path, options=options, kinds=kinds, bounds=Bounds(size=10**7, cells=10**6))
        except InputError:
            return
    assert all(len(column) == len(table) == len(column.missing) for column in table.columns)
    assert len(set(table.names)) == len(table.columns)
    assert (table.rows[1:] > table.rows[:-1]).all()
    assert len(table.frame()) == len(table)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_files_that_are_damaged_above_are_good(suffix, tmp_path):
    (tmp_path / f"a{suffix}").write_bytes(GOOD[suffix])
    assert read_table(tmp_path / f"a{suffix}").names == ["a", "b", "c", "d"]
