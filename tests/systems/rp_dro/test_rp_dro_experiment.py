"""The trial: what arms train on, what is measured, and the metric of the worst group."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from holdfast.baselines.grouped import Task
from holdfast.experiment import PerUnit, Scalar
from holdfast.metrics.groups import WorstGroup, worst_group_accuracy
from holdfast.systems.rp_dro.experiment import ARMS, PATCH, Game, experiment
from holdfast.testing.runs import run_of


def measured(arm, folder, replicate=0):
    run = run_of(experiment, arm, PATCH, Path(folder), replicate=replicate)
    found = list(experiment.trial(run))
    return {m.name: m for m in found if isinstance(m, Scalar)}, {m.name: m for m in found if isinstance(m, PerUnit)}


def test_the_worst_group_against_the_function_on_labels():
    rng = np.random.default_rng(0)
    g, right = rng.integers(0, 4, 200), rng.integers(0, 2, 200)
    cases = np.stack([g, right], axis=1)
    assert WorstGroup().of_cases(cases) == pytest.approx(worst_group_accuracy(np.ones(200, int), right, g))
    draws = np.stack([WorstGroup().of_case(cases[rng.integers(0, 200, 200)]).mean(0) for _ in range(3)])
    assert WorstGroup().of_mean(draws).shape == (3,)
    assert WorstGroup().averages_cases


@pytest.mark.parametrize("arm", [name for name in ARMS if name not in ("ERM", "RP-DRO")])
def test_every_arm_trains_and_is_measured(arm, tmp_path):
    scalars, cases = measured(arm, tmp_path)
    values = [scalars[m].value for m in ("worst-group accuracy", "average accuracy")]
    assert 0 <= values[0] <= values[1] <= 100
    name = "worst-group accuracy"
    assert 100 * WorstGroup().of_cases(np.array(cases[name].values)) == pytest.approx(values[0])
    assert len(cases[name].units) == 780
    assert ("worst-group accuracy, minmax" in scalars) == isinstance(ARMS[arm].method, Game)


def test_arms_share_start_and_order_and_reseeded_ones_do_not(tmp_path):
    def start(arm):
        run = run_of(experiment, arm, PATCH, tmp_path, replicate=3)
        data = run.problem.load(run.rng("split"))
        model = Task(run, data).model()
        return torch.cat([p.flatten() for p in model.parameters()]), run.seed("batches"), data.train.x

    mine, other, apart = start("ERM"), start("RP-DRO"), start("RP-DRO, other seeds")
    assert torch.equal(mine[0], other[0])
    assert mine[1] == other[1]
    assert not torch.equal(mine[0], apart[0])
    assert mine[1] != apart[1]
    assert torch.equal(mine[2], apart[2])


def test_group_dro_sees_every_group_equally_often(tmp_path, monkeypatch):
    run = run_of(experiment, "group DRO", PATCH, tmp_path)
    task, seen = Task(run, run.problem.load(run.rng("split"))), []
    monkeypatch.setattr(Task, "fit", lambda self, learner, steps, rows: seen.append(rows))
    run.arm.train(task)
    counts = torch.bincount(seen[0]["group"])
    assert counts.min() == counts.max() == torch.bincount(task.data.train.g).max()


def test_jtt_weights_errors_of_the_first_training(tmp_path, monkeypatch):
    run = run_of(experiment, "JTT", PATCH, tmp_path)
    task, seen = Task(run, run.problem.load(run.rng("split"))), []
    monkeypatch.setattr(Task, "fit", lambda self, learner, steps, rows: seen.append((learner, steps, rows)))
    run.arm.train(task)
    (first, few, plain), (_, steps, rows) = seen
    assert (few, steps) == (1, 4)
    assert "weight" not in plain
    wrong = first.net(task.data.train.x).argmax(1) != task.data.train.y
    weight = rows["weight"]
    assert float(weight.mean()) == pytest.approx(1, rel=1e-5)
    assert torch.allclose(weight[wrong], weight[~wrong][0] * run.arm.factor)
