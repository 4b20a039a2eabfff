"""What users' tables have done to readers: one test per trap."""

import datetime as dt
import os
import subprocess
import sys

import numpy as np
import pytest

from holdfast.data.readers.tables import SUFFIXES, TableOptions, is_table, open_table, read_table
from holdfast.errors import InputError
from holdfast.verbs.tables import write_table


@pytest.fixture
def read(tmp_path):
    """Reads a text as a table."""

    def reader(text, name="a.csv", written="utf-8", **options):
        known = {key: options.pop(key) for key in ("kinds", "columns", "bounds") if key in options}
        content = text.encode(written) if isinstance(text, str) else text
        (tmp_path / name).write_bytes(content)
        return read_table(tmp_path / name, options=TableOptions(**options), **known)

    return reader


def cells(table):
    return {column.name: column.tolist() for column in table.columns}


def kinds(table):
    return {c.name: c.kind for c in table.columns}


def said(table, *words):
    """The one note that has these words."""
    found = [note for note in table.notes if all(word in note for word in words)]
    assert len(found) == 1, table.notes
    return found[0]


# --------------------------------------------------------------------------------------------------- decimal signs
def test_a_number_among_money_with_decimal_commas_is_2500_and_not_2_point_5(read):
    table = read("item;price;sold\nsofa;1.200,50 EUR;2.500\nlamp;80,00 EUR;12\n")
    assert cells(table) == {"item": ["sofa", "lamp"], "price": [1200.5, 80.0], "sold": [2500, 12]}
    assert kinds(table) == {"item": "text", "price": "real", "sold": "integer"}
    assert table.column("price").unit == "EUR"
    assert "decimal comma, point between thousands" in said(table, "price:")
    assert "as other columns tell" in said(table, "sold:")


def test_a_point_that_nothing_explains_is_not_guessed(read):
    text = "item;amount\na;2.500\nb;3.125\n"
    table = read(text)
    assert cells(table)["amount"] == ["2.500", "3.125"]
    assert "--decimal" in said(table, "amount:", "'2.500' in row 2")
    with pytest.raises(InputError, match=r"column 'amount'.*--decimal \. or --decimal ,.*'2\.500' in row 2 \(2 such"):
        read(text, kinds={"amount": "number"})
    assert cells(read(text, decimal=","))["amount"] == [2500, 3125]
    assert cells(read(text, decimal="."))["amount"] == [2.5, 3.125]


def test_the_cells_of_the_column_itself_come_first(read):
    table = read("a;b;c\n2.500;2.500;0.5\n1.5;1.500.000;2\n")
    assert cells(table) == {"a": [2.5, 1.5], "b": [2500, 1500000], "c": [0.5, 2.0]}


def test_columns_that_contradict_each_other_decide_nothing_for_a_third(read):
    table = read("a;b;c\n0.5;0,5;1.234\n")
    assert cells(table) == {"a": [0.5], "b": [0.5], "c": ["1.234"]}
    assert "nothing tells" in said(table, "c:")


def test_a_column_that_contradicts_itself_is_no_number(read):
    table = read("a;b\n0.5;1\n0,5;2\n")
    assert cells(table)["a"] == ["0.5", "0,5"]
    assert "decimal points and commas ('0.5' in row 2 and '0,5' in row 3)" in said(table, "a:")
    with pytest.raises(InputError, match="must have one decimal sign"):
        read("a;b\n0.5;1\n0,5;2\n", kinds={"a": "number"})


def test_commas_between_cells_mean_decimal_points_which_is_said(read):
    table = read('a,b\n1.234,"5,678"\n')
    assert cells(table) == {"a": [1.234], "b": [5678]}
    assert "commas separate the cells (--decimal decides)" in said(table, "a:")
    assert cells(read('a,b\n1.234,"5,678"\n', decimal=",")) == {"a": [1234], "b": [5.678]}
    assert cells(read('a,b\n1.234,"0,5"\n')) == {"a": [1234], "b": [0.5]}  # another column knows better


def test_the_option_must_fit(read):
    with pytest.raises(InputError, match=r"decimal comma, as --decimal says; received '1\.5' in row 2"):
        read("a;b\n1.5;2\n", decimal=",", kinds={"a": "number"})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(1,200.50)", -1200.5), ("1,200.50-", -1200.5), ("$1,200.50", 1200.5), ("-$ 5.00", -5.0), ("$(5.25)", -5.25),
        ("USD 1,200.50", 1200.5), ("1,200.50 kr", None), ("1’200.50", 1200.5), ("1 200.50", 1200.5),
        ("1\u00a0200.50", 1200.5),
        ("12,34,567.5", 1234567.5), ("+5.5", 5.5), ("−5.5", -5.5), ("5.", 5.0), (".5", 0.5), ("1.5e3", 1500.0),
        ("1,23.5", None),
        ("1,2345.5", None), ("(5.5", None), ("(-5.5)", None), ("5.5%%", None), ("1_000.5", None), ("0x1F", None),
        ("٣", None),
        ("1.5 2.5", None), ("Infinity", np.inf), ("1e400", None), ("-1e-400", -0.0),
    ],
)  # fmt: skip
def test_ways_to_write_a_number(read, text, value):
    table = read(f"a\tb\n{text}\tx\n", decimal=".")
    assert cells(table)["a"] == [text if value is None else value]


# ------------------------------------------------------------------------------------------------ money and percent
def test_percentages_are_fractions_as_in_spreadsheets(read):
    table = read("share,x\n12.5%,1\n7 %,2\n")
    assert cells(table)["share"] == [0.125, 0.07]
    assert table.column("share").unit == "%"
    assert "'12.5%' in row 2 is read as 0.125" in said(table, "share:")


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (["5 €", "$7"], "money of several kinds"),
        (["5 %", "7"], "1 cells with and 1 without a percent sign"),
        (["5 €", "7 %"], "percent sign"),
    ],
)
def test_units_are_not_mixed(read, column, words):
    text = "a;b\n" + "".join(f"{cell};x\n" for cell in column)
    table = read(text)
    assert cells(table)["a"] == column
    assert words in said(table, "a:")
    with pytest.raises(InputError, match="column 'a'"):
        read(text, kinds={"a": "number"})


def test_a_sign_of_money_in_some_rows_is_one_unit(read):
    table = read("a;b\n5,50 €;x\n7;x\n3 EUR;x\n")
    assert cells(table)["a"] == [5.5, 7.0, 3.0]
    assert table.column("a").unit == "EUR"


# ------------------------------------------------------------------------------------------------- words for no value
def test_words_for_no_value_are_counted_with_an_example(read):
    table = read("price\n1\nn/a\n-\n4\nNULL\n")
    assert cells(table)["price"] == [1, None, None, 4, None]
    assert said(table, "price:") == "price: 3 cells are not numbers, such as 'n/a' in row 3, and read as no value"


def test_a_cell_that_is_no_number_is_named(read):
    text = "price\n1\n2\nabout 3\n4\n"
    table = read(text)
    assert kinds(table) == {"price": "text"}
    assert said(table, "price:") == "price: 1 cell is not a number: 'about 3' in row 4, so it is read as text"
    with pytest.raises(InputError, match="column 'price': must hold numbers; received 'about 3' in row 4"):
        read(text, kinds={"price": "number"})


def test_the_users_own_words_for_no_value(read):
    table = read("a,b\n-999,none\n5,missing here\n", null=["-999", "Missing here"])
    assert cells(table) == {"a": [None, 5], "b": ["none", None]}
    assert cells(read("a\nn/a\n5\n", null=["-999"])) == {"a": ["n/a", "5"]}


def test_the_plain_words_stay_in_texts(read):
    assert cells(read("country,x\nNA,1\nUS,2\nnull,3\n,4\n"))["country"] == ["NA", "US", "null", None]


# -------------------------------------------------------------------------------------------------------------- names
def test_ids_and_names_are_exactly_as_written(read):
    text = "id,name,code\n007, NA ,1e5\n1e5,null,1.50\n42,true,0010\n"
    table = read(text, kinds=dict.fromkeys(("id", "name", "code"), "text"))
    assert cells(table) == {
        "id": ["007", "1e5", "42"],
        "name": [" NA ", "null", "true"],
        "code": ["1e5", "1.50", "0010"],
    }
    assert "kept as text" in said(table, "name:")


def test_leading_zeros_make_names_of_numbers_unless_declared(read):
    text = "zip,x\n01234,1.5\n98765,2.5\n"
    assert cells(read(text))["zip"] == ["01234", "98765"]
    assert "'01234' in row 2" in said(read(text), "zip:")
    assert cells(read(text, kinds={"zip": "number"}))["zip"] == [1234, 98765]


def test_a_leading_zero_far_down_is_seen_too(read):
    text = "zip,x\n" + "1234,1.5\n" * 3000 + "00017,2.5\n"
    table = read(text)
    assert cells(table)["zip"][-1] == "00017"
    assert "in row 3002" in said(table, "zip:")


def test_codes_that_look_like_powers_of_ten_are_names_unless_declared(read):
    text = "code,x\n12e3,0.5\n7,1e3\n"
    table = read(text)
    assert cells(table) == {"code": ["12e3", "7"], "x": [0.5, 1000.0]}
    assert "'12e3' in row 2" in said(table, "code:")
    assert cells(read(text, kinds={"code": "number"}))["code"] == [12000.0, 7.0]
    assert cells(read("x\n1e-05\n2e+06\n3\n"))["x"] == [1e-05, 2e6, 3.0]


def test_whole_numbers_are_exact_or_texts(read):
    table = read("a,b\n9007199254740993,123456789012345678901\n-9223372036854775808,1\n")
    assert cells(table)["a"] == [2**53 + 1, -(2**63)]
    assert cells(table)["b"] == ["123456789012345678901", "1"]
    assert "too many digits" in said(table, "b:")
    declared = read("b\n123456789012345678901\n1\n", kinds={"b": "number"})
    assert cells(declared)["b"] == [123456789012345678901.0, 1.0]


def test_truths(read):
    table = read("a,b\nTrue,true\nFALSE,\n")
    assert kinds(table) == {"a": "boolean", "b": "boolean"}
    assert cells(table) == {"a": [True, False], "b": [True, None]}
    np.testing.assert_array_equal(table.column("b").numbers(), [1, np.nan])


# -------------------------------------------------------------------------------------------------------------- dates
DAYS = "when,x\n03/04/2024,1\n05/06/2024,2\n"


def test_a_date_that_nothing_explains_is_not_guessed(read):
    assert cells(read(DAYS))["when"] == ["03/04/2024", "05/06/2024"]
    assert "--day-first or --month-first" in said(read(DAYS), "when:", "'03/04/2024' in row 2")
    with pytest.raises(InputError, match=r"column 'when'.*--day-first or --month-first"):
        read(DAYS, kinds={"when": "time"})
    assert cells(read(DAYS, day_first=True))["when"] == [dt.date(2024, 4, 3), dt.date(2024, 6, 5)]
    assert cells(read(DAYS, day_first=False))["when"] == [dt.date(2024, 3, 4), dt.date(2024, 5, 6)]


def test_a_cell_or_another_column_tells_the_order_of_days(read):
    table = read("a,b\n03/04/2024,01/02/2024\n25/04/2024,03/02/2024\n")
    assert cells(table)["a"] == [dt.date(2024, 4, 3), dt.date(2024, 4, 25)]
    assert cells(table)["b"] == [dt.date(2024, 2, 1), dt.date(2024, 2, 3)]
    assert "day first, as '25/04/2024' in row 3 tells" in said(table, "a:")
    assert "as other columns tell" in said(table, "b:")


def test_dates_that_cannot_be(read):
    table = read("a,b\n2024-02-30,13/12/2024\n2024-03-01,12/13/2024\n")
    assert kinds(table) == {"a": "text", "b": "text"}
    assert "no date: '2024-02-30' in row 2" in said(table, "a:")
    assert "both orders" in said(table, "b:")
    with pytest.raises(InputError, match="with the day first, as --day-first says; received '12/13/2024'"):
        read("a\n12/13/2024\n", day_first=True, kinds={"a": "time"})


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-05-01", "2024-05-01"), ("2024/5/1", "2024-05-01"), ("01.05.2024", "2024-05-01"),
        ("1 May 2024", "2024-05-01"),
        ("May 1, 2024", "2024-05-01"), ("1st Sept 2024", "2024-09-01"), ("2024-05", "2024-05-01"),
        ("2024Q2", "2024-04-01"),
        ("2024-05-01 13:30", "2024-05-01T13:30"), ("2024-05-01T13:30:15.25", "2024-05-01T13:30:15.25"),
        ("2024-05-01T13:30:15.123456789", "2024-05-01T13:30:15.123456789"), ("2024-05-01 1:30 PM", "2024-05-01T13:30"),
        ("2024-05-01 12:00 am", "2024-05-01T00:00"), ("2024-05-01T00:30+02:00", "2024-04-30T22:30"),
        ("2024-05-01T12:00Z", "2024-05-01T12:00"), ("0001-01-01", "0001-01-01"), ("9999-12-31", "9999-12-31"),
    ],
)  # fmt: skip
def test_ways_to_write_a_moment(read, text, moment):
    column = read(f"a;b\n{text};x\n").column("a")
    assert column.kind == "time"
    assert column.values[0] == np.datetime64(moment)


def test_zones_throughout_or_nowhere(read):
    column = read("a\n2024-05-01T12:00+02:00\n2024-12-01T12:00+01:00\n").column("a")
    assert column.unit == "UTC"
    assert column.values.tolist() == [dt.datetime(2024, 5, 1, 10), dt.datetime(2024, 12, 1, 11)]
    with pytest.raises(InputError, match="time zone throughout"):
        read("a\n2024-05-01T12:00+02:00\n2024-12-01T12:00\n", kinds={"a": "time"})


def test_steps_are_times_to_those_who_ask_for_times(read):
    assert cells(read("t,x\n1,5\n2,6\n", kinds={"t": "time"}))["t"] == [1, 2]
    with pytest.raises(InputError, match=r"column 't': must hold dates.*'soon' in row 2"):
        read("t,x\nsoon,5\n", kinds={"t": "time"})


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
    for column in read("a,b,c\n1,0.5,x\n2,1.5,y\n").columns:
        column.values[0] = column.values[1]  # raises where memory is shared with the file


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
    for suffix, name in (
        (".csv", "'=1+1"),
        (".parquet", "=1+1"),
    ):  # texts that a spreadsheet would run get an apostrophe
        write_table(tmp_path / f"a{suffix}", columns)
        table = read_table(tmp_path / f"a{suffix}", kinds={"name": "text"})
        assert cells(table)["name"] == [name, "NA", "a,b"]
        assert cells(table)["n"] == [1, -2, 2**53 + 1]
        assert cells(table)["x"] == [0.1, None, -1e-300]
        assert np.datetime_as_string(table.column("when").values, "D").tolist() == ["2024-05-01", "NaT", "2024-05-02"]
