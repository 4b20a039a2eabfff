"""Tables of every kind of file, with names and cells that are hard for SQL."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.systems.binder.columntypes import MONTHS, parse_date, plain, typed
from holdfast.systems.binder.table import MAX_COLUMNS, Table, unique_names

FRAME = pd.DataFrame({"City": ["Oslo", None, "Bergen"], "n": [1, 2, 3], "x": [0.5, np.nan, 2.0]})
ROWS = [("Oslo", 1, 0.5), (None, 2, None), ("Bergen", 3, 2.0)]


def write(kind: str, path: Path) -> None:
    if kind == "csv":
        FRAME.to_csv(path, index=False)
    elif kind == "tsv":
        FRAME.to_csv(path, index=False, sep="\t")
    elif kind == "parquet":
        FRAME.to_parquet(path)
    elif kind == "xlsx":
        pytest.importorskip("openpyxl")
        FRAME.to_excel(path, index=False)
    elif kind == "sqlite":
        with sqlite3.connect(path) as connection:
            FRAME.to_sql("order", connection, index=False)
        connection.close()
    else:
        duckdb = pytest.importorskip("duckdb")
        with duckdb.connect(str(path)) as connection:
            connection.register("frame", FRAME)
            connection.execute('CREATE TABLE "order" AS SELECT * FROM frame')


@pytest.mark.parametrize("kind", ["csv", "tsv", "parquet", "xlsx", "sqlite", "duckdb"])
def test_every_kind_of_file_gives_the_same_table(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"my cities.{kind}"
    write(kind, path)
    table = Table.from_file(path)
    assert (table.columns, table.types) == (("City", "n", "x"), ("text", "int", "real"))
    assert list(table.rows()) == ROWS
    assert table.title == ("order" if kind in ("sqlite", "duckdb") else "my cities")  # a keyword is a name like another
    assert Table.from_file(path, title="T").title == "T"


def test_files_with_several_tables_ask_for_a_name(tmp_path: Path) -> None:
    path = tmp_path / "two.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE select_ (a)")
        connection.execute('CREATE TABLE "b""x" (a)')
        connection.execute("CREATE VIEW v AS SELECT readfile('x')")
    connection.close()
    with pytest.raises(InputError, match='name one of b"x, select_'):
        Table.from_file(path)
    assert len(Table.from_file(path, table='b"x')) == 0
    with pytest.raises(InputError, match=r"must be one of .*received v"):
        Table.from_sqlite(path, table="v")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "columns' names"),
        ("a.csv", b"a,b\n1,2,3\n", "must be a CSV file"),
        ("a.csv", b"a\n\xff\xfe\n", "must be in UTF-8"),
        ("a.csv", b"x" * 200_000 + b"\n", "must be a CSV file"),
        ("a.parquet", b"no", "must be a parquet file"),
        ("a.xlsx", b"no", "must be an Excel workbook"),
        ("a.sqlite", b"no" * 600, "must be a SQLite file"),
        ("a.duckdb", b"no" * 6000, "must be a DuckDB file"),
        ("a.pdf", b"", "must end in one of"),
    ],
)
def test_broken_files_are_told(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        Table.from_file(tmp_path / name)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no such file"):
        Table.from_file(tmp_path / f"other{Path(name).suffix}" if name != "a.pdf" else tmp_path / "b.csv")


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_the_first_line_tells_the_separator(sign: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f'city{sign}"a{sign}, b"{sign}c\nNaples{sign}"1, 2; 3"{sign}4\n')
    table = Table.from_csv(path)
    assert (table.columns, list(table.rows())) == (
        ("city", f"a{sign}, b".replace("\t", "\\t"), "c"),
        [("Naples", "1, 2; 3", 4)],
    )
    path.write_text("only one; or two\n1\n")
    assert len(Table.from_csv(path, sep=",").columns) == 1


def test_a_csv_file_as_people_have_them(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('\ufeffid,id,"a\nb",,"q""x"\n007,1,"1,5",x,\n008,2,,NA,\'\n', encoding="utf-8")
    table = Table.from_csv(path)
    assert table.columns == ("id", "id_2", "a\\nb", "column_4", 'q"x')
    assert table.types == ("text", "int", "text", "text", "text")
    assert list(table.rows()) == [("007", 1, "1,5", "x", None), ("008", 2, None, "NA", "'")]


# ------------------------------------------------------------------------------------------------------ names and cells
@given(st.lists(st.text(max_size=6), min_size=1, max_size=12))
def test_names_are_unique_without_regard_to_case(names: list[str]) -> None:
    unique = unique_names(names)
    folded = [name.casefold() for name in [*unique, "row_id"]]
    assert len(set(folded)) == len(folded)
    assert all((name and name.isprintable()) or " " in name or name for name in unique)
    assert unique_names(unique) == unique


def test_odd_names_are_kept_as_far_as_sql_allows() -> None:
    names = ["a", "A", "", "Row_ID", "sel\tect", 'q"`x', "größe", "名前", "a\0b", "w", "select"]
    expected = ["a", "A_2", "column_3", "Row_ID_2", "sel\\tect", 'q"`x', "größe", "名前", "ab", "w", "select"]
    assert unique_names(names) == expected


def test_size_limits_and_wrong_input() -> None:
    wide = pd.DataFrame(np.zeros((1, MAX_COLUMNS + 1)))
    with pytest.raises(InputError, match="at most 1500 columns; received 1501"):
        Table.from_pandas(wide)
    with pytest.raises(InputError, match=r"at least one .* received 0"):
        Table.from_pandas(pd.DataFrame(index=[0, 1]))
    with pytest.raises(InputError, match=r"pandas\.DataFrame"):
        Table.from_pandas([[1]])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="same number of cells"):
        Table.from_dict({"a": [1], "b": []})
    with pytest.raises(InputError, match="1 in row 0"):
        Table.from_rows(["a", "b"], [["x"]])


@pytest.mark.parametrize(
    ("cells", "kind", "expected"),
    [
        ([1, 2.5, None], "real", [1.0, 2.5, None]),
        ([1, "x", 2.5, None], "text", ["1", "x", "2.5", None]),
        ([True, None], "text", ["true", None]),
        ([dt.date(2024, 1, 2), pd.NaT], "text", ["2024-01-02", None]),
        ([2**70, 1], "text", [str(2**70), "1"]),
        ([b"a\0b", float("nan")], "text", ["ab", None]),
        ([float("inf"), 1.5, None], "real", [float("inf"), 1.5, None]),
        ([np.array([1, 2]), np.array([3])], "text", ["[1, 2]", "[3]"]),
        ([[1, 2], {"a": None}], "text", ["[1, 2]", '{"a": null}']),
        ([None, None], "text", [None, None]),
    ],
)
def test_cells_of_mixed_types(cells: list[Any], kind: str, expected: list[Any]) -> None:
    table = Table.from_dict({"a": cells})
    assert table.types == (kind,)
    assert [row[0] for row in table.rows()] == expected


@pytest.mark.parametrize(
    ("series", "kind", "expected"),
    [
        (pd.Series([1.0, None]), "int", [1, None]),
        (pd.Series([1.0, 2.0]), "real", [1.0, 2.0]),
        (pd.to_datetime(pd.Series(["2024-01-02", None])), "date", ["2024-01-02", None]),
        (pd.Series([True, False]), "text", ["true", "false"]),
        (pd.Series(["x", None], dtype="category"), "text", ["x", None]),
        (pd.Series([2**63, 1], dtype="uint64"), "text", [str(2**63), "1"]),
        (pd.Series([1, None], dtype="Int8"), "int", [1, None]),
        (pd.Series([1.0, None, -float("inf")]), "real", [1.0, None, -float("inf")]),
    ],
)
def test_columns_of_pandas(series: pd.Series, kind: str, expected: list[Any]) -> None:
    table = Table.from_pandas(pd.DataFrame({"a": series}))
    assert table.types == (kind,)
    assert [row[0] for row in table.rows()] == expected


def test_normalisation_is_a_step_of_its_own() -> None:
    raw = Table.from_dict(
        {
            " Home  Team": ["  Ajax ", "PSV\n"],
            "Att": ["12,345", "—"],
            "Share": ["1.5", "2"],
            "Day": ["Sept 7, 2007", "n/a"],
            "Zip": ["00501", "10001"],
            "Mixed": ["10 ft", "7"],
            "N": [3, None],
        },
        title="T",
    )
    assert raw.types == ("text",) * 6 + ("int",)
    clean = raw.normalized()
    assert clean.columns == ("home team", "att", "share", "day", "zip", "mixed", "n")
    assert clean.types == ("text", "int", "real", "date", "text", "text", "int")
    assert list(clean.rows()) == [
        ("ajax", 12345, 1.5, "2007-09-07", "00501", "10 ft", 3),
        ("psv", None, 2.0, None, "10001", "7", None),
    ]
    assert list(clean.normalized().rows()) == list(clean.rows())
    assert next(raw.rows())[0] == "  Ajax "


@given(st.lists(st.one_of(st.none(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=4)), max_size=8))
def test_any_column_can_be_normalised(cells: list[Any]) -> None:
    table = Table.from_dict({"a": cells}).normalized()
    assert len(list(table.rows())) == len(cells)
    wanted = {"int": int, "real": float, "text": str, "date": str}[table.types[0]]
    assert all(value is None or isinstance(value, wanted) for (value,) in table.rows())


@given(st.lists(st.one_of(st.integers(-(10**17), 10**17).map(str), st.floats(allow_nan=False).map(repr)), min_size=1))
def test_types_are_found_from_texts(texts: list[str]) -> None:
    kind, values = typed(texts)
    if kind != "text":
        assert all(values[text] == (int(text) if kind == "int" else float(text)) for text in texts)
    assert (kind == "int") == all(text.lstrip("-").isdigit() for text in texts)


@given(st.lists(st.text("0189.,+-eE", max_size=6), min_size=1, max_size=4))
def test_what_is_made_of_a_number_s_signs_is_read_as_python_reads_it_or_stays_text(texts: list[str]) -> None:
    kind, values = typed(texts)
    if kind != "text":
        assert values == {text: float(text) if text else None for text in texts}
    Table.from_dict({"a": texts}).normalized()  # reads "1,200" too


def test_large_whole_numbers_keep_their_digits(tmp_path: Path) -> None:
    large = [2**53 + 1, None, -(2**63), 2**63 - 1]
    path = tmp_path / "a.csv"
    path.write_text("id,more\n" + "".join(f"{'' if n is None else n},{2**63}\n" for n in large))
    for table in (Table.from_csv(path), Table.from_dict({"id": large}), Table.from_rows(["id"], [[n] for n in large])):
        for each in (table, table.normalized()):
            assert [row[0] for row in each.rows()] == large
    assert Table.from_csv(path).types == ("int", "text")
    texts = Table.from_rows(["id"], [[f"{2**53 + 1:,}"], ["12"]])
    assert texts.normalized().types == ("text",)


def test_squares_of_a_chessboard_are_no_numbers() -> None:
    assert typed(["e4", "E6", "e7"])[0] == "text"
    assert typed([".5", "1e3", "-0"])[1] == {".5": 0.5, "1e3": 1000.0, "-0": 0.0}


@given(st.dates())
def test_dates_are_read_in_the_forms_people_write(day: dt.date) -> None:
    month = MONTHS[day.month - 1]
    if day.year >= 1000:
        for text in (day.isoformat(), f"{day.day} {month} {day.year}", f"{month[:3]}. {day.day}, {day.year}"):
            assert parse_date(text) == day.isoformat()


def test_the_nearest_column_is_found() -> None:
    table = Table.from_dict({"Home Team": ["a"], "points": [1]})
    assert (table.nearest("hometeam"), table.nearest("point"), table.nearest("zzz")) == ("Home Team", "points", None)
    assert plain(np.float32(2.0)) == 2.0
