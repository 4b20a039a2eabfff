"""Batch-norm statistics made anew."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from holdfast.errors import InputError
from holdfast.layers.recalibration import recalibrate_

X = torch.randn(12, 3, generator=torch.Generator().manual_seed(0))


def test_statistics_are_those_of_the_batches_layer_by_layer():
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.9), nn.Linear(4, 2), nn.BatchNorm1d(2)).eval()
    recalibrate_(net, X.split(6))
    hidden = [net[0](part) for part in X.split(6)]
    assert torch.allclose(net[1].running_mean, torch.stack([h.mean(0) for h in hidden]).mean(0), atol=1e-6)
    assert torch.allclose(net[1].running_var, torch.stack([h.var(0) for h in hidden]).mean(0), atol=1e-6)
    # the second layer sees what the first makes of the same batch, without dropout
    normal = [(h - h.mean(0)) / (h.var(0, unbiased=False) + 1e-5).sqrt() for h in hidden]
    second = torch.stack([net[3](n).mean(0) for n in normal]).mean(0)
    assert torch.allclose(net[4].running_mean, second, atol=1e-5)


def test_modes_and_momentum_return_and_weights_stay():
    net = nn.Sequential(nn.BatchNorm1d(3, momentum=0.3), nn.Dropout())
    net[1].eval()
    before = [p.clone() for p in net.parameters()]
    recalibrate_(net, [X])
    assert (net[0].training, net[1].training, net[0].momentum) == (True, False, 0.3)
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), before, strict=True))


def test_without_batch_norm_nothing_is_read():
    def batches():
        raise AssertionError
        yield

    assert recalibrate_(nn.Linear(3, 2), batches())


def test_no_batch_is_refused():
    with pytest.raises(InputError, match="at least one batch"):
        recalibrate_(nn.BatchNorm1d(3), [])
