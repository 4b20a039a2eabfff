"""ResNet-18 against its published size and a forward pass written with the functions of torch."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from holdfast.layers.resnet18 import ResNet18


def test_resnet18_has_its_published_size_and_every_parameter_gets_a_gradient():
    assert sum(p.numel() for p in ResNet18().parameters()) == 11_173_962
    net = ResNet18(width=4)
    net(torch.randn(2, 3, 32, 32)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def normed(x, norm):
    shape = (1, -1, 1, 1)
    centred = (x - norm.running_mean.view(shape)) / (norm.running_var + norm.eps).sqrt().view(shape)
    return centred * norm.weight.view(shape) + norm.bias.view(shape)


def test_the_forward_pass_is_that_of_the_paper():
    torch.manual_seed(0)
    net = ResNet18(classes=3, width=2).double().eval()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.normal_(module.weight)
            torch.nn.init.normal_(module.bias)
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    out = normed(F.conv2d(x, net.stem[0].weight, padding=1), net.stem[1]).relu()
    sizes = []
    for stage, blocks in enumerate(net.stages):
        for k, block in enumerate(blocks):
            stride = 2 if stage and not k else 1
            inner = normed(F.conv2d(out, block.conv1.weight, stride=stride, padding=1), block.bn1).relu()
            inner = normed(F.conv2d(inner, block.conv2.weight, padding=1), block.bn2)
            if stride == 2:
                out = normed(F.conv2d(out, block.shortcut[0].weight, stride=2), block.shortcut[1])
            else:
                assert len(block.shortcut) == 0
            out = (inner + out).relu()
        sizes.append(tuple(out.shape[1:]))
    assert sizes == [(2, 32, 32), (4, 16, 16), (8, 8, 8), (16, 4, 4)]
    with torch.no_grad():
        torch.testing.assert_close(net(x), out.mean((2, 3)) @ net.fc.weight.T + net.fc.bias)
