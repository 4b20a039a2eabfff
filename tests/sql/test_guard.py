"""What the guard lets through, and its message for what it does not."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from holdfast.errors import InputError, MissingExtra
from holdfast.sql import reading
from holdfast.sql.errors import EngineError, EngineMemory, EngineTimeout
from holdfast.sql.guard import UnsafeProgram
from holdfast.sql.reading import check
from holdfast.sql.tokens import ParseError

pytest.importorskip("sqlglot")


@pytest.mark.parametrize(
    "sql",
    [
        "WITH t(x, y) AS (SELECT 1, 2), u(z) AS (SELECT x FROM t) SELECT * FROM t, u",
        "SELECT sum(a) FILTER (WHERE b) OVER (PARTITION BY c ORDER BY d ROWS UNBOUNDED PRECEDING) FROM w",
        "SELECT CASE WHEN a IN (1, 2) THEN CAST(b AS INTEGER) ELSE trim(c) END, a || b FROM w GROUP BY 1 HAVING a > 1",
        "SELECT a FROM w LEFT JOIN (SELECT b FROM w) t ON t.b = w.a WHERE a IS NOT NULL AND EXISTS (SELECT 1 FROM w)",
        "SELECT COALESCE(a, 0), GROUP_CONCAT(a, ','), CAST(REPLACE(a, ',', '') AS REAL), ROUND(a, 2) FROM w",
        "SELECT a FROM w WHERE b NOT LIKE 'x%' AND c GLOB 'x*' UNION ALL SELECT -2 ORDER BY 1 DESC LIMIT 3 OFFSET 1",
        "SELECT DISTINCT a FROM w WHERE (a, b) = (SELECT MAX(a), b FROM w) AND a BETWEEN 1 AND 2 OR NOT a <> 3",
        "SELECT row_number() OVER (ORDER BY a), LAG(a) OVER (ORDER BY b) FROM w",
        "WITH t AS (SELECT 1 AS x), u AS (SELECT x FROM t) SELECT x FROM t UNION SELECT x FROM T EXCEPT SELECT 2",
        "SELECT * FROM (WITH t AS (WITH u AS (SELECT 1 AS x) SELECT x FROM u) SELECT x FROM t) q",
        "WITH t AS (SELECT a FROM w) SELECT (SELECT COUNT(*) FROM t), a FROM w WHERE a IN (SELECT a FROM t)",
        "SELECT date(datetime(a)), CAST(CAST(a AS VARCHAR(9)) AS DECIMAL(9, 2)) FROM w",
    ],
)  # fmt: skip
def test_what_people_and_models_write_passes(sql: str) -> None:
    check(sql, "sqlite")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT a, readfile('x') AS b FROM w", "known ones; received readfile"),
        ("SELECT a, readfile('x') AS (b) FROM w", "program"),
        ("SELECT 1 AS readfile ('x')", "readfile"),
        ("SELECT a FROM w TABLESAMPLE (10)", "program"),
        ("VALUES (1)", "one SELECT"),
        ("SELECT * FROM (VALUES (1))", "program"),
        ("SELECT random()", "received random"),
        ("WITH t AS (SELECT x FROM t) SELECT x FROM t", "not be recursive"),
        ("SELECT x FROM (WITH t AS (SELECT 1 AS x) SELECT x FROM t) JOIN t ON 1", "no other table than w; received t"),
        ("SELECT " + "date(" * 6 + "a" + ")" * 6, "nested that deeply"),
        ("SELECT " + "union(" * 30 + "1" + ")" * 30, "nested that deeply"),
        ("SELECT " + "hugeint(" * 6 + "1" + ")" * 6, "nested that deeply"),
        ("SELECT {'a': 1}", "known parts"),
    ],
)
def test_what_is_not_known_is_refused(sql: str, message: str) -> None:
    with pytest.raises((UnsafeProgram, ParseError), match=message):
        check(sql, "duckdb")


def test_what_means_something_else_on_duckdb_is_refused_there() -> None:
    check("SELECT MAX(a, 1) FROM w", "sqlite")
    check("SELECT MAX(a), MIN(DISTINCT a) FROM w", "duckdb")
    with pytest.raises(InputError, match="engine='sqlite' takes several"):
        check("SELECT MAX(a, 1) FROM w", "duckdb")


def test_a_missing_parser_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sqlglot", None)
    with pytest.raises(MissingExtra, match=r"pip install 'holdfast\[sql\]'"):
        check("SELECT 1 AS never_checked_before", "sqlite")
    monkeypatch.undo()
    check("SELECT 1 AS never_checked_before", "sqlite")


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs signals")
def test_a_parser_that_does_not_come_back_keeps_nobody_waiting() -> None:
    check("SELECT 1 AS started", "sqlite")
    child = reading._reader.child
    assert child is not None
    os.kill(child.pid, signal.SIGSTOP)  # it never answers, on whatever machine
    with pytest.raises(EngineTimeout, match="sqlite: reading the program: it took too long; its process was killed"):
        check("SELECT 1 AS never_answered", "sqlite", seconds=0.0)
    assert not child.alive
    assert check("SELECT 1 AS never_answered", "sqlite") == 0


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the address space")
def test_a_parser_that_takes_too_much_memory_is_one_line() -> None:
    check("SELECT 1 AS started", "sqlite")
    with pytest.raises(EngineMemory, match="more memory than it may"):
        check("SELECT " + "1+" * 9000 + "1", "sqlite", megabytes=-60)
    assert check("SELECT 1 AS afterwards", "sqlite") == 0


NESTED = [
    ("union(", ")"), ("date(", ")"), ("abs(", ")"), ("(", ")"), ("(SELECT ", ")"), ("NOT ", ""), ("- ", ""), ("~", ""),
    ("CASE WHEN 1 THEN ", " END"), ("CASE ", " WHEN 1 THEN 1 END"), ("a IN (", ")"), ("EXISTS (SELECT ", ")"),
    ("[", "]"), ("CAST(", " AS INT)"), ("1 + (", ")"), ("x AND (", ")"), ("INTERVAL ", ""), ("{'a': ", "}"),
    ("1,", ""), ("a IN (1,", ")"), ("'x' || ", ""),
]  # fmt: skip


@pytest.mark.parametrize("times", [30, 400, 100_000])
@pytest.mark.parametrize(("before", "after"), NESTED)
def test_whatever_is_nested_is_read_or_refused_in_one_line(before: str, after: str, times: int) -> None:
    for engine in ("sqlite", "duckdb"):
        try:
            check("SELECT " + before * times + "1" + after * times, engine)
        except (InputError, EngineError) as refused:
            assert "\n" not in str(refused)  # noqa: PT017 some are right
            assert len(str(refused)) < 1000  # noqa: PT017
