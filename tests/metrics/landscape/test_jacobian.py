"""Ranks of Jacobians against one autograd call for each output."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from holdfast.errors import InputError
from holdfast.metrics.landscape.jacobian import jacobian_rank


def test_exact_and_sketched_ranks_are_those_of_a_loop():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 30), nn.Tanh(), nn.Linear(30, 2)).double()
    x = torch.randn(3, 4, dtype=torch.float64)
    x = torch.cat([x, x[:1]])  # a row twice: rank 6 of 8
    every = [torch.autograd.grad(row, net.parameters(), retain_graph=True) for row in net(x).flatten()]
    rows = [torch.cat([g.flatten() for g in gradients]) for gradients in every]
    s = torch.linalg.svdvals(torch.stack(rows))
    exact = jacobian_rank(net, x)
    torch.testing.assert_close(exact.singular_values, s)
    assert exact.rank == 6
    sketch = jacobian_rank(net, x, method="sketch")
    assert sketch.rank == 6
    assert len(sketch.singular_values) == 8
    assert jacobian_rank(net, x, rtol=0.9).rank == int((s > 0.9 * s[0]).sum())
    with pytest.raises(InputError, match="parameters"):
        jacobian_rank(nn.ReLU(), x)


def test_batch_normalisation_in_train_mode_is_said_and_the_mode_comes_back():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    with pytest.warns(UserWarning, match="batch normalisation"):
        jacobian_rank(net, torch.ones(2, 2))
    assert net.training
    assert net[1].training
    assert net[1].num_batches_tracked == 0
