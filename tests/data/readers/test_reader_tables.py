"""How users' tables are laid out, encoded and named, and what that has done to readers."""

import os
import subprocess
import sys

import numpy as np
import pytest

from holdfast.data.readers.tables import SUFFIXES, TableOptions, is_table, open_table, read_table
from holdfast.errors import InputError
from holdfast.verbs.tables import write_table
from table_words import cells, said


# ---------------------------------------------------------------------------------------------------------- encodings
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_encodings_are_found(read, encoding):
    table = read("Größe;Stück\n1,5;Käse\n", written=encoding)
    assert cells(table) == {"Größe": [1.5], "Stück": ["Käse"]}
    if encoding == "cp1252":
        assert "'Größe;Stück'" in said(table, "encoding:", "Windows-1252")


@pytest.mark.parametrize(
    ("encoding", "word"),
    [
        ("cp1251", "Москва"),
        ("koi8-r", "Москва"),
        ("iso-8859-7", "Αθήνα"),
        ("shift_jis", "東京都庁"),
        ("gb18030", "北京市区"),
    ],
)
def test_an_encoding_that_nothing_tells_is_asked_for(read, encoding, word):
    with pytest.raises(InputError, match="--encoding"):
        read(f"{word},x\n{word},1\n", written=encoding)
    assert cells(read(f"{word},x\n{word},1\n", written=encoding, encoding=encoding)) == {word: [word], "x": [1]}


def test_another_encoding_than_the_user_said(read):
    with pytest.raises(InputError, match=r"must be text in utf-8.*bytes e9 0a 31 in line 1"):
        read(b"caf\xe9\n1", encoding="utf-8")


@pytest.mark.parametrize("content", [b"\0\1\2", b"a,b\n1,\0\n", b"GIF89a\x01\x02", b"\x81\x8d\n"])
def test_what_is_no_text(read, content):
    with pytest.raises(InputError, match=r"a\.csv: must be"):
        read(content)


# -------------------------------------------------------------------------------------------------------------- layout
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.tsv"])
def test_delimiters_are_found_whatever_the_ending(read, delimiter, name):
    table = read(delimiter.join("ab") + "\n" + delimiter.join(["1.5", "x"]) + "\n", name=name)
    assert cells(table) == {"a": [1.5], "b": ["x"]}


def test_excels_line_about_the_separator(read):
    table = read("sep=;\na;b\n1,5;2\n")
    assert cells(table) == {"a": [1.5], "b": [2]}
    np.testing.assert_array_equal(table.rows, [3])


def test_one_column_keeps_commas_in_its_text(read):
    assert cells(read("text\nHello, you\nHi\n")) == {"text": ["Hello, you", "Hi"]}


def test_rows_above_the_names(read):
    table = read("Sales of the north\n2024;;\n\nname;price;sold\nsofa;1,5;2\n\nlamp;2,5;3\n")
    assert cells(table) == {"name": ["sofa", "lamp"], "price": [1.5, 2.5], "sold": [2, 3]}
    np.testing.assert_array_equal(table.rows, [5, 7])
    assert "rows 1 to 2 are above the names, which are in row 4" in said(table, "--header")
    assert "row 6 is empty" in said(table, "empty")


def test_the_row_of_names_can_be_told(read):
    text = "one,two\nthree,four\n1,2\n"
    assert cells(read(text, header=2)) == {"three": [1], "four": [2]}
    assert cells(read(text, header=0))["column_1"] == ["one", "three", "1"]
    with pytest.raises(InputError, match=r"--header.*received 3 rows"):
        read(text, header=9)


def test_a_first_row_of_numbers_is_not_taken_for_names(read):
    with pytest.raises(InputError, match=r"--header 0.*--header 1.*received 5\.1, 3\.5"):
        read("5.1,3.5\n4.9,3.0\n")
    assert cells(read("5.1,3.5\n4.9,3.0\n", header=0)) == {"column_1": [5.1, 4.9], "column_2": [3.5, 3.0]}
    assert cells(read("5.1,3.5\n4.9,3.0\n", header=1)) == {"5.1": [4.9], "3.5": [3.0]}
    table = read("2019,2020,2021\n1,2,3\n")
    assert table.names == ["2019", "2020", "2021"]
    assert "taken for names" in said(table, "2019, 2020, 2021")
    with pytest.raises(InputError, match="'Report' above rows of 2 cells"):
        read("Report\n1;2\n3;4\n")


def test_names_that_are_missing_or_repeated(read):
    table = read("a,,a,b\n1,2,3,4\n")
    assert cells(table) == {"a_1": [1], "column_2": [2], "a_2": [3], "b": [4]}
    assert "'a' is the name of 2 columns" in said(table, "a_1, a_2")
    assert said(table, "without a name", "column_2")
    with pytest.raises(InputError, match="must have a column 'a'"):
        read("a,,a,b\n1,2,3,4\n", columns=["a"])


def test_separators_at_the_ends_of_lines_make_no_column(read):
    assert cells(read("a,b,\n1,2,\n3,4,\n")) == {"a": [1, 3], "b": [2, 4]}
    assert cells(read("a,b\n1,2,\n3,4,,\n")) == {"a": [1, 3], "b": [2, 4]}
    late = "a,b,\n" + "1,2,\n" * 300 + "1,2,x\n"
    with pytest.raises(InputError, match="column_3: must have a name; received 'x' in row 302"):
        read(late)


def test_short_rows_are_filled_up_and_long_ones_refused(read):
    table = read("a,b,c\n1,2,3\n4\n5,6\n")
    assert cells(table) == {"a": [1, 4, 5], "b": [2, None, 6], "c": [3, None, None]}
    assert "row 3 has 1 of 3 cells" in said(table, "(2 such rows)")
    with pytest.raises(InputError, match=r"at most 2 cells.*3 in row 3 \(2 such rows\)"):
        read("a,b\n1,2\n3,4,5\n6,7,8\n")
    with pytest.raises(InputError, match="3 in row 2"):
        read("a,b\nx,y,z\n")


def test_rows_are_numbered_as_a_spreadsheet_does(read):
    table = read('a,b\r\n1,"two\r\nlines"\r\n\r\n,\r\n3,x\r\n')
    np.testing.assert_array_equal(table.rows, [2, 5])
    assert cells(table)["b"] == ["two\r\nlines", "x"]
    assert "(2 such rows)" in said(table, "row 3 is empty")


def test_an_empty_line_of_a_single_column_is_a_missing_value(read):
    table = read("v\n1\n\n3\n\n\n")
    assert cells(table) == {"v": [1, None, 3]}
    np.testing.assert_array_equal(table.rows, [2, 3, 4])


@pytest.mark.parametrize("text", ['a,b\n1,"2\n', 'a,b\n1,"2"x\n3,"4"\n', 'a,b\n1,"2\n3,4\n5,"6"\n'])
def test_quotes_that_do_not_close_swallow_nothing(read, text):
    with pytest.raises(InputError, match=r"must have quotes only around whole cells.*row"):
        read(text)


def test_line_ends_of_all_kinds(read):
    for end in ("\n", "\r\n", "\r"):
        assert cells(read(f"a,b{end}1,x{end}2,y{end}")) == {"a": [1, 2], "b": ["x", "y"]}


@pytest.mark.parametrize("text", ["", "\n\n", " \n,\n"])
def test_nothing_in_it(read, text):
    with pytest.raises(InputError, match=r"a\.csv: must"):
        read(text)


def test_names_alone_are_a_table_without_rows(read):
    table = read("a,b\n")
    assert (len(table), table.names) == (0, ["a", "b"])
    assert table.frame().shape == (0, 2)


# ------------------------------------------------------------------------------------------------------ what is chosen
def test_columns_are_chosen_in_order_and_the_others_still_tell(read):
    table = read("a;b;c\n1.500;x;0,5\n", columns=["b", "a"])
    assert cells(table) == {"b": ["x"], "a": [1500]}
    assert table.names == ["b", "a"]
    with pytest.raises(InputError, match=r"must have a column 'price' \(did you mean 'prices'\?\).*'prices', 'x'"):
        read("prices,x\n1,2\n", columns=["price"])
    with pytest.raises(InputError, match="must have a column 'y'"):
        read("x\n1\n", kinds={"y": "number"})


def test_a_table_as_a_frame(read):
    frame = read("n,i,x,t,b,d\n1,,0.5,a,true,2024-01-01\n2,3,,,,\n").frame()
    assert [str(kind) for kind in frame.dtypes] == ["int64", "Int64", "float64", "object", "boolean", "datetime64[s]"]
    assert frame["t"].tolist() == ["a", None]
    assert frame["i"].tolist()[1] == 3
    assert frame["i"].isna().tolist() == [True, False]


def test_columns_are_the_readers_own_arrays(read):
    table = read("a,b,c\n1,0.5,x\n2,1.5,y\n")
    for column in table.columns:
        column.values[0] = column.values[1]  # raises where memory is shared with the file
    assert [column.tolist() for column in table.columns] == [[2, 2], [1.5, 1.5], ["y", "y"]]


def test_numbers_of_columns_that_hold_none(read):
    with pytest.raises(InputError, match="column 'a': must hold numbers"):
        read("a,b\nx,1\n").column("a").numbers()


# ---------------------------------------------------------------------------------------------------------- endings
@pytest.mark.parametrize("name", ["a.xls", "a.ods", "a", "a.gz", "a.parquet.gz", "a.csv.zip", "a.csv.bak", ".csv"])
def test_other_endings_are_refused_with_the_list(tmp_path, name):
    (tmp_path / name).write_text("a,b\n1,2\n")
    assert not is_table(name)
    with pytest.raises(InputError, match=r"must end in one of \.csv \.tsv \.txt \.csv\.gz .*\.parquet \.pq \.xlsx"):
        read_table(tmp_path / name)


def test_endings_are_known_whatever_their_case():
    assert all(is_table(f"a{suffix}") and is_table(f"A{suffix.upper()}") for suffix in SUFFIXES)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".csv.gz"])
def test_a_pipe_is_refused_at_once(tmp_path, suffix):
    os.mkfifo(tmp_path / f"a{suffix}")
    with pytest.raises(InputError, match="must be a file; received a pipe"):
        open_table(tmp_path / f"a{suffix}")


def test_devices_folders_and_nothing(tmp_path):
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    (tmp_path / "folder.csv").mkdir()
    for name, what in (
        ("zero", "a device"),
        ("folder", "a folder"),
        ("lost", "nothing there"),
        ("x" * 300, "too long"),
    ):
        with pytest.raises(InputError, match=what):
            read_table(tmp_path / f"{name}.csv")


# ------------------------------------------------------------------------------------------------------------- options
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("decimal", "comma"), ("encoding", "nosuch"), ("encoding", "base64"), ("header", -1), ("header", True),
        ("day_first", "yes"), ("null", "n/a"), ("null", [1]), ("delimiter", " "),
    ],
)  # fmt: skip
def test_options_are_checked(field, value):
    with pytest.raises(InputError, match=f"^{field}: must"):
        TableOptions(**{field: value})


def test_options_and_roles_need_no_heavy_library():
    code = (
        "import sys; from holdfast.data.readers.tables import Bounds, TableOptions; "
        "from holdfast.data.readers.roles import Role; TableOptions(null=['x']); Role('label'); "
        "print([m for m in ('torch', 'numpy', 'pandas', 'pyarrow') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_reading_a_table_loads_no_torch(tmp_path):
    (tmp_path / "a.csv").write_text("a;b\n1,5;x\n")
    code = (
        "import sys; from holdfast.data.readers import read_table; "
        f"read_table({str(tmp_path / 'a.csv')!r}); print([m for m in ('torch', 'PIL') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_what_the_commands_write_is_read_back(tmp_path):
    columns = {
        "name": ["=1+1", "NA", "a,b"],
        "n": np.array([1, -2, 2**53 + 1]),
        "x": np.array([0.1, np.nan, -1e-300]),
        "when": np.array(["2024-05-01", "NaT", "2024-05-02"], "datetime64[D]"),
    }
    # In csv files, texts that a spreadsheet would run get an apostrophe.
    for suffix, name in ((".csv", "'=1+1"), (".parquet", "=1+1")):
        write_table(tmp_path / f"a{suffix}", columns)
        table = read_table(tmp_path / f"a{suffix}", kinds={"name": "text"})
        assert cells(table)["name"] == [name, "NA", "a,b"]
        assert cells(table)["n"] == [1, -2, 2**53 + 1]
        assert cells(table)["x"] == [0.1, None, -1e-300]
        assert np.datetime_as_string(table.column("when").values, "D").tolist() == ["2024-05-01", "NaT", "2024-05-02"]
