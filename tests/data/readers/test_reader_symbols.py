"""Symbols from text, csv and npy, however they are cut into pieces."""

import itertools
import os
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.data.readers import symbols as symbol_files
from holdfast.data.readers.symbols import read_symbols
from holdfast.data.readers.tables import TableOptions
from holdfast.errors import InputError


class Pipe:
    """Standard input that hands out given pieces, one per read."""

    def __init__(self, pieces):
        self.buffer, self._pieces = self, list(pieces)

    def read1(self, size):
        assert size > 0
        return self._pieces.pop(0) if self._pieces else b""


def symbols(content, alphabet=2, *, column=None, pieces=None):
    """What is read from standard input with this content."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", Pipe(pieces or ([content] if content else [])))
        return [int(s) for piece in read_symbols("-", alphabet, column=column) for s in piece]


@pytest.mark.parametrize(
    "text",
    [
        "01101",
        "01101\n",
        "0110\n1\n",
        "0\n1\n1\n0\n1",
        "0\r\n1\r\n1\r\n0\r\n1\r\n",
        "\n\n0\n\n1101\n",
        "0 1 1 0 1",
        " 0  1 1 0 1 \n",
        "0,1,1,0,1",
        "0, 1, 1,\n0, 1\n",
        "0;1;1\n0;1\n",
        "0\t1\t1\n0 1",
        "0,1\n1\n0,1\n",
        "\ufeff01101\r\n",
        "\ufeff0,1,1,0,1",
    ],
)
def test_ways_of_writing_five_bits(text):
    data = text.encode()
    assert symbols(data) == [0, 1, 1, 0, 1]
    for cut in range(1, len(data)):  # a pipe may be cut anywhere
        if not (data[:3] == b"\xef\xbb\xbf" and cut < 3):
            assert symbols(None, pieces=[data[:cut], data[cut:]]) == [0, 1, 1, 0, 1], cut


@given(st.lists(st.integers(0, 11), max_size=30), st.sampled_from([" ", ",", ";", "\t", "\n", "\r\n", ", "]), st.data())
@settings(max_examples=40)
def test_large_alphabets_need_separators(values, separator, data):
    content = separator.join(map(str, values)).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=4)))
    edges = [0, *cuts, len(content)]
    pieces = [content[a:b] for a, b in itertools.pairwise(edges) if a < b]
    assert symbols(None, 12, pieces=pieces) == values


@given(st.binary(max_size=60))
@settings(max_examples=200)
def test_any_bytes_are_symbols_or_an_input_error(content):
    refused = None
    try:
        found = symbols(content, 3)
    except InputError as error:
        found, refused = [], error
    assert set(found) <= {0, 1, 2}
    assert refused is None or refused.argument == "standard input"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0120", r"received 2 at index 2"),
        ("0 1 7", r"must hold symbols 0 .. 1 \(alphabet 2\); received 7 at index 2"),
        ("0,1,-1", "received -1 at index 2"),
        ("0,1\n1;0\n", "separators of one kind; received commas, then semicolons in line 2"),
        ("0 1,1;0", "separators of one kind; received commas and semicolons in line 1"),
        ("0 1\n0,1\n", "blanks, then commas in line 2"),
        ("01\n0,1\n", "none between digits, then commas in line 2"),
        ("0,1\n01\n", "'01' in line 2"),
        ("0110\nabc\n", "'abc' in line 2"),
        ("0 1 0,1", "separators of one kind; received blanks and commas in line 1"),
        ("0,1\n0 1;1\n", "received commas, then semicolons in line 2"),
        ("0,,1", "nothing in line 1"),
        ("0,1.5", "'1.5' in line 1"),
        ("0\nnan\n", "'nan' in line 2"),
        ("0 01 1", "'01' in line 1"),
        ("abc", "'abc' in line 1"),
        ("0,9999999999999", "whole numbers, one for each symbol"),
    ],
)
def test_what_is_no_sequence_of_bits_is_named(text, words):
    with pytest.raises(InputError, match=words):
        symbols(text.encode())


@pytest.mark.parametrize("content", [b"\x00\x01\x00", b"01\x0001", b"\x89PNG\r\n\x1a\n\x00", "01".encode("utf-16")])
def test_binary_files_are_refused(content):
    with pytest.raises(InputError, match=r"must be text|UTF-8|whole numbers"):
        symbols(content)


def test_symbols_are_handed_on_as_they_come():
    """Each line is there before the next one is read, and nothing is read ahead."""
    pipe = Pipe([b"0\n", b"1\n1\n", b"0"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", pipe)
        pieces = read_symbols("-", 2)
        assert next(pieces).tolist() == [0]
        assert len(pipe._pieces) == 2
        assert next(pieces).tolist() == [1, 1]
        assert next(pieces).tolist() == [0]


def test_a_long_line_is_read_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(symbol_files, "PIECE", 64)
    bits = np.random.default_rng(0).integers(0, 2, 1000)
    for separator, name in (("", "run.txt"), (",", "commas.txt"), (" ", "spaces.txt"), ("\n", "lines.txt")):
        (tmp_path / name).write_text(separator.join(map(str, bits.tolist())))
        pieces = list(read_symbols(str(tmp_path / name), 2))
        np.testing.assert_array_equal(np.concatenate(pieces), bits)
        assert len(pieces) > 5
        assert max(map(len, pieces)) <= 130


# ------------------------------------------------------------------------------------------------------------ tables
def test_columns_of_csv(tmp_path):
    file = tmp_path / "log.csv"
    file.write_bytes(b'\xef\xbb\xbftime,click,"other, name"\r\n"a, b",1,0\r\nb,0,1\r\n\r\nc,1,1')
    assert np.concatenate(list(read_symbols(str(file), 2, column="click"))).tolist() == [1, 0, 1]
    assert np.concatenate(list(read_symbols(str(file), 2, column="other, name"))).tolist() == [0, 1, 1]
    with pytest.raises(InputError, match=r"--column: must name one of the columns of .*; received time, click"):
        list(read_symbols(str(file), 2))
    with pytest.raises(InputError, match=r"--column: must be a column of .*'klick'; has time, click"):
        list(read_symbols(str(file), 2, column="klick"))


@pytest.mark.parametrize("content", ["bit\n0\n1\n", "0\n1\n", "bit\n0\n1", "bit\r\n0\r\n1\r\n"])
def test_a_single_column_needs_no_name(tmp_path, content):
    file = tmp_path / "bits.csv"
    file.write_bytes(content.encode())
    assert np.concatenate(list(read_symbols(str(file), 2))).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n0,1\n0;1\n", "'0;1' in row 3"),
        ("a,b\n0,1,1\n", "received 3 in row 2"),
        ("a,b\n,1\n", "nothing in row 2"),
        ("a,b\n1.5,1\n", "'1.5' in row 2"),
        ("a,b\nnan,1\n", "'nan' in row 2"),
        ("a,b\n0,1\n5,1\n", "received 5 at index 1"),
    ],
)
def test_wrong_tables_are_named_by_row(tmp_path, content, words):
    file = tmp_path / "bits.csv"
    file.write_text(content)
    with pytest.raises(InputError, match=words):
        list(read_symbols(str(file), 2, column="a"))


def test_csv_from_a_pipe():
    assert symbols(None, column="b", pieces=[b"a,", b"b\n1,0\n0", b",1\n"]) == [0, 1]
    assert symbols(b'time,"b, c"\r\n"a, b",1\r\n\r\nc,0', column="b, c") == [1, 0]
    for content, words in (
        (b"a,b\n0,1\n0;1\n", "must have 2 fields in every line, as in the first; received 1 in line 3"),
        (b"a,b\n0,1\n,0\n", "nothing in line 3"),
        (b"a,b\n1.5,1\n", "'1.5' in line 2"),
        (b"c,b\n1,1\n", "--column: must be a column of standard input"),
    ):
        with pytest.raises(InputError, match=words):
            symbols(content, column="a")


def test_tables_of_other_kinds_and_ways_of_writing(tmp_path):
    frame = pd.DataFrame({"time": ["a", "b", "c"], "click": [True, False, True]})
    frame.to_parquet(tmp_path / "log.parquet")
    frame.astype({"click": int}).to_csv(tmp_path / "log.csv.gz", index=False, sep=";")
    for name in ("log.parquet", "log.csv.gz"):
        pieces = read_symbols(str(tmp_path / name), 2, column="click")
        assert np.concatenate(list(pieces)).tolist() == [1, 0, 1]
    (tmp_path / "bare.csv").write_text("x,0\ny,1\n")
    bare = read_symbols(str(tmp_path / "bare.csv"), 2, column="column_2", options=TableOptions(header=0))
    assert next(bare).tolist() == [0, 1]


def test_npy(tmp_path):
    np.save(tmp_path / "x.npy", np.array([0, 1, 1], np.int8))
    assert np.concatenate(list(read_symbols(str(tmp_path / "x.npy"), 2))).tolist() == [0, 1, 1]
    np.save(tmp_path / "x.npy", np.array([0.0, 1.0]))
    assert next(read_symbols(str(tmp_path / "x.npy"), 2)).tolist() == [0, 1]
    np.save(tmp_path / "x.npy", np.array([-1, 1], np.int8))
    assert next(read_symbols(str(tmp_path / "x.npy"), 2)).tolist() == [0, 1]
    np.save(tmp_path / "x.npy", np.array([0.5, 1.0]))
    with pytest.raises(TypeError, match="whole numbers"):
        list(read_symbols(str(tmp_path / "x.npy"), 2))
    np.save(tmp_path / "x.npy", np.zeros((2, 2), int))
    with pytest.raises(InputError, match="shape"):
        list(read_symbols(str(tmp_path / "x.npy"), 2))
    with pytest.raises(InputError, match="--column"):
        list(read_symbols(str(tmp_path / "x.npy"), 2, column="a"))


def test_nothing_gives_nothing(tmp_path):
    for name in ("empty.txt", "empty.csv"):
        (tmp_path / name).write_bytes(b"")
        assert list(read_symbols(str(tmp_path / name), 2)) == []
    np.save(tmp_path / "empty.npy", np.empty(0, np.int8))
    assert list(read_symbols(str(tmp_path / "empty.npy"), 2)) == []
    assert symbols(b"\n\n") == []
    assert symbols(b"\xef\xbb\xbf") == []


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.txt: must be a readable file; received No such file"):
        list(read_symbols(str(tmp_path / "nothing.txt"), 2))
    with pytest.raises(InputError, match="must be a readable file"):
        list(read_symbols(str(tmp_path), 2))


def test_a_named_pipe_is_refused_as_a_table(tmp_path):
    os.mkfifo(tmp_path / "bits.csv")
    with pytest.raises(InputError, match="must be a file; received a pipe"):  # at once: nobody writes into it
        list(read_symbols(str(tmp_path / "bits.csv"), 2))
