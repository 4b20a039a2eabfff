"""Tables of every kind of file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from holdfast.errors import InputError
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
    with pytest.raises(InputError, match='name one of b"x, select_'):
        SQLTable.from_file(path)
    assert len(SQLTable.from_file(path, table='b"x')) == 0
    with pytest.raises(InputError, match=r"must be one of .*received v"):
        SQLTable.from_sqlite(path, table="v")


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
        SQLTable.from_file(tmp_path / name)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no such file"):
        SQLTable.from_file(tmp_path / f"other{Path(name).suffix}" if name != "a.pdf" else tmp_path / "b.csv")


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
def test_the_first_line_tells_the_separator(sign: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f'city{sign}"a{sign}, b"{sign}c\nNaples{sign}"1, 2; 3"{sign}4\n')
    table = SQLTable.from_csv(path)
    assert (table.columns, list(table.rows())) == (
        ("city", f"a{sign}, b".replace("\t", "\\t"), "c"),
        [("Naples", "1, 2; 3", 4)],
    )
    path.write_text("only one; or two\n1\n")
    assert len(SQLTable.from_csv(path, sep=",").columns) == 1


def test_a_csv_file_as_people_have_them(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('\ufeffid,id,"a\nb",,"q""x"\n007,1,"1,5",x,\n008,2,,NA,\'\n', encoding="utf-8")
    table = SQLTable.from_csv(path)
    assert table.columns == ("id", "id_2", "a\\nb", "column_4", 'q"x')
    assert table.types == ("text", "int", "text", "text", "text")
    assert list(table.rows()) == [("007", 1, "1,5", "x", None), ("008", 2, None, "NA", "'")]
