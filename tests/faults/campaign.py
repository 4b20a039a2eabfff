"""The faults, and how each is tried: provoke it really, then look whether what was promised still holds."""

from __future__ import annotations

import random
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.workspace import Lost, Numbers, Workspace
from tests.reliability import Row

REFERENCE = "reference"


@dataclass(frozen=True)
class Scene:
    """What a fault is given.

    Attributes:
        work: a fresh workspace.
        rng: of this try.
        undisturbed: the numbers that every run must come to.
        finished: folder of a finished, undisturbed run, to be copied.
        number: of the try, from 0.
    """

    work: Workspace
    rng: random.Random
    undisturbed: Numbers
    finished: Path
    number: int


Provoke = Callable[[Scene], str]


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: to select it by.
        what: the fault, in words.
        how: how it is provoked, in words.
        provoke: does it once, checks, and says what happened; raises `Lost` if a promise was broken.
        tries: how often.
        each: faults in one try (several kills in a row of the same run).
    """

    name: str
    what: str
    how: str
    provoke: Provoke
    tries: int
    each: int = 1


FAULTS: dict[str, Fault] = {}


def fault(what: str, how: str, tries: int = 1, each: int = 1) -> Callable[[Provoke], Provoke]:
    """Enter a function among the faults, under its own name."""

    def enter(provoke: Provoke) -> Provoke:
        name = provoke.__name__.replace("_", "-")
        FAULTS[name] = Fault(name, what, how, provoke, tries, each)
        return provoke

    return enter


@dataclass
class Found:
    """What came of one kind of fault."""

    fault: Fault
    outcomes: Counter[str] = field(default_factory=Counter)
    losses: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        """How many tries are through."""
        return sum(self.outcomes.values()) + len(self.losses)

    @property
    def row(self) -> Row:
        """For the record."""
        done = sum(self.outcomes.values())
        told = "; ".join(f"{words} ({n}x)" if n < done else words for words, n in self.outcomes.most_common())
        return Row(
            self.fault.what, self.fault.how, self.tried * self.fault.each, told, "; ".join(self.losses) or "nothing"
        )


class Campaign:
    """Tries faults, several at a time.

    Args:
        faults: which.
        seed: of everything random in it.
        jobs: how many tries at a time.
        share: of the tries, at least one each; 1 = all.
        tell: called after every try, with its fault and, where that was the last of it, what was found.
    """

    def __init__(
        self,
        faults: Sequence[Fault],
        seed: int,
        jobs: int = 2,
        share: float = 1.0,
        tell: Callable[[Fault, Found | None], None] = lambda fault, found: None,
    ) -> None:
        self.faults, self.seed, self.jobs, self.tell = faults, seed, jobs, tell
        self.tries = [(f, i) for f in faults for i in range(max(1, round(f.tries * share)))]
        self.seconds = 0.0

    def run(self) -> list[Found]:
        """Every try of every fault; the findings in the order of the faults."""
        start, lock = time.monotonic(), threading.Lock()
        found = {f.name: Found(f) for f in self.faults}
        with tempfile.TemporaryDirectory(prefix="holdfast-faults-") as scratch:
            root = Path(scratch).resolve()
            undisturbed = reference(root)
            with ThreadPoolExecutor(self.jobs) as pool:
                tries = {pool.submit(self._try, root, f, i, undisturbed): f for f, i in self.tries}
                for ended in as_completed(tries):
                    outcome, loss = ended.result()
                    with lock:
                        one = found[tries[ended].name]
                        if loss:
                            one.losses.append(loss)
                        else:
                            one.outcomes[outcome] += 1
                        through = one.tried == sum(f is one.fault for f, _ in self.tries)
                    self.tell(tries[ended], one if through else None)
        self.seconds = time.monotonic() - start
        return list(found.values())

    def _try(self, root: Path, f: Fault, number: int, undisturbed: Numbers) -> tuple[str, str]:
        """What happened, or what was lost."""
        work = Workspace(root / f"{f.name} {number}")
        rng = random.Random(f"{self.seed} {f.name} {number}")
        scene = Scene(work, rng, undisturbed, root / REFERENCE / "repo" / "runs" / "out", number)
        try:
            return f.provoke(scene), ""
        except Lost as loss:
            return "", f"try {number}: {loss}"
        except (OSError, LookupError, TypeError, ValueError, AttributeError, sqlite3.Error) as error:  # cannot be read
            return "", f"try {number}: {type(error).__name__}: {error}"
        finally:
            work.remove()


def reference(root: Path) -> Numbers:
    """The numbers of a run that nothing disturbed; stays in `root`."""
    work = Workspace(root / REFERENCE)
    work.run().completed()
    return work.numbers()
