"""What the cells of users' tables have done to readers: one test per trap."""

import datetime as dt

import numpy as np
import pytest

from holdfast.errors import InputError
from table_words import cells, kinds, said


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
