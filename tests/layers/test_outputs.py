"""What layers put out, by hooks, against calling them one by one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from holdfast.errors import InputError
from holdfast.layers.outputs import Hooks, activation_layers, evaluating


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.relu = nn.Linear(2, 3), nn.Linear(3, 4), nn.ReLU()

    def forward(self, x):
        return self.relu(self.b(self.relu(self.a(x))))


def test_hooks_tell_calls_apart_and_leave_nothing_behind():
    net, x = Twice(), torch.randn(6, 2)
    with Hooks(net, ["relu", "a"]) as hooks:
        net(x[:4])
        net(x[4:])
    found = hooks.features()
    torch.testing.assert_close(found["relu"], net.relu(net.a(x)))
    torch.testing.assert_close(found["relu#2"], net(x))
    torch.testing.assert_close(found["a"], net.a(x))
    net(x)
    assert len(hooks.features()["relu"]) == 6
    assert activation_layers(net) == ["relu"]
    with pytest.raises(InputError, match="layer"):
        Hooks(net, ["c"])


class Pair(nn.Module):
    def forward(self, x):
        return x, x


def test_an_output_that_is_no_tensor_is_said():
    net = nn.Sequential(Pair())
    with Hooks(net, ["0"]), pytest.raises(InputError, match="layer: 0 must put out a tensor"):
        net(torch.ones(2, 2))


def test_evaluating_puts_every_module_back_in_its_mode_even_after_an_error():
    net = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout(), nn.ReLU()))
    net.train()
    net[1].eval()
    net[1][1].train()
    modes = [module.training for module in net.modules()]
    assert modes == [True, True, False, False, True]
    seen = []

    def fails():
        with evaluating(net):
            seen.extend(module.training for module in net.modules())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert seen == [False] * 5
    assert [module.training for module in net.modules()] == modes


def test_only_modules_that_are_activation_functions_are_listed_deep_ones_too():
    net = nn.Sequential(nn.Linear(2, 2), nn.GELU(), nn.Sequential(nn.Dropout(), nn.Tanh()), nn.Softmax(1))
    assert activation_layers(net) == ["1", "2.1"]
