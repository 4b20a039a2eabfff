"""What systems' own commands show while they work: on a terminal; elsewhere nothing, so that logs stay clean."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[int, int], None]
NamedProgress = Callable[[str, int, int | None], None]


@contextmanager
def bar(what: str) -> Iterator[Progress]:
    """A progress bar.

    Args:
        what: is being done.

    Yields:
        To be called with (done, total).
    """
    with bars() as show:
        show(what, 0, None)
        yield lambda done, total: show(what, done, total)


@contextmanager
def bars(quiet: bool = False) -> Iterator[NamedProgress]:
    """Progress bars, one below the other: one for each thing that is said to be done so far.

    Args:
        quiet: show nothing on a terminal, either.

    Yields:
        To be called with (what, done, total); a total of None is not known yet.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Display

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Display(*columns, console=Console(stderr=True), transient=True) as display:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = display.add_task(what, total=None)
            display.update(tasks[what], completed=done, total=total)

        yield show


__all__ = ["NamedProgress", "Progress", "bar", "bars"]
