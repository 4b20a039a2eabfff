"""How a run looks while it runs: one live display on a terminal, plain lines elsewhere, nothing if quiet."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from holdfast.experiment import Record
from holdfast.printable import clean_line
from holdfast.trials.execute import Task

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

PLAIN_EVERY_S = 10.0


def name_of(task: Task) -> str:
    """A trial in a few words."""
    trial = task.trial
    point = "".join(f" {k}={v}" for k, v in trial.point.items())
    replicate = "" if trial.replicate is None else f" #{trial.replicate}"
    return clean_line(f"{trial.arm} · {trial.problem}{point}{replicate}")


class Quiet:
    """Shows nothing. The other displays are told the same things."""

    def begin(self, label: str, total: int) -> None:
        """`total` trials follow."""

    def started(self, task: Task) -> None:
        """A trial has started."""

    def stepped(self, task: Task, done: int, total: int) -> None:
        """A trial has done so many of its steps."""

    def finished(self, task: Task, record: Record) -> None:
        """A trial has ended, well or not."""


class Plain(Quiet):
    """A line now and then, for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._label, self._total, self._done, self._last = "", 0, 0, 0.0

    def begin(self, label: str, total: int) -> None:
        self._label, self._total, self._done, self._last = label, total, 0, time.monotonic()
        self._print(f"{label}: {total} trials")

    def finished(self, task: Task, record: Record) -> None:
        self._done += 1
        failure = failure_of(task, record)
        if failure or self._done == self._total or time.monotonic() - self._last > PLAIN_EVERY_S:
            self._last = time.monotonic()
            self._print("; ".join(filter(None, [f"{self._label}: {self._done}/{self._total} trials", failure])))

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


class Live(Quiet):
    """A bar for the trials and one for each that is running."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._total: TaskID | None = None
        self._bars: dict[str, TaskID] = {}

    def begin(self, label: str, total: int) -> None:
        if self._total is not None:
            self._progress.remove_task(self._total)
        self._total = self._progress.add_task(_plainly(label), total=total)

    def started(self, task: Task) -> None:
        self._bars[task.trial.key] = self._progress.add_task(f"  {_plainly(name_of(task))}", total=None)

    def stepped(self, task: Task, done: int, total: int) -> None:
        self._progress.update(self._bars[task.trial.key], completed=done, total=total)

    def finished(self, task: Task, record: Record) -> None:
        self._progress.remove_task(self._bars.pop(task.trial.key))
        if failure := failure_of(task, record):
            self._progress.console.print(failure, markup=False, highlight=False, soft_wrap=True)
        if self._total is not None:
            self._progress.advance(self._total)


def failure_of(task: Task, record: Record) -> str:
    """Which trial failed and why, in a line; "" for one that did not."""
    if record.status == "ok":
        return ""
    return clean_line(f"failed: {name_of(task)}: {(record.error.splitlines() or ['no reason given'])[-1]}")


def _plainly(text: str) -> str:
    from rich.markup import escape

    return escape(text)


@contextmanager
def display(console: Console, *, quiet: bool = False) -> Iterator[Quiet]:
    """The display that fits the console."""
    if quiet:
        yield Quiet()
    elif not console.is_terminal or console.is_dumb_terminal:
        yield Plain(console)
    else:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            yield Live(progress)
