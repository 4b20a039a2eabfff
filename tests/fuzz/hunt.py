"""A fuzz: inputs from a strategy, thrown at one entrance of holdfast, and the rule that every outcome has to obey.

An input may be accepted, or refused with an error that says in one line what is wrong. Anything else is a defect.
"""

from __future__ import annotations

import signal
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.strategies import SearchStrategy

from holdfast.errors import HoldfastError

Outcome = Literal["accepted", "refused", "still at work"]
Attempt = Callable[[Any], Outcome]
PATIENCE_S = 20.0  # a legitimate request can be a long one; it is then stopped and counted as such
LONGEST = 2000  # characters of a message: it has to be readable


class Defect(AssertionError):
    """The rule was broken."""


class _Patience(BaseException):
    """Raised inside a case that takes long; no `except Exception` may swallow it."""


@dataclass(frozen=True)
class Fuzz:
    """One entrance and what is thrown at it.

    Attributes:
        name: one word, unique.
        fault: what is wrong with the inputs; how: where they come from and where they go.
        cases: how many a recorded campaign tries.
        prepare: given an empty folder, makes what the cases need; gives the strategy and the attempt.
    """

    name: str
    fault: str
    how: str
    cases: int
    prepare: Callable[[Path], AbstractContextManager[tuple[SearchStrategy[Any], Attempt]]]


@dataclass
class Tally:
    """What a hunt found. `defects` maps a description to the number of cases and the first of them."""

    outcomes: Counter[str] = field(default_factory=Counter)
    defects: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def tried(self) -> int:
        return sum(self.outcomes.values())

    def note(self, error: BaseException, case: Any) -> None:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if "holdfast" in f.filename]
        at = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        what = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}{at}"
        count, first = self.defects.get(what, (0, repr(case)[:600]))
        self.defects[what] = (count + 1, first)


def obey(call: Callable[[], object]) -> Outcome:
    """Call, and hold the outcome to the rule for Python: it works, or raises a HoldfastError of one readable line.

    Raises:
        Defect: the message breaks the rule. Any other exception passes through, and is a defect too.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what libraries remark about odd numbers is no matter of this rule
            call()
    except HoldfastError as error:
        one_readable_line(str(error))
        return "refused"
    return "accepted"


def one_readable_line(text: str) -> None:
    """Raise Defect unless the text is a single line that a terminal prints as it is."""
    if not text.strip() or len(text.splitlines()) != 1 or len(text) > LONGEST:
        raise Defect(f"not one readable line: {text[:300]!r}")
    if any(c < " " or "\x7f" <= c <= "\x9f" for c in text):
        raise Defect(f"holds characters that control a terminal: {text[:300]!r}")


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Stop the block by an exception when its time is over."""

    def over(number: int, frame: object) -> None:
        raise _Patience

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def hunt(fuzz: Fuzz, cases: int, *, seed: int | None, first_defect_ends: bool, tick: Callable[[], None]) -> Tally:
    """Try `cases` inputs.

    Args:
        seed: of the inputs; None = the same inputs every time.
        first_defect_ends: raise at once, with the smallest input that shows the defect; else go on and tally.
        tick: called after each case.
    """
    tally = Tally()
    phases = (Phase.generate, Phase.shrink) if first_defect_ends else (Phase.generate,)
    with tempfile.TemporaryDirectory() as folder, fuzz.prepare(Path(folder)) as (strategy, attempt):

        def one(case: Any) -> None:
            tick()
            outcome: str = "defect"
            try:
                with nullcontext() if first_defect_ends else patience(PATIENCE_S):  # a test has a limit of its own
                    outcome = attempt(case)
            except _Patience:
                outcome = "still at work"
            except (Exception, SystemExit) as error:
                if first_defect_ends:
                    raise
                tally.note(error, case)
            tally.outcomes[outcome] += 1

        test = settings(
            max_examples=cases,
            database=None,
            deadline=None,
            derandomize=seed is None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        )(hypothesis.given(strategy)(one))
        (test if seed is None else hypothesis.seed(seed)(test))()
    return tally
