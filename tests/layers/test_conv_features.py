"""Encoders for methods that contrast the rows of a batch."""

from __future__ import annotations

import pytest
import torch

from holdfast.layers.conv_features import ConvFeatures


def test_a_row_is_answered_alone_as_among_others():
    torch.manual_seed(0)
    net, x = ConvFeatures(3).train(), torch.rand(5, 3, 16, 16)
    torch.testing.assert_close(net(x)[2:3], net(x[2:3]))
    assert net(x).shape == (5, net.dim)
    assert not any("head" in name for name, _ in net.named_parameters())


def test_a_residual_network_ends_in_the_mean_over_positions():
    pytest.importorskip("transformers")
    from holdfast.encoders.resnet import ResNetEncoder

    torch.manual_seed(0)
    net, x = ResNetEncoder((1, 1, 1, 1)).eval(), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert net(x).shape == (2, net.dim) == (2, 2048)
        torch.testing.assert_close(net(x), net.net(x).last_hidden_state.mean((2, 3)))
