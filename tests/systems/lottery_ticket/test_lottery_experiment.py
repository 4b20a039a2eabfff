"""What the experiment's arms share, what its trials measure, and CIFAR-10 on tiny files of the published form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.experiment import Curve, PerUnit, Scalar
from holdfast.randomness import derived_seed
from holdfast.systems.lottery_ticket.experiment import experiment
from holdfast.systems.lottery_ticket.experiment.trials import AT, FRACTION, World, levels_of
from holdfast.systems.lottery_ticket.problems import Cifar10, PooledDigits
from holdfast.testing.runs import run_of
from toy_cifar import write_cifar10

ON = "digits"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.set_num_threads(1)
    return tmp_path_factory.mktemp("lottery")


def of(arm, folder):
    return run_of(experiment, arm, ON, folder)


def measured(arm, folder):
    return list(experiment.trial(of(arm, folder)))


def nets(arm, folder):
    run = of(arm, folder)
    data = run.problem.load(run.rng("split"))
    world = World(run.problem, data, run.scale, run.arm.lr, run.seed("init"), run.seed("batches"))
    return world, dict(run.arm.networks(world, run))


@pytest.mark.parametrize(
    "arm", ["IMP", "shuffled", "new weights", "one-shot", "gradual", "SNIP", "IMP, mask of another run"]
)
def test_every_sparse_arm_has_the_density(folder, arm):
    world, found = nets(arm, folder)
    for name, net in found.items():
        total = kept = 0
        for tensor in world.prunable(net):
            weight = net.get_parameter(tensor)
            total, kept = total + weight.numel(), kept + int((weight != 0).sum())
        assert kept / total == pytest.approx((1 - FRACTION) ** AT[name], abs=0.002), name
        assert bool((net.get_parameter("layers.2.weight") != 0).all())  # the last layer is not pruned


def test_controls_take_imps_masks_and_the_broken_one_takes_anothers(folder):
    _, imp = nets("IMP", folder)
    _, shuffled = nets("shuffled", folder)
    _, fresh = nets("new weights", folder)
    _, other = nets("IMP, mask of another run", folder)
    for name, net in list(imp.items())[:2]:  # in so short a training nothing of this layer is left at the last density
        kept = net.get_parameter("layers.0.weight") != 0
        assert torch.equal(fresh[name].get_parameter("layers.0.weight") != 0, kept)
        for control in (shuffled, other):
            theirs = control[name].get_parameter("layers.0.weight") != 0
            assert not torch.equal(theirs, kept)
        assert int((shuffled[name].get_parameter("layers.0.weight") != 0).sum()) == int(kept.sum())


def test_rewound_weights_are_those_after_tau_steps_under_the_mask(folder):
    run = of("IMP", folder)
    levels = levels_of(run, run.arm.lr)
    world, _ = nets("IMP", folder)
    start = world.rewound()
    dense = world.rewound()
    world.train(dense, world.prunable(dense), run.scale.rewind)
    for name, value in dense.state_dict().items():
        assert torch.allclose(value, torch.as_tensor(levels[f"0/{name}"]), atol=1e-6)
    assert not torch.equal(start.layers[0].weight, dense.layers[0].weight)


def test_another_replicates_levels_share_nothing(folder):
    run = of("IMP", folder)
    ours, others = levels_of(run, 0.1), levels_of(run, 0.1, other=True)
    assert not np.array_equal(ours["0/layers.0.weight"], others["0/layers.0.weight"])
    assert derived_seed(run.seed("split"), "another replicate") != run.seed("split")


def test_what_a_trial_yields(folder):
    scalars = {m.name: m.value for m in measured("IMP", folder) if isinstance(m, Scalar)}
    units = {m.name: m for m in measured("IMP", folder) if isinstance(m, PerUnit)}
    assert {"error at .13", "error at .078", "error at .03", "barrier at .03"} <= set(scalars)
    for name, found in units.items():
        assert np.mean(found.values) == pytest.approx(scalars[name])
        assert len(set(found.units)) == 1000
    curves = {m.name: m for m in measured("IMP", folder) if isinstance(m, Curve)}
    assert curves["test error along levels"].y[AT[".13"]] == pytest.approx(scalars["error at .13"])
    dense = {m.name: m.value for m in measured("dense", folder) if isinstance(m, Scalar)}
    assert dense["error at .13"] == dense["error at .03"]
    assert dense["barrier, two noises"] >= 0
    assert 0 <= dense["predicted limit"] <= 100


def test_replicates_draw_the_declared_numbers():
    data = PooledDigits().load(np.random.default_rng(0))
    assert [len(part) for part in (data.x, data.validation_x, data.test_x)] == [3000, 500, 1000]
    assert tuple(PooledDigits().network()(data.x[:2]).shape) == (2, 10)


def test_cifar10_as_it_is_published(tmp_path, monkeypatch):
    write_cifar10(tmp_path / "cifar-10-batches-py", rows=4)
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    problem = Cifar10()
    assert problem.available()
    data = problem.load(np.random.default_rng(0))
    net = problem.network().eval()
    assert tuple(net(data.test_x).shape) == (4, 10)
    assert sum(p.numel() for p in net.parameters()) == 272_474


def test_the_estimator_has_the_density_and_learns():
    from holdfast.systems.lottery_ticket import LotteryClassifier

    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5))
    y = np.where(X[:, 0] + X[:, 1] > 0, "up", "down")
    model = LotteryClassifier(density=0.3, steps=150, hidden=(20,), fraction=0.4).fit(X, y)
    assert model.densities_[-1] <= 0.3
    weight = model.network_.get_parameter("layers.0.weight")
    assert float((weight != 0).float().mean()) == pytest.approx(model.densities_[-1], abs=0.01)
    assert (model.predict(X) == y).mean() > 0.9
