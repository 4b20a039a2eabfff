"""The network for pooled digits."""

from __future__ import annotations

from torch import nn


class SmallCNN(nn.Sequential):
    """Two convolutions with ReLU and pooling, and a linear layer: (N, 1, 14, 14) -> (N, 10). `[4]` ends the last block.

    Args:
        width: channels of the first convolution; the second has twice as many.
    """

    def __init__(self, width: int = 8) -> None:
        super().__init__(
            nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(2 * width * 9, 10),
        )  # fmt: skip


__all__ = ["SmallCNN"]
