import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from holdfast.layers.norm import BiasedBatchNorm2d, batch_norms, frozen_bn_stats

SHAPES = {1: (6, 3), 2: (6, 3, 4, 4), 3: (6, 3, 2, 2, 2)}
LAYERS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


def buffers(model):
    return {name: value.clone() for name, value in model.named_buffers()}


def unchanged(model, before):
    return all(torch.equal(value, before[name]) for name, value in model.named_buffers())


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_frozen_bn_stats_leaves_every_buffer_bit_identical(dims, momentum):
    layer = LAYERS[dims](3, momentum=momentum)
    layer(torch.randn(SHAPES[dims]))
    before = buffers(layer)
    with frozen_bn_stats(layer):
        layer(torch.randn(SHAPES[dims]))
    assert unchanged(layer, before)
    layer(torch.randn(SHAPES[dims]))  # and recording goes on afterwards
    assert int(layer.num_batches_tracked) == 2
    assert not unchanged(layer, before)


@pytest.mark.parametrize("layer", [nn.BatchNorm2d(3), BiasedBatchNorm2d(3)], ids=["torch", "biased"])
def test_frozen_bn_stats_uses_batch_statistics_and_lets_gradients_through_them(layer):
    layer.running_mean.fill_(5.0)
    x = torch.randn(4, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    layer.double()
    with frozen_bn_stats(layer):
        y = layer(x)
    mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True, correction=0)
    expected = (x - mean) / (var + layer.eps).sqrt()
    torch.testing.assert_close(y, expected)
    seed = torch.randn_like(y)
    torch.testing.assert_close(*(torch.autograd.grad(out, x, seed, retain_graph=True)[0] for out in (y, expected)))


def test_frozen_bn_stats_covers_synchronised_layers():
    """A SyncBatchNorm runs on accelerators only; what it consults on its way there is the same flag."""
    model = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.BatchNorm2d(3)))
    assert len(batch_norms(model)) == 1
    with frozen_bn_stats(model):
        assert not model[0].track_running_stats
    assert model[0].track_running_stats


def test_frozen_bn_stats_leaves_layers_in_evaluation_mode_and_untracked_ones_as_they_are():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.BatchNorm1d(3, track_running_stats=False))
    model[0].eval()
    model[0].running_mean.fill_(2.0)
    x = torch.randn(5, 3)
    with frozen_bn_stats(model):
        torch.testing.assert_close(model[0](x), (x - 2) / (1 + 1e-5) ** 0.5)
    assert [layer.track_running_stats for layer in model] == [True, False]


def test_frozen_bn_stats_restores_after_an_exception_and_nests():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Sequential(nn.BatchNorm1d(3)))
    before = buffers(model)

    def fail():
        with frozen_bn_stats(model):
            with frozen_bn_stats(model[1]):
                model(torch.randn(4, 3))
            model(torch.randn(4, 3))
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert unchanged(model, before)
    assert all(layer.track_running_stats for layer in batch_norms(model))


@settings(max_examples=20, deadline=None)
@given(
    n=st.integers(2, 5),
    side=st.integers(1, 4),
    momentum=st.sampled_from([0.001, 0.1, 1.0, None]),
    seed=st.integers(0, 99),
)
def test_biased_batch_norm_records_the_biased_variance(n, side, momentum, seed):
    generator = torch.Generator().manual_seed(seed)
    layer = BiasedBatchNorm2d(2, momentum=momentum).double()
    mean, var = np.zeros(2), np.ones(2)
    for step in range(1, 4):
        x = torch.randn(n, 2, side, side, generator=generator, dtype=torch.float64)
        layer(x)
        m = 1 / step if momentum is None else momentum
        values = x.permute(1, 0, 2, 3).reshape(2, -1).numpy()
        mean = (1 - m) * mean + m * values.mean(1)
        var = (1 - m) * var + m * values.var(1)
    np.testing.assert_allclose(layer.running_mean.numpy(), mean, atol=1e-12)
    np.testing.assert_allclose(layer.running_var.numpy(), var, atol=1e-12)
    assert int(layer.num_batches_tracked) == 3


def test_biased_batch_norm_equals_torch_in_output_gradient_and_evaluation():
    ours, theirs = BiasedBatchNorm2d(3), nn.BatchNorm2d(3)
    outputs = []
    for layer in (ours, theirs):
        x = torch.linspace(-1, 1, 3 * 3 * 16).view(3, 3, 4, 4).pow(3).requires_grad_()
        y = layer(x)
        y.square().sum().backward()
        outputs.append((y.detach(), x.grad, layer.weight.grad))
    for a, b in zip(*outputs, strict=True):
        torch.testing.assert_close(a, b)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_biased_batch_norm_may_run_twice_before_backward():
    layer = BiasedBatchNorm2d(2)
    x = torch.randn(4, 2, 3, 3, requires_grad=True)
    (layer(x) + layer(2 * x)).square().sum().backward()
    assert torch.isfinite(x.grad).all()
    assert copy.deepcopy(layer).state_dict().keys() == nn.BatchNorm2d(2).state_dict().keys()
