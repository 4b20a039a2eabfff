"""The shared networks and the convolution with "SAME" padding."""

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.errors import InputError
from holdfast.layers.modes import evaluating
from holdfast.layers.same_conv import SameConv2d
from holdfast.layers.small_convnet import SmallConvNet
from holdfast.layers.wide_resnet import ARCHITECTURES, WideResNet, wide_resnet


@pytest.mark.parametrize("size", [(7, 8), (8, 7), (5, 5), (4, 4)])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (1, 2), (5, 2), (2, 2)])
def test_same_convolution_against_loops(size, kernel, stride):
    """Definition: output (i, j) sees rows i * stride - top ..., top = max(total, 0) // 2, zeros outside."""
    conv = SameConv2d(2, 3, kernel, stride).double()
    x = torch.randn(1, 2, *size, dtype=torch.float64)
    w, b = conv.weight.detach().numpy(), conv.bias.detach().numpy()
    h, wd = (-(-s // stride) for s in size)
    before = [max((o - 1) * stride + kernel - s, 0) // 2 for o, s in zip((h, wd), size, strict=True)]
    expected = np.zeros((3, h, wd))
    for i in range(h):
        for j in range(wd):
            for u in range(kernel):
                for v in range(kernel):
                    r, c = i * stride - before[0] + u, j * stride - before[1] + v
                    if 0 <= r < size[0] and 0 <= c < size[1]:
                        expected[:, i, j] += w[:, :, u, v] @ x[0, :, r, c].numpy()
    expected += b[:, None, None]
    np.testing.assert_allclose(conv(x)[0].detach().numpy(), expected, atol=1e-12)


NETWORKS = {
    "small": lambda: SmallConvNet(1, 10),
    "wide": lambda: WideResNet(1, 10, filters=8, blocks=2),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_give_logits_of_features_and_train_every_parameter(name):
    net = NETWORKS[name]()
    x = torch.rand(6, 1, 16, 16)
    features = net.features(x)
    assert features.shape == (6, net.num_features)
    net.eval()
    torch.testing.assert_close(net(x), net.head(net.features(x)))
    net.train()(x).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_take_float64_odd_sizes_and_one_image(name):
    net = NETWORKS[name]().double().eval()
    assert net(torch.rand(1, 1, 15, 17, dtype=torch.float64)).shape == (1, 10)


def test_small_network_is_small():
    assert sum(p.numel() for p in SmallConvNet(1, 10).parameters()) == 24_058


def test_wrn_28_2_has_the_layers_and_the_size_of_the_published_one():
    """Counted from the architecture; depth 28 = stem + 3 stages x 4 blocks x 2 convolutions + 3 by convention."""
    net = wide_resnet("wrn28-2", num_classes=10)
    convs = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert len([c for c in convs if c.kernel_size == (3, 3)]) == 25
    assert len([c for c in convs if c.kernel_size == (1, 1)]) == 3
    weights = 16 * 3 * 9
    c_in = 16
    for width in (32, 64, 128):
        weights += c_in * width * 9 + width * width * 9 + c_in * width + 3 * 2 * width * width * 9
        c_in = width
    assert sum(c.weight.numel() for c in convs) == weights
    assert all(c.bias is None for c in convs)
    assert net.num_features == 128


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_named_architectures_halve_the_resolution_once_per_stage(name):
    with torch.device("meta"):
        net = wide_resnet(name, num_classes=4)
        stages, filters = ARCHITECTURES[name]
        assert net.body(torch.zeros(2, 16, 64, 64)).shape == (
            2,
            filters << (stages - 1),
            64 >> (stages - 1),
            64 >> (stages - 1),
        )


def test_wide_resnet_initialisation_has_the_reference_variance():
    net = WideResNet(3, 10, filters=32, blocks=1)
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 5000:
            expected = (0.5 * module.kernel_size[0] ** 2 * module.out_channels) ** -0.5
            assert float(module.weight.detach().std()) == pytest.approx(expected, rel=0.05)


def test_wide_resnet_refuses_what_it_cannot_build():
    with pytest.raises(InputError, match="name: must be one of wrn28-2"):
        wide_resnet("resnet50")
    with pytest.raises(InputError, match="stages: must be at least 1; received 0"):
        WideResNet(stages=0)


def test_evaluating_restores_each_module_after_an_exception():
    net = nn.Sequential(nn.Dropout(), nn.Sequential(nn.BatchNorm1d(2).eval(), nn.Dropout()))
    before = [m.training for m in net.modules()]

    def fail():
        with evaluating(net):
            assert not any(m.training for m in net.modules())
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert [m.training for m in net.modules()] == before
