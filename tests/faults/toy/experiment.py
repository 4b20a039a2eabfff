"""Is the good guess higher than the bad one, whatever happens to the run?

A trial takes 20 to 100 ms and uses all that a run can leave behind: two stages (arrays and JSON), an artifact, a curve,
values per case, a cost of its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from faulty import misbehaviour

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
    Tuning,
)
from holdfast.experiment.claims import Better, Differs
from holdfast.experiment.run import Run

CASES = 20


@dataclass(frozen=True)
class Draws(Problem):
    source: ClassVar[Literal["generated"]] = "generated"

    def describe(self) -> str:
        return "normal draws"


@dataclass(frozen=True)
class Guess:
    mean: float
    bonus: float = 0.0


@dataclass(frozen=True)
class Small(Scale):
    steps: int = 6


def make_world(seed: int, cases: int) -> dict[str, np.ndarray]:
    """The cases of a replicate."""
    time.sleep(0.03)
    return {"cases": np.random.default_rng(seed).normal(size=cases), "ballast": np.zeros(4096)}


def make_table(cases: int) -> list[str]:
    """Names of the cases, the same for all."""
    time.sleep(0.05)
    return [f"case {i}" for i in range(cases)]


def trial(run: Run) -> Iterator[Measurement]:
    return None if misbehaviour.asked(run) == "returns_nothing" else measured(run)  # type: ignore[return-value]


def measured(run: Run) -> Iterator[Measurement]:
    yield from misbehaviour.provoke(run)
    world = run.stage("world", make_world, seed=run.seed("split"), cases=CASES)
    names = run.stage("table", make_table, cases=CASES)
    rng, path = run.rng("init"), []
    scale: Any = run.scale
    for _ in run.progress(range(scale.steps)):
        time.sleep(0.004)
        path.append(float(run.arm.mean + run.arm.bonus + 0.1 * rng.normal()))
    values = world["cases"] + path[-1]
    (run.dir / "values.txt").write_text("\n".join(map(repr, values.tolist())))
    yield Curve("path", list(range(scale.steps)), path, "step")
    yield PerUnit("score", values, names)
    yield Artifact("values", "values.txt", "text", "what was guessed")
    yield Cost("guesses", scale.steps)
    yield Scalar("score", float(values.mean()))
    yield Scalar("validation", path[0])


SPACE = {"bonus": (0.0, 0.5, -0.5)}
experiment = Experiment(
    question="Is the good guess higher than the bad one, whatever happens?",
    problems={"draws": Draws()},
    arms={
        "good": Arm(Guess(3.0), space=SPACE),
        "bad": Arm(Guess(1.0), space=SPACE),
        "level": Arm(Guess(1.0), tuned_as="bad", reseed=1),
    },
    metrics={"score": Metric("points"), "validation": Metric("points")},
    scales={
        "smoke": Small(replicates=1),
        "small": Small(),
        "limited": Small(time_limit_s=2.0),
        "long": Small(steps=100),
    },
    claims=[
        Better("good", than="bad", metric="score", on="draws", margin=1.0, role="headline"),
        Differs("bad", "level", metric="score", on="draws", role="control", expect="not found"),
    ],
    trial=trial,
    tuning=Tuning(metric="validation", problem="draws", configurations=2, pilots=2),
)
