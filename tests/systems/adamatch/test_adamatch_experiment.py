"""AdaMatch's experiment: the full configuration on a tiny DomainNet, and parts of a trial."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.data.domainnet import DomainNet
from holdfast.experiment.run import Run
from holdfast.layers.small_convnet import SmallConvNet
from holdfast.ledger.freezing import configurations
from holdfast.systems.adamatch.experiment import ARMS, experiment, trial
from holdfast.trials.stages import Stages
from holdfast.trials.streams import Streams


@pytest.fixture
def domainnet(tmp_path):
    """Two classes, two domains, in DomainNet's layout."""
    for d, domain in enumerate(("real", "clipart")):
        lines = {"train": [], "test": []}
        for label, name in enumerate(("cat", "dog")):
            folder = tmp_path / domain / name
            folder.mkdir(parents=True)
            for i in range(12):
                Image.new("RGB", (20, 20), (d * 90, label * 200, i * 10)).save(folder / f"{i}.png")
                lines["test" if i >= 9 else "train"].append(f"{domain}/{name}/{i}.png {label}")
        for part, text in lines.items():
            (tmp_path / f"{domain}_{part}.txt").write_text("\n".join(text) + "\n")
    return DomainNet(tmp_path, size=16)


@pytest.mark.parametrize("arm", ["source only", "AdaMatch"])
def test_the_full_configuration_runs_on_the_published_format(domainnet, tmp_path, arm):
    full = experiment.scales["full"]
    assert full.status == "not yet run"
    assert set(full.arms) == {"source only", "AdaMatch"}
    (tmp_path / "out").mkdir()
    run = Run(
        arm=ARMS[arm].method,
        arm_name=arm,
        problem=domainnet,
        problem_name="domainnet real->clipart",
        point={},
        replicate=1000,
        scale=dataclasses.replace(full, steps=2, batch=4, ratio=2, net="small", workers=0),
        device="cpu",
        dir=tmp_path / "out",
        streams=Streams(1000),
        stages=Stages(tmp_path / "stages"),
        report=lambda done, total: None,
    )
    measured = list(trial(run))
    names = {type(m).__name__: m.name for m in measured}
    assert names["PerUnit"] == "target accuracy"  # one fixed test set: its rows are bootstrapped too
    per_unit = next(m for m in measured if type(m).__name__ == "PerUnit")
    accuracy = next(m for m in measured if m.name == "target accuracy" and type(m).__name__ == "Scalar")
    assert accuracy.value == pytest.approx(100 * np.mean(per_unit.values))
    assert len(per_unit.units) == 6
    assert (tmp_path / "out" / "mistakes.png").exists()


def test_every_arm_shares_the_initialisation():
    """Arms differ in what they do with the network, not in where it starts."""
    first = {}
    for name in ("source only", "AdaMatch", "DANN", "FixMatch+"):
        torch.manual_seed(7)
        learner = ARMS[name].method.build(SmallConvNet(1, 10), 10)
        first[name] = learner.net.conv1.weight.detach().clone()
    assert all(torch.equal(first["AdaMatch"], weight) for weight in first.values())


def test_tuned_fields_reach_the_learner():
    for name in ("source only", "AdaMatch", "DANN", "FixMatch+"):
        recipe = dataclasses.replace(ARMS[name].method, lr=0.125, weight_decay=0.5)
        (optimizer,) = recipe.build(SmallConvNet(1, 10), 10).optimizers()
        assert {group["lr"] for group in optimizer.param_groups} == {0.125}
        assert {group["weight_decay"] for group in optimizer.param_groups} == {0.0, 0.5}


def test_every_arm_tries_equally_many_configurations():
    tried = {n: configurations(n, a, experiment.tuning.configurations) for n, a in ARMS.items() if a.space}
    assert {len(t) for t in tried.values()} == {6}
    assert all(len({repr(c) for c in t}) == 6 for t in tried.values())
    assert {n for n, a in ARMS.items() if not a.space} == {"AdaMatch, other seeds"}
