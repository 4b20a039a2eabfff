"""A numpy-only experiment whose arms do what a trial may do, good and bad. Importable in worker processes."""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from holdfast.errors import InputError
from holdfast.experiment import (
    Arm,
    Artifact,
    Cost,
    Curve,
    Experiment,
    Measurement,
    Metric,
    PerUnit,
    Problem,
    Scalar,
    Scale,
)
from holdfast.experiment.claims import Better
from holdfast.experiment.run import Run

MEGABYTE = 2**20


@dataclass(frozen=True)
class Draws(Problem):
    source: ClassVar[Any] = "generated"
    shift: float = 0.0
    here: bool = True

    def available(self) -> bool:
        return self.here

    def describe(self) -> str:
        return f"normal draws around {self.shift}"


@dataclass(frozen=True)
class Own(Problem):
    source: ClassVar[Any] = "file"
    path: str

    def fingerprint(self) -> str:
        return Path(self.path).read_text()

    def describe(self) -> str:
        return self.path


@dataclass(frozen=True)
class Does:
    """An arm that does something."""

    what: Callable[[Run], Iterator[Measurement]]
    mean: float = 0.0


# ---------------------------------------------------------------------------------------------------- that end well
def scores(run: Run) -> Iterator[Measurement]:
    problem: Any = run.problem
    noise = run.rng("split").normal() + run.rng("init").normal()
    yield Scalar("score", run.arm.mean + problem.shift + noise)


def everything(run: Run) -> Iterator[Measurement]:
    for _ in run.progress(range(3)):
        pass
    (run.dir / "deep").mkdir()
    (run.dir / "deep" / "formula.txt").write_text("x + 1")
    yield Scalar("score", np.float32(0.5))  # type: ignore[arg-type]
    yield Curve("path", np.arange(2), np.array([1.0, np.nan]), "step")  # type: ignore[arg-type]
    yield PerUnit("score", [1.0, 2.0], np.array([7, 8]))  # type: ignore[arg-type]
    yield Artifact("formula", "deep/formula.txt", "text", "what was found")
    yield Cost("tokens", 12)


def constant(run: Run) -> Iterator[Measurement]:
    yield Scalar("score", 2.0)


def constant_that_draws(run: Run) -> Iterator[Measurement]:
    run.rng("init")
    yield Scalar("score", 2.0)


def draws_from_libraries(run: Run) -> Iterator[Measurement]:
    yield Scalar("score", random.random() + np.random.random())  # noqa: NPY002  that is what it tests


def makes_world(seed: int, size: int, log: str) -> dict[str, Any]:
    """A stage; every call leaves a line in the log."""
    with Path(log).open("a") as file:
        file.write(f"{os.getpid()}\n")
    waste = np.ones(200 * MEGABYTE // 8)
    time.sleep(0.6)
    return {"world": np.random.default_rng(seed).normal(size=size) + 0 * waste[:size], "global": np.random.rand(2)}  # noqa: NPY002


def shares(run: Run) -> Iterator[Measurement]:
    log = run.dir.parent.parent / "calls.log"
    world = run.stage("world", makes_world, seed=run.seed("split"), size=4, log=str(log))
    yield Scalar("score", run.arm.mean + float(world["world"].sum() + world["global"].sum()))
    yield Cost("after", float(np.random.rand()))  # noqa: NPY002


def large(run: Run) -> Iterator[Measurement]:
    yield Scalar("score", float(np.ones(300 * MEGABYTE // 8)[-1]))


def starts_a_process(run: Run) -> Iterator[Measurement]:
    child = multiprocessing.get_context("spawn").Process(target=os.getpid)
    child.start()
    child.join()
    yield Scalar("score", float(child.exitcode == 0))


# ---------------------------------------------------------------------------------------------------- that end badly
def undeclared(run: Run) -> Iterator[Measurement]:
    yield Scalar("scoer", 1.0)


def not_a_number(run: Run) -> Iterator[Measurement]:
    yield Scalar("score", float("nan"))


def twice(run: Run) -> Iterator[Measurement]:
    yield Scalar("score", 1.0)
    yield Scalar("score", 2.0)


def own_seconds(run: Run) -> Iterator[Measurement]:
    yield Cost("seconds", 1.0)


def escapes(run: Run) -> Iterator[Measurement]:
    (run.dir.parent / "outside.txt").write_text("x")
    yield Artifact("outside", "../outside.txt", "text")


def uneven_curve(run: Run) -> Iterator[Measurement]:
    yield Curve("path", [0, 1, 2], [0.0, 1.0])


def uneven_units(run: Run) -> Iterator[Measurement]:
    yield PerUnit("score", [1.0], [1, 2])


def yields_a_number(run: Run) -> Iterator[Any]:
    yield 3.0


def raises(run: Run) -> Iterator[Measurement]:
    (run.dir / "half.txt").write_text("half")
    yield Scalar("score", 1.0)
    raise RuntimeError("told to fail")


def refuses(run: Run) -> Iterator[Measurement]:
    yield Scalar("score", 1.0)
    raise InputError("steps", "must be positive", 0)


def leaves(run: Run) -> Iterator[Measurement]:
    yield Scalar("score", 1.0)
    sys.exit(4)


def is_killed(run: Run) -> Iterator[Measurement]:
    os.kill(os.getpid(), signal.SIGKILL)
    yield Scalar("score", 1.0)


def exits_at_once(run: Run) -> Iterator[Measurement]:
    os._exit(3)
    yield Scalar("score", 1.0)


def hangs(run: Run) -> Iterator[Measurement]:
    (run.dir.parent / f"pid-{os.getpid()}").touch()
    time.sleep(600)
    yield Scalar("score", 1.0)


class Strange(BaseException):
    """Neither an Exception nor anything the standard library knows."""


def raises_strangely(run: Run) -> Iterator[Measurement]:
    (run.dir / "half.txt").write_text("half")
    yield Scalar("score", 1.0)
    raise Strange("neither fish nor fowl")


def interrupts_itself(run: Run) -> Iterator[Measurement]:
    yield Scalar("score", 1.0)
    raise KeyboardInterrupt


def spins(run: Run) -> Iterator[Measurement]:
    """For ages in C, with the interpreter's lock held."""
    (run.dir.parent / f"pid-{os.getpid()}").touch()
    re.match(r"(a+)+$", "a" * 60 + "b")
    yield Scalar("score", 1.0)


def leaves_a_process(run: Run) -> Iterator[Measurement]:
    """And dies; the process holds all that it had open."""
    (run.dir / "half.txt").write_text("half")
    if (child := os.fork()) == 0:
        time.sleep(600)
    (run.dir.parent / f"pid-{child}").touch()
    os._exit(3)
    yield Scalar("score", 1.0)


def runs_out_of_memory(run: Run) -> Iterator[Measurement]:
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 50 * MEGABYTE, before[1]))
    try:
        yield Scalar("score", float(np.ones(300 * MEGABYTE // 8)[-1]))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def trial(run: Run) -> Iterator[Measurement]:
    yield from run.arm.what(run)


def own(paths: Sequence[Path], columns: Mapping[str, str]) -> Problem:
    return Own(str(paths[0]))


GOOD = (everything, draws_from_libraries, shares, large, starts_a_process)
BAD_INPUT = (undeclared, not_a_number, twice, own_seconds, escapes, uneven_curve, uneven_units, yields_a_number)
DYING = (raises_strangely, interrupts_itself, spins, leaves_a_process)
BAD = (raises, refuses, leaves, is_killed, exits_at_once, hangs, runs_out_of_memory, *DYING)

experiment = Experiment(
    question="Which number is larger?",
    problems={"p": Draws(), "q": Draws(1.0), "missing": Draws(here=False)},
    arms={
        "good": Arm(Does(scores, 3.0), space={"mean": (3.0, 4.0)}),
        "bad": Arm(Does(scores, 1.0)),
        "bad, other seeds": Arm(Does(scores, 1.0), reseed=1),
        "constant": Arm(Does(constant), deterministic=True),
        "constant that draws": Arm(Does(constant_that_draws), deterministic=True),
        "shares too": Arm(Does(shares, 1.0)),
        "only q": Arm(Does(scores), problems=("q",)),
        **{what.__name__: Arm(Does(what)) for what in (*GOOD, *BAD_INPUT, *BAD)},
    },
    metrics={"score": Metric("points")},
    scales={
        "smoke": Scale(replicates=1, arms=("good", "bad", "constant")),
        "small": Scale(arms=("good", "bad", "only q")),
        "two threads": Scale(threads=2),
    },
    claims=[
        Better("good", than="bad", metric="score", on="p", role="headline"),
        Better("good", than="bad", metric="score", on="q"),
        Better("good", than="only q", metric="score", on="p"),
        Better("good", than=0.0, metric="score", on="p", requires=(Better("bad", than=0.0, metric="score", on="q"),)),
    ],
    trial=trial,
    own=own,
)

swept = Experiment(
    question="Does width matter?",
    problems={"p": Draws()},
    arms={"a": Arm(Does(scores)), "b": Arm(Does(constant), deterministic=True)},
    metrics={"score": Metric()},
    scales={"smoke": Scale(replicates=1)},
    claims=[],
    trial=trial,
    points={"width": (1, 2), "depth": ("low",)},
)
