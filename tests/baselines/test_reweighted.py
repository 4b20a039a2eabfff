"""The learner around the rules of robust training."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from holdfast.baselines.reweighted import KnownGroups, ReweightedERM, WorstCase, mean_loss, row_weights
from holdfast.baselines.robust import cvar_weights

BATCH = {
    "x": torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]]),
    "y": torch.tensor([0, 1, 1]),
    "weight": torch.tensor([0.5, 2.0, 0.5]),
    "group": torch.tensor([0, 0, 1]),
}


def net():
    torch.manual_seed(0)
    return nn.Linear(2, 2)


def losses():
    return F.cross_entropy(net()(BATCH["x"]), BATCH["y"], reduction="none")


@pytest.mark.parametrize(
    ("reduce", "expected"),
    [
        (mean_loss, lambda v: v.mean()),
        (row_weights, lambda v: (0.5 * v[0] + 2 * v[1] + 0.5 * v[2]) / 3),
        (WorstCase(cvar_weights, 1 / 3), lambda v: v.max()),
    ],
)
def test_losses_against_formulas(reduce, expected):
    loss, parts = ReweightedERM(net(), reduce).loss(BATCH, torch.Generator())
    assert float(loss) == pytest.approx(float(expected(losses())))
    assert float(parts["mean loss"]) == pytest.approx(float(losses().mean()))
    loss.backward()


def test_known_groups_rise_in_training_and_are_part_of_the_state():
    learner = ReweightedERM(net(), KnownGroups(2, eta=1.0))
    means = torch.stack([losses()[:2].mean(), losses()[2]]).detach()
    q = torch.softmax(means, 0)
    assert float(learner.loss(BATCH, torch.Generator())[0]) == pytest.approx(float((q * means).sum()))
    assert torch.allclose(learner.state_dict()["reduce.loss.q"], q)


def test_settings_of_the_optimiser():
    group = ReweightedERM(net(), lr=0.2, weight_decay=0.1).optimizers()[0].param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (0.2, 0.1)
