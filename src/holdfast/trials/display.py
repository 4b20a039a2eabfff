"""How a run looks while it runs: one live display on a terminal, plain lines elsewhere, nothing if quiet."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from holdfast.experiment import Record
from holdfast.trials.execute import Task

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_EVERY_S = 10.0


def name_of(task: Task) -> str:
    """A trial in a few words."""
    trial = task.trial
    point = "".join(f" {k}={v}" for k, v in trial.point.items())
    replicate = "" if trial.replicate is None else f" #{trial.replicate}"
    return f"{trial.arm} · {trial.problem}{point}{replicate}"


class Quiet:
    """Shows nothing."""

    def begin(self, label: str, total: int) -> None: ...
    def started(self, task: Task) -> None: ...
    def stepped(self, task: Task, done: int, total: int) -> None: ...
    def finished(self, task: Task, record: Record) -> None: ...


class Plain(Quiet):
    """A line now and then, for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._label, self._total, self._done, self._failed, self._last = "", 0, 0, 0, 0.0

    def begin(self, label: str, total: int) -> None:
        self._label, self._total, self._done, self._failed, self._last = label, total, 0, 0, time.monotonic()
        self._console.print(f"{label}: {total} trials", markup=False)

    def finished(self, task: Task, record: Record) -> None:
        self._done += 1
        self._failed += record.status == "failed"
        failed = record.status == "failed"
        if failed or self._done == self._total or time.monotonic() - self._last > PLAIN_EVERY_S:
            self._last = time.monotonic()
            text = f"{self._label}: {self._done}/{self._total} trials"
            if failed:
                text += f"; failed: {name_of(task)}: {record.error.splitlines()[-1]}"
            self._console.print(text, markup=False, soft_wrap=True)


class Live(Quiet):
    """A bar for the trials and one for each that is running."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self._total: Any = None
        self._bars: dict[str, Any] = {}

    def begin(self, label: str, total: int) -> None:
        if self._total is not None:
            self._progress.remove_task(self._total)
        self._total = self._progress.add_task(f"[bold]{label}", total=total)

    def started(self, task: Task) -> None:
        from rich.markup import escape

        self._bars[task.trial.key] = self._progress.add_task(f"  {escape(name_of(task))}", total=None)

    def stepped(self, task: Task, done: int, total: int) -> None:
        self._progress.update(self._bars[task.trial.key], completed=done, total=total)

    def finished(self, task: Task, record: Record) -> None:
        self._progress.remove_task(self._bars.pop(task.trial.key))
        if record.status == "failed":
            self._progress.console.print(f"failed: {name_of(task)}: {record.error.splitlines()[-1]}", markup=False)
        self._progress.advance(self._total)


@contextmanager
def display(console: Console, *, quiet: bool = False) -> Iterator[Quiet]:
    """The display that fits the console."""
    if quiet:
        yield Quiet()
    elif not console.is_terminal:
        yield Plain(console)
    else:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            yield Live(progress)
