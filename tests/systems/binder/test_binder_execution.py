"""The paper's algorithm on a table of plain Python, and lists of answers on both engines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from holdfast.errors import InputError
from holdfast.systems.binder import AnswerCache, Binder, BinderProgram, Call, Executor, FunctionAnswerer, Table
from holdfast.systems.binder.method.execution import Bound, Value, execute, literal
from holdfast.systems.binder.method.voting import BiasedVote

pytest.importorskip("sqlglot")
pytest.importorskip("duckdb")


class Notes:
    """Writes down what it is asked for."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def f_col(self, call: Call, arguments: Sequence[str], bound: Bound) -> str:
        self.told.append(f"f_col({call.question}, {'; '.join(arguments)}) knowing {sorted(bound)}")
        return f"col_{len(self.told)}"

    def f_val(self, call: Call, arguments: Sequence[str]) -> tuple[str, ...]:
        self.told.append(f"f_val({call.question}, {'; '.join(arguments)})")
        return tuple(call.question.split())

    def column(self, name: str) -> list[Value]:
        return [f"cells of {name}"]

    def select(self, sql: str) -> list[Value]:
        self.told.append(sql)
        return [7]


def test_inner_calls_come_first_and_names_and_literals_take_their_places() -> None:
    inner = 'QA("map@in?"; a)'
    answered = f'x > QA("ans@3"; SELECT a FROM w WHERE {inner} = 1; b) AND y IN QA("ans@p q"; c)'
    program = BinderProgram.parse(f"SELECT x, {inner} FROM w WHERE {answered}")
    table = Notes()
    done = execute(program, table)
    assert table.told == [
        "f_col(in?, a) knowing []",
        "f_val(3, SELECT a FROM w WHERE col_1 = 1; b)",
        "f_val(p q, c)",
        "SELECT x, col_1 FROM w WHERE x > 3 AND y IN ('p', 'q')",
    ]
    assert (done.answer, done.sql) == ([7], table.told[-1])


@pytest.mark.parametrize(
    ("program", "answer"),
    [('QA("map@in?"; a)', ["cells of col_1"]), (' QA("ans@3 x"; QA("map@in?"; a)) ', ["3", "x"])],
)
def test_a_program_that_is_a_call_answers_with_its_result(program: str, answer: list[Value]) -> None:
    done = execute(BinderProgram.parse(program), Notes())
    assert (done.answer, done.sql) == (answer, "")


@pytest.mark.parametrize(
    ("around", "place"),
    [
        ("x = {}", "value"),
        ("x in {}", "list"),
        ("x NOT IN /* of */ {}", "list"),
        ("x IN ({})", "alone"),
        ("x IN ( 'a', {} )", "element"),
        ("x IN (SELECT y FROM w WHERE y = {})", "value"),
        ("max({}, 1)", "value"),
    ],
)
def test_where_a_call_stands(around: str, place: str) -> None:
    call = around.format('QA("ans@q"; a)')
    program = BinderProgram.parse(f"SELECT {call} FROM w")
    assert [call.place for call in program.calls] == [place]


NEW_YORK = Table.from_dict({"city": ["York", "New York", "Leeds"], "n": [1, 2, 3]})


@pytest.fixture(scope="module", params=["sqlite", "duckdb"])
def executor(request: pytest.FixtureRequest, kept_engines: None) -> Iterator[Executor]:
    with Executor(request.param) as made:
        yield made


@pytest.mark.parametrize(
    ("condition", "answers", "expected"),
    [
        ("city IN {}", ["New York"], [2]),
        ("city IN {}", ["New York", "Leeds"], [2, 3]),
        ("city IN {}", [], []),
        ("city NOT IN {}", [], [1, 2, 3]),
        ("city IN ({})", ["New York"], [2]),
        ("city IN ({})", ["New York", "York"], [1, 2]),
        ("city NOT IN ({})", [], [1, 2, 3]),
        ("city IN ('Leeds', {})", ["New York", "York"], [1, 2, 3]),
        ("n IN {}", ["2", "3"], [2, 3]),
        ("n NOT IN {}", [], [1, 2, 3]),
        ("city = {}", ["New York"], [2]),
        ("city = {}", [], []),
    ],
)
def test_however_many_answers_there_are_they_are_a_list_after_in(
    executor: Executor, condition: str, answers: list[str], expected: list[int]
) -> None:
    executor.cache, executor.answerer = AnswerCache(), FunctionAnswerer(lambda *_: answers, name="given")
    where = condition.format('QA("ans@q"; city)')
    assert executor.run(f"SELECT n FROM w WHERE {where} ORDER BY n", NEW_YORK).answer == expected


@pytest.mark.parametrize("condition", ["'x' IN 'text'", "city IN 'New York'", "city IN w", 'city IN QA("map@q"; city)'])
def test_in_without_a_list_is_refused_on_both(executor: Executor, condition: str) -> None:
    """DuckDB would look for a text inside of a text, SQLite for a table of that name."""
    with pytest.raises(InputError, match="must give IN a list in brackets, or a SELECT"):
        executor.run(f"SELECT n FROM w WHERE {condition}", NEW_YORK)


def test_literals_are_values_whatever_is_in_them() -> None:
    assert literal(["1e3"]) == "1000.0"
    assert literal(["007", "it's"], "list") == "('007', 'it''s')"
    assert literal([], "element") == "NULL"


@pytest.mark.parametrize(("vote", "words"), [("loudest", "vote: must be one of"), (BiasedVote(weight=-1), "weight")])
def test_rules_of_voting_that_there_are_not(vote: str | BiasedVote, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Binder(vote=vote)
