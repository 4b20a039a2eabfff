"""Adapters: their equations, that they begin as nothing, and that the model they sit in never changes."""

import pytest
import torch
from torch import nn

from holdfast.errors import InputError
from holdfast.layers.adapters import Bottleneck, BottleneckAdapter, LoRA, LowRank, attach


def randomised(module: nn.Module) -> nn.Module:
    with torch.no_grad():
        for value in module.parameters():
            value.normal_(generator=torch.Generator().manual_seed(value.numel()))
    return module


def test_the_adapter_is_the_formula_number_by_number():
    adapter, h = randomised(BottleneckAdapter(5, 3)), torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    D, d, U, u = (p.detach() for p in (adapter.down.weight, adapter.down.bias, adapter.up.weight, adapter.up.bias))
    for row, out in zip(h, adapter(h).detach(), strict=True):
        hidden = [max(0.0, float(sum(D[j, i] * row[i] for i in range(5)) + d[j])) for j in range(3)]
        for i in range(5):
            expected = float(row[i]) + sum(float(U[i, j]) * hidden[j] for j in range(3)) + float(u[i])
            assert float(out[i]) == pytest.approx(expected, abs=1e-5)


def test_with_zero_u_it_is_the_base_bit_for_bit():
    h = torch.randn(7, 6)
    assert torch.equal(BottleneckAdapter(6, 2)(h), h)
    assert not torch.equal(BottleneckAdapter(6, 2, init_zero=False)(h), h)
    linear = nn.Linear(6, 4)
    assert torch.equal(linear(h) + LoRA(linear, 2)(h), linear(h))


def test_merged_weights_of_a_low_rank_update_do_the_same():
    linear, x = nn.Linear(6, 4), torch.randn(3, 6)
    lora = randomised(LoRA(linear, r=2, alpha=3.0))
    apart = linear(x) + lora(x)
    together = nn.functional.linear(x, lora.merged_weight(linear), linear.bias)
    assert torch.allclose(apart, together, atol=1e-5)
    expected = linear.weight + 1.5 * lora.B @ lora.A
    assert torch.allclose(lora.merged_weight(linear), expected, atol=1e-6)


def test_gradients_reach_every_weight_of_an_adapter_and_none_of_the_model():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    adapters = attach(model, r"^[02]$", Bottleneck(3))
    randomised(adapters)
    model(torch.randn(16, 4)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in adapters.parameters())
    assert all(p.grad is None and not p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("build", [Bottleneck(3), LowRank(2)])
def test_attached_adapters_are_what_is_computed_by_hand(build):
    model, x = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)), torch.randn(5, 4)
    before = model(x)
    adapters = attach(model, r"^2$", build)
    assert torch.equal(model(x), before)
    adapter = randomised(adapters)["2"]
    hidden = torch.relu(model[0](x))
    plain = nn.functional.linear(hidden, model[2].weight, model[2].bias)
    expected = plain + adapter(hidden) if isinstance(adapter, LoRA) else adapter(plain)
    assert torch.allclose(model(x), expected, atol=1e-6)
    assert not torch.allclose(model(x), before)
    with adapters.off():
        assert torch.equal(model(x), before)
    assert torch.allclose(model(x), expected, atol=1e-6)
    adapters.detach()
    assert torch.equal(model(x), before)


def test_layers_that_give_tuples_keep_the_rest():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 3)

        def forward(self, x):
            return self.linear(x), "rest"

    model = nn.ModuleDict({"two": Two()})
    adapters = attach(model, "two$", Bottleneck(2))
    randomised(adapters)
    x = torch.randn(2, 3)
    hidden, rest = model["two"](x)
    assert rest == "rest"
    assert torch.allclose(hidden, adapters["two"](model["two"].linear(x)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: BottleneckAdapter(0, 2), "d: must"),
        (lambda: Bottleneck(0), "r: must"),
        (lambda: LowRank(2, -1.0), "alpha: must"),
        (lambda: LoRA(nn.ReLU(), 2), "linear: must be a torch.nn.Linear"),
        (lambda: attach(nn.Sequential(nn.Linear(2, 2)), "nothing", Bottleneck()), "where: must match the name"),
        (lambda: attach(nn.Sequential(nn.Linear(2, 2)), "(", Bottleneck()), "where: must be a regular expression"),
        (lambda: attach(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), "1", Bottleneck()), "where: must match layers with"),
    ],
)
def test_mistakes_are_named(make, words):
    with pytest.raises(InputError, match=words):
        make()
