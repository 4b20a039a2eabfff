"""How a run looks while it runs."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from holdfast.experiment import Record
from holdfast.trials import display as module
from holdfast.trials.display import Live, Plain, Quiet, display, name_of
from holdfast.trials.execute import Task
from holdfast.trials.plan import ExperimentSource, Trial

ODD = "[red]arm[/red] [/]"


def task(arm: str = "arm", replicate: int | None = 1000, **point: Any) -> Task:
    return Task(ExperimentSource("s"), "small", Trial(f"{arm}{replicate}", arm, "p", point, replicate), Path())


def record(of: Task, error: str = "") -> Record:
    trial = of.trial
    status: Any = "failed" if error else "ok"
    return Record(trial.key, trial.arm, trial.problem, trial.point, trial.replicate, status, error=error)


def console(*, terminal: bool, **more: Any) -> Console:
    return Console(file=StringIO(), force_terminal=terminal, width=100, legacy_windows=False, **more)


def text(of: Console) -> str:
    assert isinstance(of.file, StringIO)
    return of.file.getvalue()


def test_a_trial_in_a_few_words() -> None:
    assert name_of(task(width=2)) == "arm · p width=2 #1000"
    assert name_of(task(replicate=None)) == "arm · p"


def test_quiet_shows_nothing() -> None:
    for terminal in (True, False):
        shown = console(terminal=terminal)
        with display(shown, quiet=True) as show:
            assert type(show) is Quiet
            show.begin("label", 1)
            show.started(task())
            show.stepped(task(), 1, 2)
            show.finished(task(), record(task(), "E: x"))
        assert text(shown) == ""


def test_plain_lines_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    shown = console(terminal=False)
    with display(shown) as show:
        assert type(show) is Plain
        show.begin("[b]toy", 5)
        for i, (seconds, error) in enumerate(
            [(1, ""), (2, "Traceback\n  x\nValueError: [red]bad " + "x" * 200), (3, ""), (15, ""), (16, "")]
        ):
            now[0] = seconds
            one = task(ODD, i)
            show.started(one)
            show.stepped(one, 1, 2)
            show.finished(one, record(one, error))
    assert text(shown).splitlines() == [
        "[b]toy: 5 trials",
        f"[b]toy: 2/5 trials; failed: {ODD} · p #1: ValueError: [red]bad " + "x" * 200,
        "[b]toy: 4/5 trials",
        "[b]toy: 5/5 trials",
    ]


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines() -> None:
    with display(console(terminal=True, _environ={"TERM": "dumb"})) as show:
        assert type(show) is Plain


def test_live_bars_on_a_terminal() -> None:
    shown = console(terminal=True, color_system=None)
    with display(shown) as show:
        assert isinstance(show, Live)
        progress = show._progress
        show.begin("[b]toy", 3)
        one, two = task(ODD), task("other", 1001)
        show.started(one)
        show.started(two)
        show.stepped(one, 3, 10)
        progress.refresh()
        assert [(t.completed, t.total) for t in progress.tasks] == [(0, 3), (3, 10), (0, None)]
        show.finished(two, record(two, "Traceback\nValueError: [red]bad"))
        show.finished(one, record(one))
        assert [(t.completed, t.total) for t in progress.tasks] == [(2, 3)]
        progress.refresh()
        show.begin("second look", 8)
        assert [(t.description, t.total) for t in progress.tasks] == [("second look", 8)]
    assert f"{ODD} · p #1000" in text(shown)
    assert "[b]toy" in text(shown)
    assert "failed: other · p #1001: ValueError: [red]bad" in text(shown)
    assert "2/3" in text(shown)


def test_a_failure_without_words() -> None:
    shown = console(terminal=False)
    with display(shown) as show:
        show.begin("toy", 1)
        show.finished(task(), Record("k", "arm", "p", {}, 0, "failed", error=""))
    assert "no reason given" in text(shown)
