"""The momentum encoder and the queue of keys against loops; MoCo learns through the one loop."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from holdfast.baselines.moco import MoCo
from holdfast.data.batches import Batches
from holdfast.errors import InputError
from holdfast.layers.perceptron import Perceptron
from holdfast.losses.contrastive import info_nce
from holdfast.training import fit
from holdfast.training.momentum import KeyQueue, MomentumEncoder


def test_the_copy_follows_by_the_formula_and_keeps_its_own_statistics():
    query = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    key = MomentumEncoder(query, 0.8)
    wanted = [p.detach().clone() for p in query.parameters()]
    for _ in range(3):
        with torch.no_grad():
            for p in query.parameters():
                p.add_(torch.randn_like(p))
        key.update(query)
        wanted = [0.8 * a + 0.2 * p.detach() for a, p in zip(wanted, query.parameters(), strict=True)]
    query(torch.randn(8, 3) + 5)
    key.update(query)
    assert all(
        torch.allclose(a, 0.8 * w + 0.2 * p, atol=1e-6)
        for a, w, p in zip(key.module.parameters(), wanted, query.parameters(), strict=True)
    )
    assert torch.equal(key.module[1].running_mean, torch.zeros(2))
    assert not key(torch.randn(4, 3)).requires_grad
    assert not any(p.requires_grad for p in key.parameters())


def test_another_module_is_refused():
    with pytest.raises(InputError, match="module"):
        MomentumEncoder(nn.Linear(2, 2)).update(nn.Linear(3, 2))


def test_the_queue_keeps_the_last_keys_and_where_they_are_from():
    queue, keys = KeyQueue(3, 6, torch.Generator().manual_seed(0)), torch.randn(10, 3)
    assert torch.allclose(queue.keys.norm(dim=1), torch.ones(6))
    assert (queue.index == -1).all()
    for start in range(0, 10, 2):
        queue.push(keys[start : start + 2], torch.arange(start, start + 2))
    assert queue.index.tolist() == [6, 7, 8, 9, 4, 5]
    assert torch.allclose(queue.keys, nn.functional.normalize(keys[queue.index], dim=1))
    other = KeyQueue(3, 6)
    other.load_state_dict(queue.state_dict())
    other.push(keys[:2])
    assert other.index.tolist() == [6, 7, 8, 9, -1, -1]


@pytest.mark.parametrize("keys", [torch.randn(4, 3), torch.randn(7, 3), torch.randn(2, 2)])
def test_keys_that_do_not_fit_are_refused(keys):
    with pytest.raises(InputError, match="keys"):
        KeyQueue(3, 6).push(keys)


def noisy(x, rng):
    return x + 0.1 * torch.randn(x.shape, generator=rng)


def test_moco_pulls_views_together_and_queues_what_it_saw():
    torch.manual_seed(0)
    x = torch.randn(64, 5)
    learner = MoCo(Perceptron(5, 16), noisy, (16, 8), queue=32, m=0.9)
    rng = torch.Generator().manual_seed(1)
    encoder = nn.Sequential(learner.encoder, learner.projector)

    def apart():
        return float(info_nce(encoder(x), encoder(noisy(x, rng))).detach())

    before, queued = apart(), learner.queue.keys.clone()
    batch = {"x": x[:16], "index": torch.arange(16)}
    loss, _ = learner.loss(batch, torch.Generator().manual_seed(2))
    draws = torch.Generator().manual_seed(2)
    first, second = noisy(x[:16], draws), noisy(x[:16], draws)
    assert torch.allclose(loss, info_nce(encoder(first), learner.followers(second), 0.2, queued))
    loss.backward()
    learner.after_step()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())
    fit(learner, Batches({"x": x}, size=16, index="index"), steps=120)
    assert apart() < 0.7 * before
    assert set(learner.queue.index.tolist()) <= set(range(64))
