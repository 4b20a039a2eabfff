"""Tables of every kind of file."""

from __future__ import annotations

import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from holdfast.data.readers.tables import Bounds, TableOptions
from holdfast.errors import InputError
from holdfast.sql import files
from holdfast.sql.table import SQLTable

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
    table = SQLTable.from_file(path)
    assert (table.columns, table.types) == (("City", "n", "x"), ("text", "int", "real"))
    assert list(table.rows()) == ROWS
    assert table.title == ("order" if kind in ("sqlite", "duckdb") else "my cities")  # a keyword is a name like another
    assert SQLTable.from_file(path, title="T").title == "T"


def test_files_with_several_tables_ask_for_a_name(tmp_path: Path) -> None:
    path = tmp_path / "two.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE select_ (a)")
        connection.execute('CREATE TABLE "b""x" (a)')
        connection.execute("CREATE VIEW v AS SELECT readfile('x')")
    connection.close()
    with pytest.raises(InputError, match=r'part: must name one of .*: b"x, select_'):
        SQLTable.from_file(path)
    assert len(SQLTable.from_file(path, part='b"x')) == 0
    with pytest.raises(InputError, match=r"part: must be one of .*received v"):
        SQLTable.from_file(path, part="v")


def test_a_sheet_is_read_by_its_name(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    path = tmp_path / "a.xlsx"
    with pd.ExcelWriter(path) as writer:
        FRAME.to_excel(writer, sheet_name="first", index=False)
        pd.DataFrame({"z": [7]}).to_excel(writer, sheet_name="second", index=False)
    assert list(SQLTable.from_file(path, part="second").rows()) == [(7,)]
    assert SQLTable.from_file(path).notes == ("sheet 'first' of 'first', 'second'",)
    with pytest.raises(InputError, match="must be one of first, second"):
        SQLTable.from_file(path, part="third")
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match="workbooks and databases only"):
        SQLTable.from_file(tmp_path / "a.csv", part="second")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", r"a\.csv"),
        ("a.csv", b"a,b\n1,2,3\n", "cells"),
        ("a.parquet", b"no", "must be a readable parquet file"),
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
        SQLTable.from_file(tmp_path / name)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="other"):
        SQLTable.from_file(tmp_path / f"other{Path(name).suffix}")


def test_every_kind_of_column_becomes_one_of_the_four_that_databases_have(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,day,when,true,n,share\n007,3 May 2024,2024-05-01 07:30,true,1,12.5%\n008,,,false,,50%\n")
    table = SQLTable.from_csv(path)
    assert table.types == ("text", "date", "date", "text", "int", "real")
    assert list(table.rows()) == [
        ("007", "2024-05-03", "2024-05-01 07:30:00", "true", 1, 0.125),
        ("008", None, None, "false", None, 0.5),
    ]
    path = tmp_path / "a.parquet"
    frame = pd.DataFrame({"t": pd.array([True, None], "boolean"), "l": [[1], None], "big": [2**63, 1]})
    frame.astype({"big": "uint64"}).to_parquet(path)
    table = SQLTable.from_file(path)
    assert list(table.rows()) == [("true", "[1]", str(2**63)), (None, None, "1")]


def test_numbers_with_decimal_commas_are_summed_right(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    text = "Sales of 2024;;\n;;\nitem;price;sold\nsofa;1.200,50 €;2.500\nlamp;80 €;n/a\nrug;;\nchair;(12,25 €)\n"
    path.write_bytes(text.encode("cp1252"))
    table = SQLTable.from_file(path)
    assert table.columns == ("item", "price", "sold")
    assert table.types == ("text", "real", "int")
    assert list(table.rows()) == [
        ("sofa", 1200.5, 2500),
        ("lamp", 80.0, None),
        ("rug", None, None),
        ("chair", -12.25, None),
    ]
    said = " | ".join(table.notes)
    for part in ("semicolons", "row 3", "EUR", "decimal comma", "'n/a' in row 5", "row 7 has 2 of 3 cells", "1252"):
        assert part in said, (part, said)
    utf8 = tmp_path / "utf8.csv"
    utf8.write_text("name;x\nÅsa;1.500\n", encoding="utf-8")
    assert SQLTable.from_file(utf8).types == ("text", "text")  # 1.5 or 1500: not guessed
    assert any("--decimal" in note for note in SQLTable.from_file(utf8).notes)
    assert list(SQLTable.from_file(utf8, options=TableOptions(decimal=",")).rows()) == [("Åsa", 1500)]


# ------------------------------------------------------------------------------------------------------------- attacks
def test_a_workbook_that_says_it_has_a_billion_cells_is_read(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    path, lying = tmp_path / "a.xlsx", tmp_path / "lying.xlsx"
    pd.DataFrame({"a": [1, 2]}).to_excel(path, index=False)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(lying, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("sheet1.xml"):
                assert b'ref="A1:A3"' in data
                data = data.replace(b'ref="A1:A3"', b'ref="A1:XFD1048576"')
            new.writestr(name, data)
    assert list(SQLTable.from_file(lying).rows()) == [(1,), (2,)]


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_columns_that_compute_a_bomb_are_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"bomb.{kind}"
    if kind == "sqlite":
        connection: Any = sqlite3.connect(path)
        connection.execute("CREATE TABLE t (a, b AS (hex(zeroblob(25000000))))")
    else:
        connection = pytest.importorskip("duckdb").connect(str(path))
        connection.execute("CREATE TABLE t (a INT, b AS (repeat('x', 25000000)))")
    connection.execute("INSERT INTO t VALUES (1)")
    connection.commit()
    connection.close()
    with pytest.raises(InputError, match=rf"bomb\.{kind}: must have no computed columns in its table 't'"):
        SQLTable.from_file(path)


def test_a_database_is_read_as_far_as_a_table_may_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.execute("INSERT INTO t VALUES (zeroblob(2000))")
    connection.close()
    monkeypatch.setattr(files, "Bounds", lambda: Bounds(size=1000))
    with pytest.raises(InputError, match=r"large\.db: must hold at most 1,000 bytes"):
        SQLTable.from_file(path)
