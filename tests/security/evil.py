"""An experiment all of whose names are paths, SQL and markup, for workers and tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from holdfast.experiment import Arm, Artifact, Cost, Curve, Experiment, Metric, PerUnit, Problem, Scalar, Scale
from holdfast.experiment.claims import Better
from holdfast.experiment.run import Run

NAMES = (
    "../../outside",
    "/tmp/outside",
    "..",
    "a/b/../../../x",
    "C:\\outside",
    "\\\\host\\share",
    "con",
    "x\0y",
    "'; DROP TABLE trials; --",
    "%2e%2e%2f",
    "~/outside",
    "\u202e..",
    "x" * 300,
)


@dataclass(frozen=True)
class Numbers(Problem):
    source: ClassVar[Any] = "generated"

    def describe(self) -> str:
        return "numbers"


@dataclass(frozen=True)
class Method:
    mean: float


def world(seed: int, called: str) -> dict[str, Any]:
    """A stage."""
    return {called: [seed]}


def trial(run: Run) -> Iterator[Any]:
    """Names everything it can after the arm."""
    name = run.arm_name
    run.stage(name, world, seed=run.seed(name), called=name)
    (run.dir / "note.txt").write_text("x")
    yield Scalar("score", run.arm.mean + run.rng("split").normal())
    yield Curve(name, [0, 1], [0.0, 1.0], name)
    yield PerUnit(name, [1.0], [name])
    yield Cost(name, 1.0)
    yield Artifact(name, "note.txt", "text", name)


experiment = Experiment(
    question="Does it stay inside?",
    problems={NAMES[0]: Numbers()},
    arms={name: Arm(Method(i)) for i, name in enumerate(NAMES)},
    metrics={"score": Metric()},
    scales={"smoke": Scale(replicates=1), NAMES[0]: Scale(replicates=1)},
    claims=[Better(NAMES[1], than=NAMES[0], metric="score", on=NAMES[0], role="headline")],
    trial=trial,
    points={NAMES[8]: (NAMES[0],)},
)
