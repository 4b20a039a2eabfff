"""Streams as people write them: 0.0 and 1.0, words, -1 and 1, quoted line breaks, no header, dates beside them."""

import sys

import numpy as np
import pandas as pd
import pytest

from holdfast.data.readers.symbols import read_symbols, read_timed_symbols
from holdfast.data.readers.tables import TableOptions
from holdfast.errors import InputError

BITS = [0, 1, 1, 0, 1]
WORDS = {
    "decimals": ("0.0", "1.0"),
    "signs": ("-1", "1"),
    "signs with decimals": ("-1.0", "1.0"),
    "parts": ("fail", "pass"),
    "answers": ("No", "Yes"),
    "truths": ("False", "True"),
    "tests": ("NG", "OK"),
}


def read(path, **how):
    return [int(s) for piece in read_symbols(str(path), how.pop("alphabet", 2), **how) for s in piece]


@pytest.fixture
def piped(monkeypatch):
    """Standard input with some content, cut anywhere."""

    class Pipe:
        def __init__(self, pieces):
            self.buffer, self._pieces = self, list(pieces)

        def read1(self, size):
            return self._pieces.pop(0) if self._pieces else b""

    return lambda *pieces: monkeypatch.setattr(sys, "stdin", Pipe(pieces))


@pytest.mark.parametrize("pair", WORDS.values(), ids=WORDS)
@pytest.mark.parametrize("separator", ["\n", ",", " "])
def test_ways_of_writing_two_symbols(tmp_path, piped, pair, separator):
    words = [pair[bit] for bit in BITS]
    text = tmp_path / "parts.txt"
    text.write_text(separator.join(words) + "\n")
    assert read(text) == BITS
    for cut in range(1, text.stat().st_size):
        data = text.read_bytes()
        piped(data[:cut], data[cut:])
        assert read("-") == BITS, cut
    table = tmp_path / "parts.csv"
    table.write_text("id,test\n" + "".join(f"{i:03d},{word}\n" for i, word in enumerate(words)))
    assert read(table, column="test") == BITS
    piped(table.read_bytes())
    assert read("-", column="test") == BITS
    bare = tmp_path / "bare.csv"  # a column alone, without a name
    bare.write_text("\n".join(words))
    assert read(bare) == BITS
    bare.write_text("test\n" + "\n".join(words))
    assert read(bare) == BITS


def test_what_a_word_is_read_as_is_said_once(tmp_path):
    file, said = tmp_path / "parts.txt", []
    file.write_text("pass\nFAIL\npass\nfail\n")
    assert read(file, note=said.append) == [1, 0, 1, 0]
    assert said == ["'pass' is read as 1, 'fail' as 0 (--symbols decides)"]
    file.write_text("1\n-1\n1\n")
    assert read(file, note=said.append) == [1, 0, 1]
    assert said[1:] == ["-1 is read as 0, 1 as 1"]


def test_words_that_the_user_names(tmp_path):
    file = tmp_path / "colours.csv"
    file.write_text("day,colour\n1,dark red\n2,blue\n3,NA\n4,blue\n")
    assert read(file, alphabet=3, column="colour", names=("blue", "dark red", "NA")) == [1, 0, 2, 0]
    text = tmp_path / "steps.txt"
    text.write_text("-1 0 1 1\n")
    assert read(text, alphabet=3, names=("-1", "0", "1")) == [0, 1, 2, 2]
    (tmp_path / "bits.txt").write_text("fail,pass")
    assert read(tmp_path / "bits.txt", names=("pass", "fail")) == [1, 0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("red\nblue\n", r"received 'red' in line 1 \(--symbols a,b names words"),
        ("pass\nno\n", "must write its symbols in one way; received 'pass', then 'no' in line 2"),
        ("0\npass\n", "in one way; received numbers, then 'pass' in line 2"),
        ("ok\n1\n", "in one way; received 'ok', then '1' in line 2"),
        ("0\n1\n3\n", r"received 3 at index 2 \(--alphabet 4 has it\)"),
        ("0\n-1\n1\n", r"received -1 at index 1 \(--symbols=-1,0,1 numbers them: the first is 0\)"),
        ("0.5\n1\n", "whole numbers, one for each symbol; received '0.5' in line 1"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_remedy(tmp_path, content, words):
    (tmp_path / "a.txt").write_text(content)
    with pytest.raises(InputError, match=words):
        read(tmp_path / "a.txt")


def test_signs_stay_signs_over_pieces(piped):
    piped(b"1\n-1\n", b"0\n")
    with pytest.raises(InputError, match="must hold -1 and 1 alone, as it began, or 0 and 1; received 0 at index 2"):
        read("-")
    piped(b"0\n1\n", b"-1\n")
    with pytest.raises(InputError, match="received -1 at index 2"):
        read("-")


def test_quoted_line_breaks(tmp_path, piped):
    content = b'note,bit\r\n"one\r\ntwo, ""three""",1\r\nplain,0\r\n"four\n\nfive",1\r\n'
    (tmp_path / "notes.csv").write_bytes(content)
    assert read(tmp_path / "notes.csv", column="bit") == [1, 0, 1]
    for cut in range(1, len(content)):
        piped(content[:cut], content[cut:])
        assert read("-", column="bit") == [1, 0, 1], cut
    piped(b'note,bit\nplain,0\n"open,1\nplain,0\n')
    with pytest.raises(InputError, match="must close every quote; received one that is open from line 3 on"):
        read("-", column="bit")
    piped(b'note,bit\n"a\nb",0\nc,7.5\n')
    with pytest.raises(InputError, match=r"'7.5' in line 4"):
        read("-", column="bit")


@pytest.mark.parametrize(
    ("content", "chosen"),
    [("2024-01-01,0\n2024-01-02,1\n", "0"), ("x,0.0\ny,1.0\n", "0.0"), ("x,pass\ny,fail\n", "pass"),
     ("x,true\ny,false\n", "true"), ("0,1\n1,0\n", "1")],
)  # fmt: skip
def test_a_missing_header_is_refused_with_the_remedy(tmp_path, content, chosen):
    file = tmp_path / "bare.csv"
    file.write_text(content)
    with pytest.raises(InputError, match=r"must name one of the columns of .*; say --header 0 if the first row has no"):
        read(file)
    with pytest.raises(InputError, match=r"say --header 0 .*received 'column_2'"):
        read(file, column="column_2")
    with pytest.raises(InputError, match=r"must begin with the columns' names; say --header 0 .*, --header 1 if"):
        read(file, column=chosen)
    assert len(read(file, column="column_2", options=TableOptions(header=0))) == 2
    assert len(read(file, column=chosen, options=TableOptions(header=1))) == 1


def test_names_that_only_look_like_symbols(tmp_path):
    pd.Series(BITS).to_csv(tmp_path / "series.csv")  # pandas writes ",0"
    assert read(tmp_path / "series.csv", column="0", options=TableOptions(header=1)) == BITS
    (tmp_path / "parts.csv").write_text("day,pass\n1,0\n2,1\n")
    assert read(tmp_path / "parts.csv", column="pass") == [0, 1]
    (tmp_path / "parts.csv").write_text("pass\n0\n1\n")
    assert read(tmp_path / "parts.csv") == [0, 1]


# ------------------------------------------------------------------------------------------------------------- times
def timed(path, **how):
    return read_timed_symbols(str(path), 2, **how)


@pytest.mark.parametrize("name", ["date", "Timestamp", "produced"])
def test_the_time_column_is_found(tmp_path, name):
    file = tmp_path / "log.csv"
    file.write_text(f"id,{name},bit,kind\n007,13.01.2024,1,a\n008,14.01.2024,0,b\n,,,\n009,15.01.2024,1,c\n")
    found = timed(file, column="bit")
    assert found.symbols.tolist() == [1, 0, 1]
    assert found.times == ["2024-01-13", "2024-01-14", "2024-01-15"]
    assert timed(file, column="bit", time="id").times == ["007", "008", "009"]
    pd.read_csv(file).dropna().to_parquet(tmp_path / "log.parquet")
    assert timed(tmp_path / "log.parquet", column="bit", time="kind").times == ["a", "b", "c"]


def test_several_date_columns_are_not_chosen_among(tmp_path):
    file = tmp_path / "log.csv"
    file.write_text("made,sold,bit\n2024-01-01,2024-02-01,1\n2024-01-02,2024-02-02,0\n")
    assert timed(file, column="bit").times is None
    assert timed(file, column="bit", time="sold").times == ["2024-02-01", "2024-02-02"]
    with pytest.raises(InputError, match=r"--time: must name a column of .* for time \(did you mean 'sold'\?\)"):
        timed(file, column="bit", time="soldd")


def test_newest_first_is_turned_round_and_said(tmp_path):
    file, said = tmp_path / "log.csv", []
    file.write_text("date,bit\n2024-01-03,1\n2024-01-02,0\n2024-01-01,0\n")
    found = timed(file, column="bit", note=said.append)
    assert (found.symbols.tolist(), found.times) == ([0, 0, 1], ["2024-01-01", "2024-01-02", "2024-01-03"])
    assert said == ["date: the newest row stands first, so rows are read from the last to the first"]
    file.write_text("date,bit\n2024-01-03,1\n2024-01-05,0\n2024-01-01,0\n")
    assert timed(file, column="bit", note=said.append).symbols.tolist() == [1, 0, 0]
    assert said[1:] == ["date goes back in row 4: rows are taken as they stand, not sorted"]


def test_times_of_day_and_of_pipes(tmp_path, piped):
    file = tmp_path / "log.csv"
    file.write_text("time,bit\n2024-01-01 08:00,1\n2024-01-01 08:05,0\n")
    assert timed(file, column="bit").times == ["2024-01-01T08:00:00", "2024-01-01T08:05:00"]
    piped(b"date,bit\n03.01.2024,1\n", b"04.01.2024,0\n")
    assert timed("-", column="bit").times == ["03.01.2024", "04.01.2024"]
    piped(b"a,bit\nx,1\n")
    assert timed("-", column="bit", time="a").times == ["x"]


def test_symbols_without_times(tmp_path):
    (tmp_path / "bits.txt").write_text("0110")
    assert timed(tmp_path / "bits.txt").times is None
    with pytest.raises(InputError, match="--time: must be given with columns only"):
        timed(tmp_path / "bits.txt", time="date")
    np.save(tmp_path / "bits.npy", np.array([0, 1]))
    assert timed(tmp_path / "bits.npy").symbols.tolist() == [0, 1]
    (tmp_path / "bits.csv").write_text("bit\n0\n1\n")
    assert timed(tmp_path / "bits.csv").symbols.tolist() == [0, 1]
