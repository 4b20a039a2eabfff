"""Tables out: every digit, no formula, whole or not at all."""

from __future__ import annotations

import csv
import datetime
import io
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from holdfast import verbs
from holdfast.errors import InputError
from holdfast.verbs.csvtext import CsvText

TEXTS = st.text(st.one_of(st.sampled_from("=+-@\t\r\n\"';, 0"), st.characters()), max_size=8)
FLOATS = st.floats(width=64)


def read(text: str) -> list[list[str]]:
    """By Python's own reader."""
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@given(st.lists(FLOATS, min_size=1))
def test_numbers_read_back_the_same_in_the_fewest_digits(values: list[float]) -> None:
    for dtype in (np.float64, np.float32):
        with np.errstate(over="ignore"):
            column = np.array(values).astype(dtype)
        lines = read(CsvText().rows([column, column]))
        for (text, _), value in zip(lines, column, strict=True):
            if math.isnan(value):
                assert text == ""
                continue
            assert dtype(text) == value
            assert math.copysign(1, float(text)) == math.copysign(1, value)
            digits = len(text.lower().split("e")[0].replace("-", "").replace(".", "").strip("0"))
            fewer = f"{value:.{max(digits - 2, 0)}e}"
            with np.errstate(over="ignore"):
                assert digits <= 1 or np.isinf(value) or dtype(fewer) != value  # no shorter text would do


@given(st.lists(TEXTS, min_size=1), TEXTS)
def test_texts_read_back_but_for_an_apostrophe_before_formulas(values: list[str], name: str) -> None:
    text = CsvText()
    head, *lines = read(text.head([name, "b"]) + text.rows([values, values]))
    assert len(lines) == len(values)
    changed = 0
    for written, value in zip([head[0], *(line[0] for line in lines)], [name, *values], strict=True):
        value = value.encode("utf-8", "backslashreplace").decode()
        inner = re.sub(r"(?<=[;\t\r\n])(?=[=+\-@].)", "'", value, flags=re.DOTALL)
        assert written in (value, inner, f"'{inner}")
        changed += written != value
        dangerous = len(written) > 1 and written[0] in "=+-@\t\r\n"
        assert not dangerous or written.replace(",", "").replace(".", "").lstrip("+-").rstrip("%").isdecimal()
    assert text.defused == 2 * changed - (head[0] != name.encode("utf-8", "backslashreplace").decode())


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"), ("@SUM(A1)", "'@SUM(A1)"), ("+49 30 1234", "'+49 30 1234"), ("-2+3", "'-2+3"),
        ("\t=1", "'\t'=1"), ("\r=1", "'\r'=1"), ("\n=1", "'\n'=1"), ("-x", "'-x"),
        ("-1.5", "-1.5"), ("+3", "+3"), ("-1.234,5", "-1.234,5"), ("-2e-05", "-2e-05"), ("-5%", "-5%"),
        ("-", "-"), ("=", "="), (" =1", " =1"), ("a=1", "a=1"), ("'=1", "'=1"), ("", ""),
    ],
)  # fmt: skip
def test_formulas(cell: str, written: str) -> None:
    assert read(CsvText().rows([[cell], ["x"]]))[0][0] == written


def test_numbers_are_never_taken_for_formulas() -> None:
    text = CsvText()
    assert text.rows([np.array([-1.5, -np.inf]), np.array([-3, 4]), ["x", True], [None, -1]]) == (
        "-1.5,-3,x,\n-inf,4,True,-1\n"
    )
    assert text.defused == 0


def test_missing_values_dates_and_mixed_columns() -> None:
    frame = pd.DataFrame(
        {
            "whole": pd.array([1, None], "Int64"),
            "day": pd.to_datetime(["2024-02-29", None]),
            "time": pd.to_datetime(["2024-02-29 12:00:01.5", "2024-03-01 00:00:00"], format="ISO8601"),
            "zone": pd.to_datetime(["2024-02-29 12:00", None]).tz_localize("UTC"),
            "kind": pd.Categorical(["a", None]),
            "mixed": [1, "x"],
            "single": np.array([0.1, np.nan], np.float32),
            "yes": [True, False],
            "date": [datetime.date(2024, 2, 29), None],
            "numpy": [np.float32(0.1), np.float64(0.1)],
        },
        index=[7, 3],
    )
    text = CsvText()
    assert text.rows([column for _, column in frame.items()]).splitlines() == [
        "1,2024-02-29,2024-02-29 12:00:01.500000,2024-02-29 12:00:00+00:00,a,1,0.1,True,2024-02-29,0.10000000149011612",
        ",,2024-03-01 00:00:00.000000,,,x,,False,,0.1",
    ]


@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".tsv", ".parquet", ".pq"])
def test_tables_of_all_kinds(tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    between = {".csv": ",", ".tsv": "\t"}.get(suffix.lower())
    columns = {"id": ["=a", "b", "c"], "x": np.array([0.1, 0.2, np.nan], np.float32), "n": range(3)}
    path = tmp_path / f"deep/table{suffix}"
    verbs.write_table(path, columns)
    if between is not None:
        assert path.read_text() == "id,x,n\n'=a,0.1,0\nb,0.2,1\nc,,2\n".replace(",", between)
        assert "1 cell of text" in capsys.readouterr().err
    else:
        found = pq.read_table(path)
        assert found["id"].to_pylist() == ["=a", "b", "c"]
        assert [str(kind) for kind in found.schema.types] == ["string", "float", "int64"]
        assert found["x"].to_pylist()[:2] == columns["x"].tolist()[:2]
        assert capsys.readouterr().err == ""
    verbs.write_table(path, pd.DataFrame(columns, index=[9, 2, 1]).iloc[[2, 0]])
    frame = pd.read_parquet(path) if between is None else pd.read_csv(path, sep=between)
    assert frame["n"].tolist() == [2, 0]


def test_long_tables_are_written_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"t": np.arange(10), "name": pd.Series(list("abcdefghij"), index=range(20, 10, -1))}
    verbs.write_table(tmp_path / "whole.csv", columns)
    monkeypatch.setattr("holdfast.verbs.tables.PIECE", 3)
    verbs.write_table(tmp_path / "pieces.csv", columns)
    assert (tmp_path / "whole.csv").read_text() == (tmp_path / "pieces.csv").read_text()
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "pieces.csv"), pd.DataFrame({"t": range(10), "name": list("abcdefghij")})
    )


def test_empty_tables_and_single_columns(tmp_path: Path) -> None:
    verbs.write_table(tmp_path / "a.csv", {"a": [], "b": []})
    assert (tmp_path / "a.csv").read_text() == "a,b\n"
    verbs.write_table(tmp_path / "a.csv", {"a": ["", "x", None]})
    assert pd.read_csv(tmp_path / "a.csv", skip_blank_lines=True)["a"].isna().tolist() == [True, False, True]
    verbs.write_table(tmp_path / "a.parquet", {"a": []})
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 0


def test_parquet_of_what_arrow_has_no_type_for(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    verbs.write_table(path, {"mixed": [1, "x", None], "file": ["\udcff.png", "b", "c"]})
    assert pq.read_table(path).to_pydict() == {"mixed": ["1", "x", None], "file": ["\\udcff.png", "b", "c"]}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_that_fails_leaves_the_old_one(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text("old")

    class Broken:
        def __len__(self) -> int:
            return 3

        def __getitem__(self, item: Any) -> Any:
            raise OSError("torn away")

    with pytest.raises(OSError, match="torn away"):
        verbs.write_table(path, {"a": [1, 2, 3], "b": Broken()})
    with pytest.raises(InputError, match="different names"):
        verbs.write_table(path, pd.DataFrame([[1, 2]], columns=["a", "a"]))
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [(path.name, "old")]
    with pytest.raises(InputError, match=r"--out: must end in \.csv, \.tsv or \.parquet"):
        verbs.write_table(tmp_path / "a.xls", {"a": [1]})


def test_figures_are_the_same_file_again(tmp_path: Path) -> None:
    def draw() -> Figure:
        figure = Figure()
        figure.subplots().plot([1, 2], label="line")
        return figure

    assert verbs.write_figures(draw(), tmp_path / "a.b") == tmp_path / "a.b.svg"
    first = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert sorted(first) == ["a.b.png", "a.b.svg"]
    verbs.write_figures(draw(), tmp_path / "a.b")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == first
    verbs.write_figure(draw(), tmp_path / "c.PDF")
    assert (tmp_path / "c.PDF").read_bytes()[:4] == b"%PDF"
    with pytest.raises(InputError, match="--figure: must end in one of"):
        verbs.write_figure(draw(), tmp_path / "a.jpg")


def test_a_cell_is_one_cell_where_semicolons_divide_too() -> None:
    """Where commas are decimal, a spreadsheet cuts at semicolons: what follows one could be a formula."""
    text = CsvText()
    assert text.rows([["a;=1+1", "b\t-x", "c;1"], [1, 2, 3]]) == '"a;\'=1+1",1\n"b\t\'-x",2\n"c;1",3\n'
    assert text.defused == 2
