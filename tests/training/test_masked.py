"""Training under a mask: against a plain loop of SGD, and from any step of one schedule."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from holdfast.data.batches import Batches
from holdfast.layers.weight_masks import MaskDict
from holdfast.randomness import derived_seed
from holdfast.training.masked import MaskedTraining, error_rate, train_masked

X = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
DATA = {"x": X, "y": (X[:, 0] > 0).long()}


def net():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))


def mask_of(model):
    draws = torch.Generator().manual_seed(2)
    return MaskDict({n: torch.rand(m.shape, generator=draws) < 0.6 for n, m in MaskDict.ones(model).items()})


PLAIN = MaskedTraining(steps=14, batch=10)
FULL = MaskedTraining(steps=14, batch=10, momentum=0.9, weight_decay=0.01, drops=(0.5,))


@pytest.mark.parametrize("training", [PLAIN, FULL])
@pytest.mark.parametrize(("start", "stop"), [(0, None), (3, None), (4, 9)])
def test_it_is_a_plain_loop_with_masked_gradients(training, start, stop):
    ours, loop = net(), net()
    mask = mask_of(ours)
    train_masked(ours, mask, DATA, training, seed=7, start=start, stop=stop)
    mask.apply_(loop)
    batches, velocity = Batches(DATA, 10, derived_seed(7, "batches")), {}
    for step in range(14 if stop is None else stop):
        batch = next(batches)
        if step < start:
            continue
        loss = F.cross_entropy(loop(batch["x"]), batch["y"])
        rate = training.lr * (0.1 if training.drops and step / 14 >= 0.5 else 1)
        gradients = torch.autograd.grad(loss, list(loop.parameters()))
        for (name, p), g in zip(loop.named_parameters(), gradients, strict=True):
            if p.ndim > 1:
                g = g * mask[name] + training.weight_decay * p.detach()
            velocity[name] = training.momentum * velocity[name] + g if name in velocity else g
            p.data -= rate * velocity[name]
    for (name, p), q in zip(ours.named_parameters(), loop.parameters(), strict=True):
        assert torch.allclose(p, q, atol=1e-6), name
        if name in mask:
            assert not p[~mask[name]].any()


def test_two_halves_are_the_whole_without_momentum():
    training = MaskedTraining(steps=20, batch=10, drops=(0.6,))
    whole, parts = net(), net()
    train_masked(whole, MaskDict.ones(whole), DATA, training, seed=3)
    train_masked(parts, MaskDict.ones(parts), DATA, training, seed=3, stop=8)
    train_masked(parts, MaskDict.ones(parts), DATA, training, seed=3, start=8)
    assert all(torch.allclose(p, q, atol=1e-6) for p, q in zip(whole.parameters(), parts.parameters(), strict=True))


def test_a_mask_can_change_on_the_way():
    model = net()
    seen = []

    def remask(step, weights):
        seen.append((step, set(weights)))
        return {n: w.abs() > 0.1 for n, w in weights.items()} if step == 5 else None

    end = train_masked(model, MaskDict.ones(model), DATA, MaskedTraining(steps=7, batch=10), seed=0, remask=remask)
    assert [step for step, _ in seen] == list(range(1, 8))
    assert seen[0][1] == {"0.weight", "2.weight"}
    assert end.density < 1
    assert all(not model.get_parameter(n)[~kept].any() for n, kept in end.items())


def test_no_trace_is_left_on_the_network():
    model = net()
    train_masked(model, mask_of(model), DATA, MaskedTraining(steps=2, batch=10, momentum=0.9), seed=0)
    other = copy.deepcopy(model)
    F.cross_entropy(model(X), DATA["y"]).backward()
    assert all(bool((p.grad != 0).any()) for p in model.parameters())
    assert bool((model[0].weight.grad[other[0].weight == 0] != 0).any())  # no hook masks it any more


def test_error_rate_counts_wrong_answers():
    model = nn.Identity()
    assert error_rate(
        model, torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]]), torch.tensor([0, 0, 1])
    ) == pytest.approx(2 / 3)
