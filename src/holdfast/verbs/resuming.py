"""What is left when a verb is stopped, and how it goes on from there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.errors import InputError, Stopped
from holdfast.files import UNFINISHED
from holdfast.verbs.saying import say


@contextmanager
def on_stop(advice: Callable[[], str]) -> Iterator[None]:
    """Where Ctrl-C or SIGTERM ends the block, say what is left and how to go on: "stopped; " and the advice.

    Args:
        advice: gives it, when the block is stopped.

    Raises:
        Stopped: the user has been told; the exit code becomes 130 (143 after SIGTERM).
    """
    try:
        yield
    except KeyboardInterrupt as stop:
        if not isinstance(stop, Stopped):
            say(f"stopped; {advice()}")
        raise Stopped from stop


@contextmanager
def resumable(has_state: Callable[[], bool]) -> Iterator[None]:
    """Where Ctrl-C or SIGTERM ends the block, say whether the same command with --resume goes on.

    Args:
        has_state: whether there is something to go on from; asked when the block is stopped.

    Raises:
        Stopped: as `on_stop`.
    """
    yes, no = "the same command with --resume continues", "there is no state yet that --resume could continue from"
    with on_stop(lambda: yes if has_state() else no):
        yield


@contextmanager
def training_state(out: Path, resume: bool) -> Iterator[Path]:
    """The folder beside a model where training keeps its state: removed once the model is there, and not before.

    Args:
        out: the model's folder.
        resume: whether the user asks to go on with what was begun.

    Yields:
        The folder, for `fit(checkpoint=...)` or `Checkpoints`. It need not exist.

    Raises:
        InputError: resume without a state; a state without resume; a link in the state's place.
    """
    place = out.absolute()
    folder = place.with_name(f".{place.name}.training")
    if folder.is_symlink():
        raise InputError(
            "--out", "must not have a link beside it where training keeps its state; remove it", str(folder)
        )
    found = holds_state(folder)
    if resume and not found:
        raise InputError("--resume", f"must follow an interrupted run with --out {out}", f"no state in {folder}")
    if found and not resume:
        rule = "must be given to continue the run that was stopped; remove its state to start again"
        raise InputError("--resume", rule, f"a state in {folder}")
    try:
        with resumable(lambda: holds_state(folder)):
            yield folder
    except BaseException:
        if not holds_state(folder):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def holds_state(folder: Path) -> bool:
    """Whether a folder holds any file that was written whole."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return any(not part.startswith(UNFINISHED) for path in files for part in path.parts[:1])


__all__ = ["holds_state", "on_stop", "resumable", "training_state"]
