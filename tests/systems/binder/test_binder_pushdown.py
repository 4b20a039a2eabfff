"""Rows that a call need not be asked about: which, and that the answers stay the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.systems.binder import Executor, FunctionMapper, Table
from holdfast.systems.binder.tool.pushdown import scope_of

pytest.importorskip("sqlglot")
pytest.importorskip("duckdb")


@pytest.fixture(scope="module", params=["sqlite", "duckdb"])
def executor(request: pytest.FixtureRequest, kept_engines: None) -> Iterator[Executor]:
    with Executor(request.param, FunctionMapper(say, name="numbers")) as made:
        yield made


SIMPLE = [
    "n > 3", "n BETWEEN 2 AND 5", "b = 'x'", "b IS NULL", "CALL1 = 'yes'", "CALL2 > 2", "n % 2 = 1",
    "CASE WHEN n > 2 AND b = 'x' THEN 1 ELSE 0 END = 1", "EXISTS (SELECT 1 FROM w z WHERE z.n = w.n + 1)",
    "n IN (SELECT n FROM w WHERE CALL1 = 'yes' AND n < 6)",
]  # fmt: skip
QUERIES = [
    "SELECT n, CALL2 FROM w WHERE {}",
    "SELECT COUNT(*) FROM w WHERE {}",
    "SELECT n FROM w WHERE {} UNION SELECT n FROM w WHERE CALL1 = 'yes' ORDER BY n",
]
rows_of_three = st.tuples(st.integers(0, 7), st.sampled_from(["x", "y", None]), st.integers(0, 4))


def joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.tuples(inner, st.sampled_from([" AND ", " OR "]), inner).map("".join)
    return pairs | inner.map(lambda condition: f"NOT ({condition})") | inner.map(lambda condition: f"({condition})")


conditions = st.recursive(st.sampled_from(SIMPLE), joined, max_leaves=5)


def say(question: str, cell: str) -> object:
    return 2 * int(cell) if question == "double" else "yes" if int(cell) % 2 == 0 else "no"


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows_of_three, min_size=1, max_size=9), conditions, st.sampled_from(QUERIES))
def test_leaving_out_rows_never_changes_an_answer(
    executor: Executor, rows: list[tuple[int, str | None, int]], condition: str, query: str
) -> None:
    """Against the same program on a table in which the answers are columns already."""
    table = Table.from_rows(["n", "b", "c"], rows)
    program = query.format(condition)
    called = program.replace("CALL1", 'QA("map@even?"; c)').replace("CALL2", 'QA("map@double"; c)')
    plain = program.replace("CALL1", "d").replace("CALL2", "e")
    with_answers = [(*row, "yes" if row[2] % 2 == 0 else "no", 2 * row[2]) for row in rows]
    expected = executor.run(plain, Table.from_rows(["n", "b", "c", "d", "e"], with_answers)).answer
    assert executor.run(called, table).answer == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT a FROM w WHERE b = 1 AND CALL = 2", ["b = 1", "CALL = 2"]),
        ("SELECT a FROM w WHERE b = 1 OR CALL = 2", None),
        ("SELECT a FROM w WHERE (b = 1 OR c = 2) AND CALL = 2 GROUP BY d", ["(b = 1 OR c = 2)", "CALL = 2"]),
        ("SELECT a FROM w x, w y WHERE b = 1 AND CALL = 2", None),
        ("SELECT a FROM w JOIN w y WHERE b = 1 AND CALL = 2", None),
        ("SELECT a FROM (SELECT * FROM w) WHERE b = 1 AND CALL = 2", None),
        ("SELECT CALL FROM w WHERE b BETWEEN 1 AND 2 AND c = 3", ["b BETWEEN 1 AND 2", "c = 3"]),
        ("SELECT CALL FROM w", None),
        ("SELECT 1 FROM w WHERE z = 1 UNION SELECT CALL FROM w WHERE c = 3", ["c = 3"]),
        ("SELECT 1 FROM w WHERE z = (SELECT CALL FROM w WHERE c = 3)", ["c = 3"]),
        (
            "SELECT 1 FROM w WHERE CASE WHEN a AND b THEN c END AND f(CALL)",
            ["CASE WHEN a AND b THEN c END", "f(CALL)"],
        ),
    ],
)
def test_conditions_beside_a_call(text: str, expected: list[str] | None) -> None:
    at = text.index("CALL")
    scope = scope_of(text, (0, len(text)), (at, at + 4))
    assert (None if scope is None else [text[a:b] for a, b in scope.conditions]) == expected
