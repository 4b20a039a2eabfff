"""Which of a system's mutants its fast tests notice."""

from __future__ import annotations

import queue
import tempfile
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from holdfast.errors import HoldfastError, InputError
from mutants.copies import Copy, Processes
from mutants.mutations import Mutation, drawn
from mutants.room import Room

PASSED, NO_TESTS = 0, 5  # exit codes of pytest
TIMES = 5.0  # a mutant may take so many times longer than no mutant, and some seconds more


@dataclass(frozen=True)
class Tried:
    """What became of a mutant.

    Attributes:
        mutation: the mutant.
        verdict: "killed", "survived", or "invalid": its module cannot be imported.
        by: what killed it: a test, "the import of" a file of tests, "the time limit".
    """

    mutation: Mutation
    verdict: str
    by: str = ""


class Campaign:
    """Tries mutants of a system, several at a time.

    Args:
        room: the system.
        count: of the mutants; all if there are fewer.
        seed: chooses them.
        jobs: how many are tried at a time.
        tell: called with a line once the tests have run without a mutant.
        patience: seconds that the tests of a mutant may take beyond five times those without one: other programs need
            the machine, too.

    Attributes:
        every: all mutants of the system.

    Raises:
        InputError: a count or a number of jobs that is not positive.
    """

    def __init__(
        self,
        room: Room,
        count: int = 20,
        seed: int = 0,
        jobs: int = 2,
        tell: Callable[[str], None] = lambda line: None,
        patience: float = 60.0,
    ) -> None:
        for name, value in {"count": count, "jobs": jobs}.items():
            if value < 1:
                raise InputError(name, "must be at least 1", value)
        self.room, self.count, self.seed, self.jobs, self.tell, self.patience = room, count, seed, jobs, tell, patience
        self.every = room.mutations()

    def chosen(self) -> list[Mutation]:
        """The mutants, if all of them can be imported."""
        return list(islice(drawn(self.every, self.seed), self.count))

    def run(self) -> Generator[Tried, None, None]:
        """Every mutant in the order of the draw; in place of one that is invalid another is drawn.

        Raises:
            HoldfastError: the tests fail without a mutant.
        """
        processes, order, valid = Processes(), drawn(self.every, self.seed), 0
        with tempfile.TemporaryDirectory(prefix="holdfast-mutants-") as scratch:
            copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
            pool = ThreadPoolExecutor(self.jobs)

            def tried(m: Mutation) -> Tried:
                copy = copies.get()
                try:
                    return self._tried(m, copy, limit)
                finally:
                    copies.put(copy)

            try:
                roots = [Path(scratch) / str(number) for number in range(self.jobs)]
                first = Copy(self.room, roots[0], processes)
                limit = self.patience + TIMES * self._without_mutant(first)
                for copy in [first, *(Copy(self.room, root, processes) for root in roots[1:])]:
                    copies.put(copy)
                while batch := list(islice(order, self.count - valid)):
                    for one in pool.map(tried, batch):
                        valid += one.verdict != "invalid"
                        yield one
            finally:
                processes.stop()  # before waiting for the threads that wait for them
                pool.shutdown(cancel_futures=True)

    def _without_mutant(self, copy: Copy) -> float:
        """The seconds that the tests take."""
        for module in self.room.modules:
            if not copy.imports(module):
                raise HoldfastError(f"{self.room.import_name(module)} cannot be imported")
        start = time.monotonic()
        ended = copy.test(self.room.tests)
        seconds = time.monotonic() - start
        if ended.code == NO_TESTS:
            raise HoldfastError(f"{self.room.system} has no fast tests")
        if ended.code != PASSED:
            raise HoldfastError(f"without a mutant the tests fail: {ended.failed or ended.output[-400:]}")
        self.tell(f"without a mutant its tests pass in {seconds:.0f} s")
        return seconds

    def _tried(self, m: Mutation, copy: Copy, limit: float) -> Tried:
        with copy.mutated(m):
            ended = copy.test(self.room.tests_for(m), limit)
            if ended.code == PASSED:
                return Tried(m, "survived")
            # Where no test ran, the mutant may be no module at all, which proves nothing of the tests.
            if ended.code is not None and "::" not in ended.failed and not copy.imports(m.module):
                return Tried(m, "invalid")
            return Tried(m, "killed", ended.by)


__all__ = ["Campaign", "Tried"]
