"""Tables with names and cells that are hard for SQL."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.sql.columntypes import MONTHS, parse_date, plain, typed
from holdfast.sql.table import MAX_COLUMNS, SQLTable, unique_names


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
        SQLTable.from_pandas(wide)
    with pytest.raises(InputError, match=r"at least one .* received 0"):
        SQLTable.from_pandas(pd.DataFrame(index=[0, 1]))
    with pytest.raises(InputError, match=r"pandas\.DataFrame"):
        SQLTable.from_pandas([[1]])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="same number of cells"):
        SQLTable.from_dict({"a": [1], "b": []})
    with pytest.raises(InputError, match="1 in row 0"):
        SQLTable.from_rows(["a", "b"], [["x"]])


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
    table = SQLTable.from_dict({"a": cells})
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
    table = SQLTable.from_pandas(pd.DataFrame({"a": series}))
    assert table.types == (kind,)
    assert [row[0] for row in table.rows()] == expected


def test_normalisation_is_a_step_of_its_own() -> None:
    raw = SQLTable.from_dict(
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
    table = SQLTable.from_dict({"a": cells}).normalized()
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
    SQLTable.from_dict({"a": texts}).normalized()  # reads "1,200" too


def test_large_whole_numbers_keep_their_digits(tmp_path: Path) -> None:
    large = [2**53 + 1, None, -(2**63), 2**63 - 1]
    path = tmp_path / "a.csv"
    path.write_text("id,more\n" + "".join(f"{'' if n is None else n},{2**63}\n" for n in large))
    for table in (
        SQLTable.from_csv(path),
        SQLTable.from_dict({"id": large}),
        SQLTable.from_rows(["id"], [[n] for n in large]),
    ):
        for each in (table, table.normalized()):
            assert [row[0] for row in each.rows()] == large
    assert SQLTable.from_csv(path).types == ("int", "text")
    texts = SQLTable.from_rows(["id"], [[f"{2**53 + 1:,}"], ["12"]])
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
    table = SQLTable.from_dict({"Home Team": ["a"], "points": [1]})
    assert (table.nearest("hometeam"), table.nearest("point"), table.nearest("zzz")) == ("Home Team", "points", None)
    assert plain(np.float32(2.0)) == 2.0
