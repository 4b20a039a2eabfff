"""The engine's process: limits, what it knows, when it ends; other languages; the notebook's view of a result."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from holdfast.language.budget import Budget, BudgetExceeded
from holdfast.sql.errors import EngineError, EngineTimeout
from holdfast.systems.binder import AnswerCache, Executor, FunctionMapper, Limits, Table

pytest.importorskip("sqlglot")
pytest.importorskip("duckdb")

ENGINES = ("sqlite", "duckdb")
GAMES = Table.from_dict({"week": [1, 2, 3, 4, 5], "result": ["L 10-41", "W 31-14", "W 24-3", "L 14-31", "W 16-7"]})


def answer(question: str, cell: str) -> str:
    if question == "win?":
        return "yes" if cell.startswith("W") else "no"
    left, right = cell.split()[1].split("-")
    return str(int(left) - int(right))


@pytest.fixture(scope="module", params=ENGINES)
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    with Executor(request.param, FunctionMapper(answer, name="good")) as made:
        yield made


@pytest.fixture
def fresh(executor: Executor) -> Executor:
    executor.cache, executor.limits = AnswerCache(), Limits()
    return executor


# -------------------------------------------------------------------------------------------------------------- limits
def test_limits_stop_a_run_and_the_next_goes_on(fresh: Executor) -> None:
    fresh.limits = Limits(max_rows=4)
    fresh.chunk_rows = 2
    try:
        with pytest.raises(BudgetExceeded, match=r"max_rows.*4 of 5 different rows.*1 left"):
            fresh.run('SELECT SUM(QA("map@margin"; result)) FROM w', GAMES)
        result = fresh.run('SELECT SUM(QA("map@margin"; result)) FROM w', GAMES)
        assert (result.answer, result.cost.rows, result.cost.cached) == ([-1], 1, 4)
    finally:
        fresh.chunk_rows = 50


def test_one_budget_may_span_several_runs(fresh: Executor) -> None:
    with Budget(Limits(max_calls=2)) as budget:
        fresh.run('QA("map@win?"; result)', GAMES)
        fresh.run('QA("map@margin"; result)', GAMES)
        with pytest.raises(BudgetExceeded, match="max_calls"):
            fresh.run('QA("map@other"; result)', GAMES)
    assert budget.spent.calls == 2


def test_a_query_without_end_is_interrupted(fresh: Executor) -> None:
    numbers = Table.from_dict({"n": list(range(3000))})
    fresh.limits = Limits(timeout_s=0.1)
    slow = "SELECT COUNT(*) FROM w a, w b, w c WHERE a.n * b.n % 7 = c.n % 11 AND a.n || b.n LIKE '%' || c.n"
    with pytest.raises((BudgetExceeded, EngineTimeout), match=r"timeout_s|too long"):
        fresh.run(slow, numbers)
    fresh.limits = Limits()
    assert fresh.run("SELECT COUNT(*) FROM w", numbers).answer == [3000]


def test_a_single_query_has_a_limit_of_its_own(fresh: Executor) -> None:
    table = Table.from_dict({"n": list(range(2000))})
    fresh.limits = Limits(query_s=0.1)
    with pytest.raises(EngineTimeout, match="too long"):
        fresh.run("SELECT COUNT(*) FROM w a, w b, w c WHERE a.n || b.n LIKE '%' || c.n", table)


# ---------------------------------------------------------------------------------------------------------- the process
def test_the_child_knows_nothing_of_the_environment(fresh: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/proc/self/environ").exists():
        pytest.skip("needs /proc")
    fresh.close()
    monkeypatch.setenv("SECRET_API_KEY", "what no program may see")
    fresh.run("SELECT COUNT(*) FROM w", GAMES)
    environment = Path(f"/proc/{fresh.session.pid}/environ").read_bytes()
    assert b"what no program may see" not in environment


def test_a_killed_child_is_an_error_and_the_next_run_starts_another(fresh: Executor) -> None:
    fresh.run("SELECT COUNT(*) FROM w", GAMES)
    session = fresh.session
    child = session._child
    assert child is not None
    os.kill(child.pid, signal.SIGKILL)
    while child.alive:
        time.sleep(0.01)
    assert outcome_of(fresh) == f"{session.engine}: its process has ended; in the query SELECT COUNT(*) FROM w"
    assert outcome_of(fresh) == [5]


def outcome_of(executor: Executor) -> object:
    try:
        return executor.run("SELECT COUNT(*) FROM w", GAMES).answer
    except EngineError as error:
        return str(error)


def test_the_child_ends_with_its_executor() -> None:
    executor = Executor()
    executor.run("SELECT COUNT(*) FROM w", GAMES)
    pid = executor.session.pid
    del executor
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


# ---------------------------------------------------------------------------------------------------------------- other
@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_large_table_costs_one_question_per_different_cell(engine: str) -> None:
    import pandas as pd

    rng = np.random.default_rng(0)
    place, prices = rng.integers(0, 2000, 200_000), rng.integers(1, 9, 200_000)
    cities = np.array([f"city {i}" for i in range(2000)], object)
    table = Table.from_pandas(pd.DataFrame({"city": cities[place], "price": prices}))
    asked: list[str] = []

    def coastal(question: str, cell: str) -> str:
        asked.append(cell)
        return "yes" if int(cell.split()[1]) % 7 == 0 else "no"

    with Executor(engine, FunctionMapper(coastal, name="7")) as executor:
        result = executor.run("SELECT SUM(price) FROM w WHERE QA(\"map@coastal?\"; city) = 'yes'", table)
    assert result.answer == [int(prices[place % 7 == 0].sum())]
    assert sorted(asked) == sorted(cities[np.unique(place)])
    assert result.cost.calls == 40
    assert (result.columns["col_1"] == "yes").sum() == (place % 7 == 0).sum()
