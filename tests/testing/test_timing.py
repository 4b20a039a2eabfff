"""Clocks of benchmarks, with a clock that is moved by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from holdfast.testing.timing import interleaved, medians, one_step
from holdfast.training import Learner


def test_every_repetition_runs_all_works_and_the_first_ones_do_not_count() -> None:
    now, ran = [0.0], []

    def work(name: str, seconds: float):
        def run() -> None:
            ran.append(name)
            now[0] += seconds * len(ran)

        return run

    found = interleaved({"a": work("a", 1), "b": work("b", 10)}, repeats=3, warm=2, clock=lambda: now[0])
    assert ran == ["a", "b"] * 5
    assert found == {"a": [5, 7, 9], "b": [60, 80, 100]}
    assert medians(found) == {"a": 7, "b": 80}


def test_a_step_is_that_of_the_optimiser() -> None:
    class Line(Learner):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(1, 1, bias=False)

        def loss(self, batch, rng):
            return (self.net(batch["x"]) - batch["y"]).square().mean(), {}

        def optimizers(self):
            return [torch.optim.SGD(self.parameters(), lr=0.1)]

    learner = Line()
    nn.init.zeros_(learner.net.weight)
    step = one_step(learner, {"x": torch.tensor([[1.0]]), "y": torch.tensor([[2.0]])})
    for _ in range(2):
        step()
    assert float(learner.net.weight.detach()) == pytest.approx(0.4 + 0.1 * 2 * 1.6)
