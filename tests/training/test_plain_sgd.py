"""Plain SGD against a loop over autograd's gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.training.plain_sgd import train_sgd


def test_plain_sgd_is_a_loop_and_divergence_is_nan():
    torch.manual_seed(0)
    x, y = torch.randn(12, 3), torch.arange(12) % 2
    net = nn.Linear(3, 2)
    start = {k: v.clone() for k, v in net.state_dict().items()}
    losses = train_sgd(net, x, y, 0.2, 5, schedule=lambda p: 1.0 - p, batch=12)
    other = nn.Linear(3, 2)
    other.load_state_dict(start)
    for step in range(5):
        loss = nn.functional.cross_entropy(other(x), y)
        assert losses[step] == pytest.approx(loss.item(), rel=1e-5)
        for p, g in zip(other.parameters(), torch.autograd.grad(loss, list(other.parameters())), strict=True):
            p.data -= 0.2 * (1 - step / 5) * g
    torch.testing.assert_close(net.weight, other.weight)
    assert np.isnan(train_sgd(nn.Sequential(nn.Linear(3, 9), nn.Linear(9, 2)), 1e4 * x, y, 1e30, 8)).any()


def test_batches_are_reshuffled_passes_over_the_rows_and_the_seed_is_their_order():
    x, y = torch.eye(6), torch.arange(6) % 2

    def order(seed):
        net = nn.Linear(6, 2, bias=False)
        nn.init.zeros_(net.weight)
        seen, steps = [], []
        hook = net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].argmax(1).tolist()))
        losses = train_sgd(net, x, y, 0.0, 6, batch=2, seed=seed, on_step=lambda done, of: steps.append((done, of)))
        hook.remove()
        np.testing.assert_allclose(losses, np.log(2), rtol=1e-6)  # a rate of 0 moves nothing
        assert steps[-1] == (6, 6)
        assert not net.weight.any()
        return seen

    first = order(0)
    assert [len(rows) for rows in first] == [2] * 6
    for epoch in (first[:3], first[3:]):
        assert sorted(row for rows in epoch for row in rows) == list(range(6))
    assert first[:3] != first[3:]
    assert order(0) == first != order(1)


def test_a_batch_larger_than_the_rows_is_all_rows():
    net = nn.Linear(3, 2)
    x = torch.randn(4, 3)
    wanted = nn.functional.cross_entropy(net(x), torch.arange(4) % 2).item()
    assert train_sgd(net, x, torch.arange(4) % 2, 0.1, 1, batch=100)[0] == pytest.approx(wanted, rel=1e-5)
