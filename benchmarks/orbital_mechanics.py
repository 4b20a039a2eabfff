"""Symbolic regression by pyoperon against gplearn on the same rows, and training steps of the edge network against one
that goes over times and pairs in a loop: same work, same run, processor seconds.

    python benchmarks/orbital_mechanics.py [--steps 20] [--rows 1000] [--bodies 10]

gplearn is for this only: pip install gplearn. Its searches are as large as pyoperon's: population and generations.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from holdfast.systems.orbital_mechanics import LawLearner, Operon, PairwiseLaw, acceleration_loss
from holdfast.systems.orbital_mechanics.tool.symbolic import best, evaluate, scored


def seconds_of(work: Callable[[], object], repeats: int) -> float:
    """Median processor seconds."""
    spent = []
    for _ in range(repeats):
        begin = time.process_time()
        work()
        spent.append(time.process_time() - begin)
    return statistics.median(spent)


def by_loops(law: PairwiseLaw, pos: Tensor) -> Tensor:
    """Accelerations, a pair and a time after the other."""
    out = []
    for x in pos:
        force = [torch.zeros(3) for _ in x]
        for i in range(len(x)):
            for j in range(i):
                f = law.forces((x[j] - x[i])[None, None], law.scalars[i][None, None], law.scalars[j][None, None])[0, 0]
                force[i], force[j] = force[i] + f, force[j] - f
        out.append(torch.stack(force) / 10.0 ** law.log_mass[:, None])
    return torch.stack(out)


def training(bodies: int, repeats: int) -> dict[str, float]:
    """Times that are learned from per second, at 16 and 256 a step, and by loops."""
    law = PairwiseLaw(bodies)
    learner = LawLearner(law)
    (optimizer,) = learner.optimizers()
    found = {}
    for batch in (16, 256):
        pos, acc = torch.randn(2, batch, bodies, 3)

        def step(predict: Callable[[Tensor], Tensor], pos: Tensor = pos, acc: Tensor = acc) -> None:
            optimizer.zero_grad()
            acceleration_loss(predict(pos), acc).backward()
            optimizer.step()

        found[f"times per second, {batch} a step"] = batch / seconds_of(lambda: step(law), repeats)
        if batch == 16:
            found["times per second, by loops"] = 16 / seconds_of(lambda: step(lambda x: by_loops(law, x)), 3)
    found["16 a step / by loops"] = found["times per second, 16 a step"] / found["times per second, by loops"]
    return found


def searches(rows: int, population: int, generations: int) -> dict[str, float]:
    """Seconds of both searches, and the mean squared errors of the best formula of each."""
    from gplearn.genetic import SymbolicRegressor

    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, (rows, 3))
    y = x[:, 0] + x[:, 1] - 2 * x[:, 2] - 4.6 + 0.01 * rng.normal(size=rows)
    begin = time.process_time()
    formula = best(scored(Operon(population, generations)(x, y, 0)))
    ours = time.process_time() - begin
    peer = SymbolicRegressor(
        population_size=population, generations=generations, function_set=("add", "sub", "mul"), random_state=0
    )
    begin = time.process_time()
    peer.fit(x, y)
    theirs = time.process_time() - begin
    return {
        "pyoperon seconds": ours,
        "gplearn seconds": theirs,
        "gplearn / pyoperon": theirs / ours,
        "pyoperon squared error": float(np.mean((evaluate(formula.formula, x) - y) ** 2)),
        "gplearn squared error": float(np.mean((peer.predict(x) - y) ** 2)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--bodies", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results = training(arguments.bodies, arguments.steps)
    search = Operon()
    try:
        results |= searches(arguments.rows, search.population, search.generations)
    except ImportError:
        print("gplearn is not installed (pip install gplearn): no comparison of searches")
    print(json.dumps({name: round(value, 6) for name, value in results.items()}, indent=1))


if __name__ == "__main__":
    main()
