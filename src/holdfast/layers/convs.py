"""A small convolutional encoder. Its embeddings end in a ReLU: non-negative and not normalised."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn


class ConvEncoder(nn.Module):
    """Two 5x5 convolutions at stride 2 (16 and 32 channels, batch norm, ReLU), a linear layer, a ReLU.

    Args:
        in_channels: channels of the images.
        side: height and width of the images in pixels.
        dim: length of the embedding.

    Example:
        >>> import torch
        >>> ConvEncoder()(torch.zeros(3, 1, 28, 28)).shape
        torch.Size([3, 16])
    """

    def __init__(self, in_channels: int = 1, side: int = 28, dim: int = 16) -> None:
        super().__init__()
        last = math.ceil(math.ceil(side / 2) / 2)
        self.convolutions = nn.Sequential(
            nn.Conv2d(in_channels, 16, 5, stride=2, padding=2),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 5, stride=2, padding=2),
            nn.BatchNorm2d(32),
            nn.ReLU(),
        )
        self.output = nn.Linear(32 * last * last, dim)
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) to embeddings (N, D), all at least 0."""
        return F.relu(self.output(self.convolutions(x).flatten(1)))


__all__ = ["ConvEncoder"]
