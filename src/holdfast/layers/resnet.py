"""ResNet-50 whose last residual block makes the embedding.

He, Zhang, Ren, Sun, CVPR 2016, arXiv 1512.03385, with the stride in the 3x3 convolution. The last block narrows to the
embedding's length, and its ReLU ends it: embeddings are non-negative and not normalised, and there is no linear head
(Ramanujan et al., CVPR 2022, arXiv 2112.02805, section 4.1).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions with batch norm beside a shortcut; a ReLU after the sum.

    Args:
        inputs, hidden, outputs: channels.
        stride: of the 3x3 convolution and the shortcut.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, hidden, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(hidden)
        self.conv2 = nn.Conv2d(hidden, hidden, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(hidden)
        self.conv3 = nn.Conv2d(hidden, outputs, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H / stride, W / stride), all at least 0."""
        out = F.relu(self.norm1(self.conv1(x)))
        out = F.relu(self.norm2(self.conv2(out)))
        return F.relu(self.norm3(self.conv3(out)) + self.shortcut(x))


class ResNet50(nn.Module):
    """Images (N, 3, H, W) to embeddings (N, dim), the mean over positions of the last block.

    Args:
        dim: length of the embedding.
        blocks: per stage; (3, 4, 6, 3) is ResNet-50.
        width: channels of the first stage.

    Example:
        >>> import torch
        >>> ResNet50(8, blocks=(1, 1, 1, 1), width=4)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 8])
    """

    def __init__(self, dim: int = 128, blocks: tuple[int, ...] = (3, 4, 6, 3), width: int = 64) -> None:
        super().__init__()
        self.dim = dim
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        layers: list[nn.Module] = []
        channels = width
        for stage, count in enumerate(blocks):
            hidden = width * 2**stage
            for block in range(count):
                last = stage == len(blocks) - 1 and block == count - 1
                outputs = dim if last else 4 * hidden
                layers.append(Bottleneck(channels, hidden, outputs, stride=2 if block == 0 and stage > 0 else 1))
                channels = outputs
        self.blocks = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Images to embeddings, all at least 0."""
        return self.blocks(self.stem(x)).mean((2, 3))


__all__ = ["Bottleneck", "ResNet50"]
