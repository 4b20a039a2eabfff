"""ResNet-50 with an embedding as its last block."""

import torch

from holdfast.layers.resnet import ResNet50


def test_resnet_has_the_layers_of_the_paper():
    net = ResNet50(128)
    plain = 23_508_032  # ResNet-50 without its linear head, as everybody counts it
    last = 512 * 2048 + 2 * 2048
    ours = 512 * 128 + 2 * 128 + 2048 * 128 + 2 * 128  # the last block narrows, and so needs a shortcut of its own
    assert sum(p.numel() for p in net.parameters()) == plain - last + ours


def test_embeddings_are_not_negative_and_depend_on_the_image():
    torch.manual_seed(0)
    z = ResNet50(12, (1, 1, 1, 1), 4)(torch.rand(5, 3, 64, 64))
    assert z.shape == (5, 12)
    assert (z >= 0).all()
    assert z.std(0).max() > 0
