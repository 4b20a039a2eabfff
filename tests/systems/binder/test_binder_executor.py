"""The executor on both engines: against plain SQL, against pandas, and under bad input."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.sql.errors import EngineError
from holdfast.systems.binder import AnswerCache, Executor, FunctionAnswerer, FunctionMapper, Limits, ReplayMapper, Table
from holdfast.systems.binder.tool.calls import MapperLengthError

pytest.importorskip("sqlglot")
pytest.importorskip("duckdb")

ENGINES = ("sqlite", "duckdb")
VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "binder.json").read_text(encoding="utf-8"))
PLAIN_PROGRAMS = [entry["program"] for entry in VECTORS["programs"] if entry.get("qa") == []]
GAMES = Table.from_dict(
    {
        "week": [1, 2, 3, 4, 5],
        "game site": ["Superdome", "Lambeau Field", "Superdome", None, "Soldier Field"],
        "result": ["L 10-41", "W 31-14", "W 24-3", "L 14-31", "W 16-7"],
        "points": [10.0, 31.0, 24.0, 14.0, 16.5],
    },
    title="Saints",
)


def answer(question: str, *cells: str) -> str:
    """What a good model would say."""
    if question == "home?":
        return "yes" if cells[0] == "Superdome" else "no"
    if question == "win?":
        return "yes" if cells[0].startswith("W") else "no"
    if question == "margin":
        left, right = cells[0].split()[1].split("-")
        return str(int(left) - int(right))
    return "|".join(cells)


@pytest.fixture(scope="module", params=ENGINES)
def executor(request: pytest.FixtureRequest, kept_engines: None) -> Iterator[Executor]:
    answerer = FunctionAnswerer(
        lambda question, rows, header: [" ".join(row) for row in rows] if question == "all" else [len(rows), *header],
        name="count",
    )
    with Executor(request.param, FunctionMapper(answer, name="good"), answerer) as made:
        yield made


@pytest.fixture
def fresh(executor: Executor) -> Executor:
    executor.cache = AnswerCache()
    executor.limits = Limits()
    return executor


# ------------------------------------------------------------------------------------------------------------ programs
@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ('SELECT COUNT(*) FROM w WHERE QA("map@home?"; `game site`) = \'yes\' AND QA("map@win?"; result) = "yes"', [1]),
        ('SELECT week FROM w WHERE QA("map@margin"; result) > 9 ORDER BY QA("map@margin"; result) DESC', [3, 2]),
        ('SELECT SUM(QA("map@margin"; result)) FROM w', [-31 + 17 + 21 - 17 + 9]),
        ('QA("map@win?"; result)', ["no", "yes", "yes", "no", "yes"]),
        ('QA("ans@size"; SELECT week, result FROM w WHERE week > 3)', ["2", "week", "result"]),
        ('SELECT week FROM w WHERE "game site" IN QA("ans@all"; SELECT `game site` FROM w WHERE week < 3) ', [1, 2, 3]),
        ('SELECT week FROM w WHERE week = QA("ans@all"; SELECT MAX(week) FROM w)', [5]),
        ('SELECT COUNT(*) FROM w WHERE QA("map@echo"; result; week; \'x\') = "W 24-3|3|x"', [1]),
        (
            'SELECT QA("map@echo"; SELECT week, points FROM w WHERE week > 3) FROM w',
            [None, None, None, "4|14", "5|16.5"],
        ),
        ('SELECT QA("map@echo"; SELECT t.week FROM w AS t; result) FROM w LIMIT 1', ["1|L 10-41"]),
        ('SELECT QA("map@echo"; QA("map@margin"; result)) FROM w', [-31, 17, 21, -17, 9]),
        ('SELECT COUNT(*) FROM w a JOIN w b ON QA("map@win?"; a.result) = QA("map@home?"; b."game site")', [10]),
        ('SELECT * FROM w WHERE QA("map@margin"; result) = 9', [5, "Soldier Field", "W 16-7", 16.5]),
        ('SELECT *, QA("map@margin"; result) FROM w WHERE week = 5', [5, "Soldier Field", "W 16-7", 16.5, 9]),
        ("SELECT row_id FROM w WHERE week = 3", [2]),
        ("SELECT row_id, week FROM w WHERE week = 3", [3]),
        ("SELECT week FROM w WHERE result LIKE 'w 2%'", [3]),
        ("SELECT 7 / 2, 'it''s', \"plain text\"", [3, "it's", "plain text"]),
        (
            'WITH t AS (SELECT week, QA("map@win?"; result) AS won FROM w) SELECT COUNT(*) FROM t WHERE "won" = "yes"',
            [3],
        ),
        ("SELECT week FROM w WHERE week > 4;", [5]),
        ("(SELECT MAX(week) FROM w)", [5]),
    ],
)
def test_programs(program: str, expected: list[Any], fresh: Executor) -> None:
    assert fresh.run(program, GAMES).answer == expected


def test_calls_about_null_are_not_asked() -> None:
    asked: list[str] = []
    mapper = FunctionMapper(lambda question, cell: asked.append(cell) or cell, name="echo")
    with Executor(mapper=mapper) as executor:
        assert executor.run('SELECT QA("map@x"; `game site`) FROM w', GAMES).answer[3] is None
    assert sorted(asked) == ["Lambeau Field", "Soldier Field", "Superdome"]


def test_the_result_tells_what_was_done(fresh: Executor) -> None:
    conditions = 'QA("map@win?"; result) = \'yes\' AND week <= 3 AND QA("map@home?"; `game site`) = "yes"'
    program = f"SELECT week FROM w WHERE {conditions}"
    result = fresh.run(program, GAMES)
    assert result.answer == [3]
    assert list(result.columns) == ["col_1", "col_2"]
    assert list(result.columns["col_1"]) == [
        "no",
        "yes",
        "yes",
        None,
        None,
    ]  # weeks after the third are not asked about
    first, second, final = result.trace
    assert (first.kind, first.question, first.rows, first.distinct, first.asked) == ("map", "win?", 3, 3, 3)
    assert (second.rows, second.asked) == (2, 2)  # of two wins only
    assert (final.kind, final.output) == ("sql", (3,))
    assert (result.cost.calls, result.cost.rows, result.cost.cached) == (2, 5, 0)
    again = fresh.run(program, GAMES)
    assert (again.cost.calls, again.cost.rows, again.cost.cached) == (0, 0, 5)
    assert again.answer == result.answer


def test_generated_names_give_way_to_the_table_s(fresh: Executor) -> None:
    table = Table.from_dict({"col_1": ["a", "b"], "COL_1_": ["c", "d"], "answer": ["e", "f"], "c0": ["g", "h"]})
    result = fresh.run('SELECT QA("map@echo"; answer; c0), col_1, "col_1_" FROM w', table)
    assert result.answer == ["e|g", "a", "c", "f|h", "b", "d"]


@pytest.mark.parametrize("engine", ENGINES)
def test_real_programs_without_calls_are_plain_sql(engine: str) -> None:
    """On a table with the columns that each names: what SQLite itself says of the text as it was written."""
    compared = 0
    refused: list[tuple[str, bool]] = []
    with Executor(engine) as executor:
        for text in [e["program"] for e in VECTORS["programs"] if e.get("qa") == []][
            :: 4 if engine == "sqlite" else 12
        ]:
            table = table_for(text)
            connection = sqlite3.connect(":memory:")
            connection.execute(f"CREATE TABLE w (row_id INTEGER, {', '.join(map(quoted, table.columns))})")
            connection.executemany(
                f"INSERT INTO w VALUES ({', '.join('?' * (len(table.columns) + 1))})",
                [(i, *row) for i, row in enumerate(table.rows())],
            )
            expected = [cell for row in connection.execute(text.replace("Datetime(", "datetime(")) for cell in row]
            connection.close()
            try:
                found = executor.run(text, table).answer
            except EngineError as error:
                refused.append((engine, "perhaps engine='sqlite'" in str(error)))
                continue
            assert found == expected, text
            compared += 1
    assert compared > (40 if engine == "sqlite" else 3)
    assert set(refused) <= {("duckdb", True)}


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def table_for(program: str) -> Table:
    """A table with a column for every name in a program, found with SQLite's own complaints."""
    columns: list[str] = []
    while True:
        connection = sqlite3.connect(":memory:")
        connection.execute(f"CREATE TABLE w (row_id INTEGER{''.join(f', {quoted(c)}' for c in columns)})")
        try:
            connection.execute(program)
        except sqlite3.OperationalError as error:
            columns.append(str(error).removeprefix("no such column: "))
            continue
        finally:
            connection.close()
        columns = columns or ["a"]
        return Table.from_dict({c: ["won", "7", f"t{i}"] for i, c in enumerate(columns)})


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("WITH t AS (SELECT a FROM w GROUP BY a) SELECT COUNT(*) FROM t", [3]),
        ("WITH t AS (SELECT n FROM w) SELECT COUNT(x.n) FROM t x, t y", [6]),
        ("WITH t AS (SELECT a FROM w), u AS (SELECT a FROM t) SELECT COUNT(*) FROM t, u", [9]),
        ("SELECT COUNT(*) FROM (SELECT DISTINCT a FROM w) AS q, w", [9]),
        ("SELECT a FROM w ORDER BY n", ["y", "z", "x"]),
        ("SELECT a FROM w ORDER BY n DESC LIMIT 1", ["x"]),
        ("SELECT 7 / 2, 7 / 0, 7 % 0, 7.0 / 0, n / 0.0 FROM w LIMIT 1", [3, None, None, None, None]),
        ("SELECT 1e999, -1e999", ["inf", "-inf"]),
        ("SELECT a -- of w\r, 'not this'\nFROM\u00a0w /* nor this */ WHERE n = '1'", ["z"]),
    ],
)
def test_both_engines_say_the_same(program: str, expected: list[object], fresh: Executor) -> None:
    assert fresh.run(program, Table.from_dict({"a": ["x", "y", "z"], "n": [2, None, 1]})).answer == expected


# ---------------------------------------------------------------------------------------------------------- properties
cells = st.lists(st.one_of(st.none(), st.text(alphabet="ab '\"%;\n", max_size=4)), min_size=1, max_size=8)
together = settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])


@together
@given(cells)
def test_a_call_that_says_what_the_cell_says_changes_nothing(fresh: Executor, texts: list[str | None]) -> None:
    table = Table.from_dict({"a": texts})
    kept = [text for text in texts if text is not None and text.strip().lower() not in ("", "-", "?")]
    result = fresh.run('SELECT COUNT(*) FROM w WHERE QA("map@echo"; a) = a', table)
    if kept == [text for text in texts if text is not None]:
        assert result.answer == [len(kept)]
    assert [v for v in result.columns["col_1"] if v is not None] == [t for t in texts if t is not None]


@together
@given(cells, st.randoms(use_true_random=False))
def test_permuting_rows_permutes_the_column(fresh: Executor, texts: list[str | None], random: Any) -> None:
    order = list(range(len(texts)))
    random.shuffle(order)
    program = 'QA("map@echo"; a; n)'
    numbers = list(range(len(texts)))
    straight = fresh.run(program, Table.from_dict({"a": texts, "n": numbers})).answer
    fresh.cache = AnswerCache()
    mixed = Table.from_dict({"a": [texts[i] for i in order], "n": [numbers[i] for i in order]})
    assert fresh.run(program, mixed).answer == [straight[i] for i in order]


# ----------------------------------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("SELECT weeks FROM w", "nearest is 'week'; received weeks"),
        ('SELECT QA("map@x"; `gamesite`) FROM w', "nearest is 'game site'"),
        ('SELECT QA("map@x"; zzz) FROM w', "there are week, game site"),
        ('SELECT QA("map@x"; week + 1) FROM w', "a column, a SELECT or a literal"),
        ('SELECT QA("map@x"; SELECT week, week FROM w WHERE week < 3; result) FROM w', "equal numbers of rows"),
        ('SELECT QA("map@x"; SELECT a.row_id, a.week FROM w a, w b) FROM w', "every row once"),
        ('SELECT QA("map@x"; a.result; b.result) FROM w a, w b', "one table"),
        ('QA("ans@x"; SELECT week FROM w WHERE week < 3; result)', "equal numbers of rows"),
        ("SELECT week FROM w WHERE", "must be SQL"),
        ("SELECT FROM WHERE", "program"),
        ("SELECT SUM(week FROM w", "never closed"),
    ],
)
def test_programs_that_do_not_fit_are_told_in_one_line(program: str, message: str, fresh: Executor) -> None:
    with pytest.raises(InputError, match=message) as caught:
        fresh.run(program, GAMES)
    assert "\n" not in str(caught.value)
    assert fresh.run("SELECT COUNT(*) FROM w", GAMES).answer == [5]


@pytest.mark.parametrize("engine", ENGINES)
def test_tables_that_are_hard_for_sql(engine: str, tmp_path: Path) -> None:
    names = [
        "select",
        'q"uote',
        "back`tick",
        "new\nline",
        "名前",
        "a;b",
        "--c",
        "(d)",
        "",
        "[e]",
        "A",
        "a",
        "w",
        "row_id",
    ]
    odd = len(names)
    names += [f"column number {i}" for i in range(60)]
    table = Table.from_rows(names, [[f"{r} {i}" for i in range(len(names))] for r in range(2)], "select; DROP TABLE w")
    written = ["`" + name.replace("`", "``") + "`" for name in table.columns]
    with Executor(engine, FunctionMapper(lambda question, *cells: cells[0], name="first")) as executor:
        everything = executor.run(f"SELECT {', '.join(written)} FROM w WHERE row_id = 1", table).answer
        assert everything == [f"1 {i}" for i in range(len(names))]
        for name in written[:odd]:
            program = f'SELECT QA("map@x"; {name}) = {name} FROM w'
            assert [bool(value) for value in executor.run(program, table).answer] == [True, True]


def test_the_html_marks_generated_columns_and_escapes_cells(kept_engines: None) -> None:
    table = Table.from_dict({"<b>name</b>": ["<script>alert(1)</script>", "x"]}, title="t")
    with Executor(mapper=FunctionMapper(lambda q, c: "<i>", name="f")) as executor:
        page = executor.run('SELECT QA("map@is <u>it</u>?"; "<b>name</b>") FROM w', table)._repr_html_()
    assert "<script>" not in page
    assert "<i>" not in page
    assert "<u>" not in page
    assert page.count("&lt;script&gt;") == 1
    assert page.count("background") == 3  # header and two cells
    assert "is &lt;u&gt;it&lt;/u&gt;?" in page


def test_empty_tables(fresh: Executor) -> None:
    table = Table.from_dict({"a": [], "b": []})
    assert fresh.run("SELECT COUNT(*), MAX(a) FROM w", table).answer == [0, None]
    result = fresh.run("SELECT a FROM w WHERE QA(\"map@win?\"; a) = 'yes'", table)
    assert (result.answer, result.cost.calls, len(result.columns)) == ([], 0, 0)
    assert fresh.run('QA("map@win?"; a)', table).answer == []


def test_a_mapper_that_answers_too_little(fresh: Executor) -> None:
    fresh.mapper = ReplayMapper({"win?": {("W 31-14",): "yes"}})
    try:
        with pytest.raises(MapperLengthError, match="answered 1 of 5 rows"):
            fresh.run("SELECT week FROM w WHERE QA(\"map@win?\"; result) = 'yes'", GAMES)
    finally:
        fresh.mapper = FunctionMapper(answer, name="good")
    assert fresh.run("SELECT COUNT(*) FROM w", GAMES).answer == [5]


def test_an_unsafe_program_is_refused_before_it_costs_anything(fresh: Executor) -> None:
    with pytest.raises(InputError, match="no other table"):
        fresh.run('SELECT a FROM other WHERE QA("map@win?"; result) = 1', GAMES)
    assert len(fresh.cache) == 0


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(InputError, match="engine: must be one of 'sqlite', 'duckdb'"):
        Executor("oracle")
    with pytest.raises(InputError, match="chunk_rows"):
        Executor(chunk_rows=0)
