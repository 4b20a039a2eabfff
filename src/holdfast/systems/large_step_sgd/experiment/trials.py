"""A trial: search the largest stable rate on the data of the replicate, train at a share of it, measure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.experiment import Cost, Curve, Measurement, Run, Scalar
from holdfast.systems.large_step_sgd.experiment.worlds import SGD, TINY, Seeds, Steps, of_coefficients, world_of
from holdfast.training.stable_rate import ends, find_max_stable_lr

LOWER = 0.9
HELD = SGD(hold=1.0)


@dataclass(frozen=True)
class Lasso:
    """Least squares with a penalty on the sizes of coefficients, which cross-validation of so many folds chooses."""

    folds: int = 5


def edge(problem: Any, seeds: Seeds, scale: Steps, device: str) -> float:
    """The largest stable rate on the data of a replicate."""
    world = world_of(problem, Seeds(*seeds), scale, device)

    def run(rate: float, n: int) -> np.ndarray:
        orders = [world.descend(HELD, rate, n, HELD.schedule(world.ramps[1]), k) for k in range(world.orders)]
        losses: np.ndarray = np.mean(orders, axis=0)
        return losses

    return find_max_stable_lr(run, *world.bounds, world.search, evaluations=scale.evaluations).lr


def trial(run: Run[SGD | Lasso, Any, Steps]) -> Iterator[Measurement]:
    """Search the edge, train at a share of it, measure."""
    seeds, arm = Seeds(run.seed("split"), run.seed("init"), run.seed("batches")), run.arm
    if isinstance(arm, Lasso):
        from sklearn.linear_model import LassoCV

        data = run.problem.load(np.random.default_rng(seeds.split))
        lasso = LassoCV(cv=arm.folds, fit_intercept=False, max_iter=20_000).fit(*data["train"])
        yield from of_coefficients(lasso.coef_, data)
        return
    given = {"problem": run.problem, "seeds": seeds, "scale": run.scale, "device": run.device}
    world = world_of(**given)
    rate = arm.fraction * world.near * run.stage("edge", edge, **given)
    steps, schedule = world.steps * arm.times, arm.schedule(world.ramps[0])
    while not usable(losses := world.descend(arm, rate, steps, schedule, 0)):
        rate *= LOWER
    yield Scalar("rate", rate)
    yield from world.measure()
    parts = np.array_split(losses, min(len(losses), 40))
    ticks = np.cumsum([len(part) for part in parts])
    yield Curve("loss of the steps", ticks.tolist(), [max(float(part.mean()), TINY) for part in parts])
    yield Cost("steps", len(losses))


def usable(losses: np.ndarray) -> bool:
    """Whether a run stayed finite and did not end above where it began, as a network does whose units are all dead."""
    first, last = ends(losses)
    return last <= max(first, TINY)


__all__ = ["Lasso", "edge", "trial", "usable"]
