"""Dropout alone wakes up, and everything is put back."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from holdfast.errors import InputError
from holdfast.layers.mc_dropout import dropout_modules, mc_dropout


class ByItself(nn.Module):
    """Drops without a Dropout module, as many published models do."""

    def __init__(self, rate):
        super().__init__()
        self.dropout = rate

    def forward(self, x):
        return F.dropout(x, self.dropout, training=self.training)


def net(rate=0.5, own=0.3):
    parts = [nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(rate), ByItself(own), nn.LayerNorm(4), nn.Dropout(0.0)]
    return nn.Sequential(*parts).eval()


def test_only_what_drops_is_switched_and_switched_back():
    model = net()
    with mc_dropout(model):
        assert [m.training for m in model] == [False, False, True, True, False, False]
        assert not model.training
        before = model[1].running_mean.clone()
        x = torch.randn(64, 4)
        assert not torch.equal(model(x), model(x))
        assert torch.equal(model[1].running_mean, before)
    assert not any(m.training for m in model.modules())
    assert torch.equal(model(x), model(x))


def test_a_module_that_was_training_goes_on_and_errors_restore():
    model = net()
    model[2].train()
    with pytest.raises(ValueError, match="inside"), mc_dropout(model):
        raise ValueError("inside")
    assert [m.training for m in model] == [False, False, True, False, False, False]


def test_a_model_without_dropout_is_refused():
    assert dropout_modules(net(0.0, 0.0)) == []
    with pytest.raises(InputError, match="active Dropout"), mc_dropout(net(0.0, 0.0)):
        raise AssertionError("entered")
