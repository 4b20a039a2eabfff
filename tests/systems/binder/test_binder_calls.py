"""Calls: one answer per row, equal rows once, requests of bounded size, budgets, a cache that outlives a kill."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import HoldfastError, InputError
from holdfast.language.budget import Budget, BudgetExceeded, Limits, Usage, spend
from holdfast.language.cache import AnswerCache
from holdfast.systems.binder.tool.callrunner import CallFailed, CallRunner
from holdfast.systems.binder.tool.calls import Mapper, MapperLengthError, NoBackend, Row, cell_text
from holdfast.systems.binder.tool.mappers import FunctionAnswerer, FunctionMapper, RegexMapper, ReplayMapper

HEADER = ("cell",)


class Upper:
    """Answers in capitals and remembers what it was asked."""

    id = "upper"

    def __init__(self) -> None:
        self.requests: list[list[Row]] = []

    def map(self, question: str, rows: list[Row], header: Row) -> list[str | None]:
        self.requests.append(rows)
        return [row[0].upper() for row in rows]


class Forgetful(Upper):
    """Leaves out the last row of a request of more than so many rows."""

    def __init__(self, most: int, tells_which: bool) -> None:
        super().__init__()
        self.most, self.tells_which = most, tells_which

    def map(self, question: str, rows: list[Row], header: Row) -> list[str | None]:
        answers = super().map(question, rows, header)
        if len(rows) <= self.most:
            return answers
        return [*answers[:-1], None] if self.tells_which else answers[:-1]


def runner(mapper: Mapper | None, limits: Limits | None = None, chunk_rows: int = 50) -> CallRunner:
    return CallRunner(mapper, None, AnswerCache(), Budget(limits), chunk_rows)


def rows_of(count: int) -> list[Row]:
    return [(f"cell {i}",) for i in range(count)]


# ----------------------------------------------------------------------------------------------------------------- map
@given(st.lists(st.sampled_from("abcdefg"), max_size=30), st.integers(1, 10))
def test_each_different_row_is_asked_about_once_and_every_row_answered(cells: list[str], chunk_rows: int) -> None:
    mapper = Upper()
    calls = runner(mapper, chunk_rows=chunk_rows)
    told: list[tuple[int, int]] = []
    calls.progress = lambda *step: told.append(step)
    mapped = calls.map("?", [(cell,) for cell in cells], HEADER)
    assert mapped.answers == [cell.upper() for cell in cells]
    asked = [row for request in mapper.requests for row in request]
    assert Counter(asked) == Counter({(cell,): 1 for cell in cells})
    assert all(len(request) <= chunk_rows for request in mapper.requests)
    assert len(mapper.requests) == -(-len(set(cells)) // chunk_rows) == calls.budget.spent.calls
    different = len(set(cells))
    assert told == [(min(n * chunk_rows, different), different) for n in range(1, len(mapper.requests) + 1)]
    again = calls.map("?", [(cell,) for cell in reversed(cells)], HEADER)
    assert (again.answers, again.asked) == (mapped.answers[::-1], 0)


@pytest.mark.parametrize("tells_which", [True, False])
def test_rows_without_an_answer_are_asked_about_again(tells_which: bool) -> None:
    mapper = Forgetful(most=30, tells_which=tells_which)
    assert runner(mapper).map("?", rows_of(50), HEADER).answers == [f"CELL {i}" for i in range(50)]
    assert [len(request) for request in mapper.requests] == ([50, 1] if tells_which else [50, 25, 25])


@pytest.mark.parametrize(("tells_which", "known"), [(True, 49), (False, 0)])
def test_a_row_that_is_never_answered_ends_the_run_and_the_others_are_kept(tells_which: bool, known: int) -> None:
    calls = runner(Forgetful(most=0, tells_which=tells_which))
    with pytest.raises(MapperLengthError, match=f"answered {known} of 50 rows"):
        calls.map("?", rows_of(50), HEADER)
    assert len(calls.cache) == known


class Concurrent(Upper):
    concurrency = 4

    def __init__(self) -> None:
        super().__init__()
        self.together, self.most, self.lock = 0, 0, threading.Lock()
        self.meeting = threading.Barrier(4)

    def map(self, question: str, rows: list[Row], header: Row) -> list[str | None]:
        self.meeting.wait(timeout=600)  # goes on only when four requests are there at once
        spend(Usage(prompt_tokens=10))
        return super().map(question, rows, header)


def test_requests_are_in_flight_together_where_the_mapper_allows_it() -> None:
    mapper = Concurrent()
    calls = runner(mapper, chunk_rows=5)
    with calls.budget:
        assert calls.map("?", rows_of(40), HEADER).answers == [f"CELL {i}" for i in range(40)]
    assert calls.budget.spent.prompt_tokens == 80  # also from other threads


class Failing(Upper):
    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def map(self, question: str, rows: list[Row], header: Row) -> list[str | None]:
        if len(self.requests) == self.after:
            raise HoldfastError("endpoint http://localhost:1 is down: tried 3 times")
        return super().map(question, rows, header)


def test_a_failing_backend_is_told_in_one_line_with_where_the_work_is(tmp_path: Path) -> None:
    calls = CallRunner(Failing(2), None, AnswerCache(tmp_path / "kept.sqlite"), Budget(), 10)
    with pytest.raises(
        CallFailed, match=r"is down.*20 of 35 different rows of '\?' are answered and kept in .*kept"
    ) as e:
        calls.map("?", rows_of(35), HEADER)
    assert "\n" not in str(e.value)
    again = CallRunner(Upper(), None, AnswerCache(tmp_path / "kept.sqlite"), Budget(), 10)
    assert (again.map("?", rows_of(35), HEADER).cached, again.budget.spent.rows) == (20, 15)


@pytest.mark.parametrize("bad", [[3], ["x" * 200_000]])
def test_answers_that_are_no_texts_or_too_long_are_refused(bad: list[object]) -> None:
    class Bad(Upper):
        def map(self, question: str, rows: list[Row], header: Row) -> list[str | None]:
            return bad  # type: ignore[return-value]

    with pytest.raises(InputError, match="upper: must answer"):
        runner(Bad()).map("?", [("a",)], HEADER)


def test_no_backend_is_told_by_its_role() -> None:
    with pytest.raises(NoBackend, match="no mapper was given"):
        runner(None).map("?", [("a",)], HEADER)
    with pytest.raises(NoBackend, match="no answerer was given"):
        runner(None).answer("?", [("a",)], HEADER)


def test_answers_about_tables_are_cached_by_table() -> None:
    asked: list[list[Row]] = []
    answerer = FunctionAnswerer(lambda question, rows, header: asked.append(rows) or [len(rows)], name="count")
    calls = CallRunner(None, answerer, AnswerCache(), Budget())
    assert calls.answer("?", rows_of(3), HEADER) == (["3"], False)
    assert calls.answer("?", rows_of(3), HEADER) == (["3"], True)
    assert calls.answer("?", rows_of(2), HEADER) == (["2"], False)
    assert len(asked) == 2


# -------------------------------------------------------------------------------------------------------------- budgets
@pytest.mark.parametrize(
    ("limits", "answered"), [(Limits(max_calls=2), 20), (Limits(max_rows=15), 10), (Limits(max_tokens=25), 30)]
)
def test_a_budget_stops_with_what_was_done_and_what_is_left(limits: Limits, answered: int) -> None:
    class Priced(Upper):
        def map(self, question: str, rows: list[Row], header: Row) -> list[str | None]:
            spend(Usage(prompt_tokens=8, completion_tokens=2, cost=0.5))
            return super().map(question, rows, header)

    calls = runner(Priced(), limits, chunk_rows=10)
    left = 100 - answered
    with (
        calls.budget,
        pytest.raises(BudgetExceeded, match=f"{answered} of 100 different rows .* {left} left") as caught,
    ):
        calls.map("?", rows_of(100), HEADER)
    assert caught.value.done.rows == answered
    assert len(calls.cache) == answered
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


# ---------------------------------------------------------------------------------------------------------------- kills
KILLED = """
import sys, time
from holdfast.language.cache import AnswerCache
from holdfast.systems.binder.tool.callrunner import CallRunner
from holdfast.language.budget import Budget
class Slow:
    id = "upper"
    def map(self, question, rows, header):
        if rows[0][0] == "cell 30":
            print("asked", flush=True)
            time.sleep(600)
        return [row[0].upper() for row in rows]
rows = [(f"cell {i}",) for i in range(100)]
CallRunner(Slow(), None, AnswerCache(sys.argv[1]), Budget(), 10).map("?", rows, ("cell",))
"""


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_a_killed_process_loses_no_finished_answer(tmp_path: Path) -> None:
    path = tmp_path / "kept.sqlite"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "asked\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    mapper = Upper()
    calls = CallRunner(mapper, None, AnswerCache(path), Budget(), 10)
    mapped = calls.map("?", rows_of(100), HEADER)
    assert (mapped.cached, mapped.asked) == (30, 70)
    assert mapped.answers == [f"CELL {i}" for i in range(100)]


# -------------------------------------------------------------------------------------------------------------- mappers
def test_mappers_without_a_model() -> None:
    regex = RegexMapper({"year?": r"(\d{4})", "win?": "^w"}, missing="n/a")
    assert regex.map("year?", [("in 1998",), ("never",)], HEADER) == ["1998", "n/a"]
    assert regex.map("win?", [("W 3-2",), ("l",)], HEADER) == ["yes", "no"]
    with pytest.raises(InputError, match="one for each question"):
        regex.map("other?", [("a",)], HEADER)
    with pytest.raises(InputError, match="regular expressions"):
        RegexMapper({"q": "("})
    replay = ReplayMapper({"q": {("a",): "1"}})
    assert replay.map("q", [("a",), ("b",)], HEADER) == ["1", None]
    assert replay.id != ReplayMapper({"q": {("a",): "2"}}).id  # or a cache would mix them up
    assert all(isinstance(mapper, Mapper) for mapper in (regex, replay, FunctionMapper(str, name="f")))


def test_a_replay_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    path.write_text('[["q", ["a", "b"], "1"]]')
    assert ReplayMapper.from_file(path).map("q", [("a", "b")], ("x", "y")) == ["1"]
    path.write_text('[["q", "a", "1"]]')
    with pytest.raises(InputError, match="entry 0"):
        ReplayMapper.from_file(path)


@given(st.one_of(st.integers(), st.floats(), st.text(), st.none()))
def test_cells_become_texts(value: object) -> None:
    text = cell_text(value)
    assert isinstance(text, str)
    if isinstance(value, int):
        assert int(text) == value
    elif isinstance(value, float):
        assert float(text) == value or value != value


def test_time_is_counted() -> None:
    start = time.monotonic()
    budget = Budget(Limits(timeout_s=1000.0))
    assert budget.spent.seconds <= time.monotonic() - start
    assert 0 < (budget.remaining_s or 0) <= 1000.0
