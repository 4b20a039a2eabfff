"""Workbooks, json, parquet: their own types, and the texts among them."""

import datetime as dt
import decimal
import json
import zipfile

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from holdfast.data.readers.tables import TableOptions, read_table
from holdfast.errors import InputError, MissingExtra
from table_words import cells, kinds

NOON = dt.datetime(2024, 5, 1, 12)


# ---------------------------------------------------------------------------------------------------------- workbooks
@pytest.fixture
def workbook(tmp_path):
    def make(*rows, name="a.xlsx", others=()):
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        for title, more in others:
            sheet = book.create_sheet(title)
            for row in more:
                sheet.append(row)
        book.save(tmp_path / name)
        return tmp_path / name

    return make


def test_a_sheet_keeps_its_types(workbook):
    file = workbook(["n", "x", "t", "d", "m", "b"], [1, 0.5, "007", dt.datetime(2024, 5, 1), NOON, True], [None] * 6)
    table = read_table(file)
    assert kinds(table) == {"n": "integer", "x": "real", "t": "text", "d": "time", "m": "time", "b": "boolean"}
    assert cells(table) == {"n": [1], "x": [0.5], "t": ["007"], "d": [dt.date(2024, 5, 1)], "m": [NOON], "b": [True]}
    np.testing.assert_array_equal(table.rows, [2])


def test_texts_of_a_sheet_are_read_as_those_of_a_text_file(workbook):
    file = workbook(["Sales"], [], ["price", "sold", "x"], ["1.200,50 €", "2.500", 0.5], ["n/a", "3", 1.25])
    table = read_table(file)
    assert cells(table) == {"price": [1200.5, None], "sold": [2500, 3], "x": [0.5, 1.25]}
    np.testing.assert_array_equal(table.rows, [4, 5])
    assert any("as other columns tell" in note for note in table.notes)
    assert any("row 1 is above the names" in note for note in table.notes)


def test_texts_among_the_numbers_of_a_sheet(workbook):
    table = read_table(workbook(["a", "b", "c", "d"], [5, 5, 0.5, 1], ["n/a", "1,200.50", "2,500", "about"]))
    assert cells(table) == {"a": [5, None], "b": [5.0, 1200.5], "c": [0.5, 2500.0], "d": ["1", "about"]}
    assert [note for note in table.notes if note.startswith("a:")] == [
        "a: 1 cell is not a number: 'n/a' in row 3, and read as no value"
    ]
    assert "d: 1 of 2 cells are text, so all are read as text" in table.notes
    with pytest.raises(InputError, match=r"column 'd': must hold numbers; received 'about' in row 3"):
        read_table(workbook(["d"], [1], ["about"]), kinds={"d": "number"})


def test_text_among_numbers_that_leaves_its_decimal_sign_open(workbook):
    table = read_table(workbook(["a"], [5], ["2,500"]))
    assert cells(table) == {"a": ["5", "2,500"]}
    assert "--decimal" in table.notes[0]


def test_a_number_in_a_column_of_names_is_a_name(workbook):
    file = workbook(["id", "x"], [7, 1], ["007", 2], [None, 3])
    assert cells(read_table(file, kinds={"id": "text"}))["id"] == ["7", "007", None]


def test_sheets_by_name(workbook):
    file = workbook(["a"], [1], others=[("Second", [["b"], [2]])])
    table = read_table(file)
    assert table.names == ["a"]
    assert table.notes == ("sheet 'Sheet' of 'Sheet', 'Second'",)
    assert read_table(file, options=TableOptions(sheet="Second")).names == ["b"]
    with pytest.raises(InputError, match="sheet: must be one of Sheet, Second"):
        read_table(file, options=TableOptions(sheet="Third"))


def test_formulas_without_a_result_are_said(workbook):
    table = read_table(workbook(["a", "b"], [1, "=A2*2"], [2, "=A3*2"]))
    assert cells(table)["b"] == [None, None]
    assert any("2 formulas have no stored result, the first in row 2" in note for note in table.notes)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"a,b\n1,2\n"])
def test_what_is_no_workbook(tmp_path, content):
    (tmp_path / "a.xlsx").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.xlsx: must be an Excel workbook"):
        read_table(tmp_path / "a.xlsx")


def test_an_archive_that_is_no_workbook(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(InputError, match=r"a\.xlsx: must be an Excel workbook"):
        read_table(tmp_path / "a.xlsx")


def test_without_openpyxl_the_extra_is_named(workbook, monkeypatch):
    file = workbook(["a"], [1])
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(MissingExtra, match=r"pip install 'holdfast\[sql\]'"):
        read_table(file)


# --------------------------------------------------------------------------------------------------------------- json
def write(path, *objects):
    text = "\n".join(map(json.dumps, objects)) if path.suffix == ".jsonl" else json.dumps(objects)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_objects_become_rows(tmp_path, name):
    file = write(tmp_path / name, {"a": 1, "t": "007"}, {"t": "x", "l": [1, 2]}, {"a": 2.5, "b": True})
    table = read_table(file)
    assert kinds(table) == {"a": "real", "t": "text", "l": "other", "b": "boolean"}
    assert cells(table) == {
        "a": [1.0, None, 2.5],
        "t": ["007", "x", None],
        "l": [None, [1, 2], None],
        "b": [None, None, True],
    }
    np.testing.assert_array_equal(table.rows, [1, 2, 3])


def test_lines_are_counted_with_the_empty_ones(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n\n{"a": 2}\n')
    np.testing.assert_array_equal(read_table(tmp_path / "a.jsonl").rows, [1, 3])


def test_texts_in_json_stay_texts_unless_declared(tmp_path):
    file = write(tmp_path / "a.jsonl", {"a": "1,200.50", "d": "2024-05-01"}, {"a": "n/a", "d": "2024-05-02"})
    assert kinds(read_table(file)) == {"a": "text", "d": "text"}
    table = read_table(file, kinds={"a": "number", "d": "time"})
    assert cells(table) == {"a": [1200.5, None], "d": [dt.date(2024, 5, 1), dt.date(2024, 5, 2)]}


def test_large_whole_numbers_in_json_are_exact(tmp_path):
    file = write(tmp_path / "a.jsonl", {"a": 2**53 + 1, "b": 10**30, "c": 2**63}, {"a": -(2**63), "b": 1, "c": 0.5})
    table = read_table(file)
    assert cells(table) == {"a": [2**53 + 1, -(2**63)], "b": [str(10**30), "1"], "c": [2.0**63, 0.5]}
    assert cells(read_table(file, kinds={"b": "number"}))["b"] == [1e30, 1.0]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.jsonl", '{"a": 1}\n[1]\n', "object in every line; received '\\[1\\]' in row 2"),
        ("a.jsonl", '{"a": 1}\n{"a"\n', "must be json, and line 2 is not"),
        ("a.jsonl", '{"a": 1e999}', "line 1 is not; received 1e999 is beyond the largest double"),
        ("a.jsonl", '{"a": 1, "a": 2}', "the key 'a' is twice in one object"),
        ("a.jsonl", '{"a": 1' + "0" * 5000 + "}", "line 1 is not"),
        ("a.jsonl", "[" * 100_000, "line 1 is not"),
        ("a.jsonl", "{}\n{}\n", "objects with keys"),
        ("a.json", '{"a": 1}', "must be a list of objects.*ends in .jsonl; received dict"),
        ("a.json", "[]", "objects with keys"),
        ("a.json", "[1]", "object in every element of the list; received '1' in row 1"),
    ],
)
def test_other_json_is_refused(tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=words):
        read_table(tmp_path / name)


def test_kinds_that_do_not_fit_in_json(tmp_path):
    file = write(tmp_path / "a.jsonl", {"a": [1], "b": 1, "c": True}, {"a": [2], "b": "x", "c": 5})
    with pytest.raises(InputError, match=r"column 'a': must hold numbers; received '\[1\]' in row 1"):
        read_table(file, kinds={"a": "number"})
    with pytest.raises(InputError, match=r"column 'b': must hold numbers; received 'x' in row 2"):
        read_table(file, kinds={"b": "number"})
    assert cells(read_table(file, columns=["c"]))["c"] == ["true", "5"]


# ------------------------------------------------------------------------------------------------------------ parquet
def test_parquet_keeps_its_types(tmp_path):
    columns = {
        "i": pa.array([1, None], pa.int32()),
        "u": pa.array([2**64 - 1, 0], pa.uint64()),
        "f": pa.array([0.5, None], pa.float32()),
        "s": ["007", None],
        "c": pa.array(["x", "x"]).dictionary_encode(),
        "d": pa.array([dt.date(2024, 5, 1), None]),
        "m": pa.array([NOON, None], pa.timestamp("ms")),
        "z": pa.array([NOON.replace(tzinfo=dt.UTC), None], pa.timestamp("us", "Europe/Berlin")),
        "b": [True, None],
        "l": [[1, 2], None],
        "y": [b"x", None],
        "e": pa.array([decimal.Decimal("0.10"), None]),
        "n": pa.nulls(2),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.pq")
    table = read_table(tmp_path / "a.pq")
    wanted = {
        "i": ("integer", 1), "u": ("integer", 2**64 - 1), "f": ("real", 0.5), "s": ("text", "007"), "c": ("text", "x"),
        "d": ("time", dt.date(2024, 5, 1)), "m": ("time", NOON), "z": ("time", NOON), "b": ("boolean", True),
        "l": ("other", [1, 2]), "y": ("other", b"x"), "e": ("real", 0.1), "n": ("real", None),
    }  # fmt: skip
    assert {name: (kinds(table)[name], values[0]) for name, values in cells(table).items()} == wanted
    assert [name for name, values in cells(table).items() if values[1] is not None] == ["u", "c"]
    assert table.column("i").values.dtype == np.int32
    assert table.column("f").values.dtype == np.float32
    assert table.column("z").unit == "UTC"
    np.testing.assert_array_equal(table.rows, [1, 2])


def test_declared_columns_of_parquet(tmp_path):
    pq.write_table(pa.table({"id": [7, None], "s": ["1.200,50", "n/a"], "l": [[1], [2]]}), tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet", kinds={"id": "text", "s": "number"}, columns=["s", "id"])
    assert cells(table) == {"s": [1200.5, None], "id": ["7", None]}
    with pytest.raises(InputError, match=r"column 'l': must hold numbers; received values of type list"):
        read_table(tmp_path / "a.parquet", kinds={"l": "number"})
    assert len(read_table(tmp_path / "a.parquet", columns=["s"])) == 2


def test_a_parquet_file_without_rows(tmp_path):
    pq.write_table(pa.table({"a": pa.array([], pa.int64()), "s": pa.array([], pa.string())}), tmp_path / "a.parquet")
    table = read_table(tmp_path / "a.parquet")
    assert kinds(table) == {"a": "integer", "s": "text"}
    assert len(table) == 0


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1 broken PAR1", b"a,b\n1,2\n"])
def test_what_is_no_parquet(tmp_path, content):
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.parquet: must be a readable parquet file"):
        read_table(tmp_path / "a.parquet")
