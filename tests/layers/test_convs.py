"""The small convolutional encoder."""

from __future__ import annotations

import pytest
import torch

from holdfast.layers.convs import ConvEncoder


def test_embeddings_are_not_negative_and_not_normalised():
    torch.manual_seed(0)
    z = ConvEncoder(1, 28, 16)(torch.rand(5, 1, 28, 28))
    assert z.shape == (5, 16)
    assert (z >= 0).all()
    assert z.norm(dim=1).std() > 0


@pytest.mark.parametrize("side", [7, 8, 12, 28, 29])
def test_the_convnet_takes_images_of_any_size(side):
    assert ConvEncoder(3, side, 4)(torch.zeros(2, 3, side, side)).shape == (2, 4)
