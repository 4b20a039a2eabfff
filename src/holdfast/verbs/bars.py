"""How far a verb is: bars on a terminal; elsewhere a line about every ten seconds, so that logs stay short."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from holdfast.verbs.saying import say

EVERY_S = 10.0
FIRST_S = 3.0  # after which a first estimate is more than a guess


class Show(Protocol):
    """Says how much is done; a total of None is not known."""

    def __call__(self, done: int, total: int | None = None) -> None: ...


class ShowEach(Protocol):
    """Says how much of one of several things is done; a total of None is not known."""

    def __call__(self, what: str, done: int, total: int | None = None) -> None: ...


@contextmanager
def progress(what: str, quiet: bool = False) -> Iterator[Show]:
    """Show how far one thing is, and how long it will still take.

    Args:
        what: is being done.
        quiet: show nothing.

    Yields:
        To be called with (done, total), as estimators and loops do with what they are given as `progress`.
    """
    with progresses(quiet) as show:
        yield lambda done, total=None: show(what, done, total)


@contextmanager
def progresses(quiet: bool = False) -> Iterator[ShowEach]:
    """Show how far several things are: one bar below the other, for each thing that is said to be done so far.

    Args:
        quiet: show nothing.

    Yields:
        To be called with (what, done, total).
    """
    if quiet:
        yield lambda what, done, total=None: None
    elif not sys.stderr.isatty():
        yield Lines(say, time.monotonic)
    else:
        from rich.console import Console

        console = Console(stderr=True)
        if console.is_dumb_terminal:
            yield Lines(say, time.monotonic)
        else:
            with _bars(console) as show:
                yield show


class Lines:
    """A line about every ten seconds, with all that has begun and is not finished; nothing about what is quick.

    What will take longer than that is said once it has gone on for three seconds, with the time that is left. The time
    up to the first call for a thing is left out of the estimate: it holds what happens only once.

    Args:
        write: where lines go.
        clock: seconds.
    """

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._write, self._clock, self._last = write, clock, clock()
        self._begun: dict[str, tuple[float, int]] = {}
        self._now: dict[str, tuple[int, int | None]] = {}
        self._estimated: set[str] = set()

    def __call__(self, what: str, done: int, total: int | None = None) -> None:
        now = self._clock()
        self._begun.setdefault(what, (now, done))  # what is done already was not done at this speed
        self._now[what] = done, total
        if now - self._last < EVERY_S and not self._early(what, now):
            return
        self._last = now
        going = [name for name, (d, t) in self._now.items() if d != t or name == what]
        self._estimated.update(going)
        self._write("; ".join(f"{name}: {self._state(name, now)}" for name in going))

    def _early(self, what: str, now: float) -> bool:
        """Whether a first estimate can be given, and is worth a line of its own."""
        left = self._left(what, now)
        since = now - self._begun[what][0]
        return what not in self._estimated and left is not None and since >= FIRST_S and since + left > EVERY_S

    def _left(self, what: str, now: float) -> float | None:
        """Seconds, if anything is known of the speed."""
        (since, first), (done, total) = self._begun[what], self._now[what]
        if total is None or not first < done < total:
            return None
        return (total - done) * (now - since) / (done - first)

    def _state(self, what: str, now: float) -> str:
        done, total = self._now[what]
        if total is None:
            return f"{done:,}"
        left = self._left(what, now)
        return f"{done:,} of {total:,}" + ("" if left is None else f", about {_duration(left)} left")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


@contextmanager
def _bars(console: Any) -> Iterator[ShowEach]:
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Count(ProgressColumn):
        """How many of how many; rich's own shows "?" for a total that nobody knows."""

        def render(self, task: Task) -> Text:
            total = "" if task.total is None else f" of {task.total:,.0f}"
            return Text(f"{task.completed:,.0f}{total}")

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), Count(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as display:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int | None = None) -> None:
            if what not in tasks:
                tasks[what] = display.add_task(what, total=None)
            display.update(tasks[what], completed=done, total=total)

        yield show


__all__ = ["EVERY_S", "Lines", "Show", "ShowEach", "progress", "progresses"]
