"""Labelled images in memory: chosen by class, embedded in pieces."""

from __future__ import annotations

import torch
from torch import nn

from holdfast.data.images import ImageArray, embed, of_classes


def test_only_some_classes():
    data = ImageArray(torch.rand(40, 1, 8, 8), torch.arange(40) % 4)
    known = of_classes(data, 2)
    assert known.labels.unique().tolist() == [0, 1]
    assert torch.equal(known.read(), data.read(torch.nonzero(data.labels < 2).squeeze(1)))


def test_embedding_does_not_depend_on_the_size_of_pieces():
    data = ImageArray(torch.rand(48, 1, 6, 6), torch.arange(48) % 4)
    encoder = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten()).train()
    assert torch.allclose(embed(encoder, data, size=7), embed(encoder, data, size=48), atol=1e-6)
    assert encoder.training  # batch statistics would make the pieces matter
