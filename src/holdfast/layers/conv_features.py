"""The small network as an encoder that mixes no rows of a batch: for methods that contrast them."""

from __future__ import annotations

from torch import Tensor, nn

from holdfast.layers.small_convnet import SmallConvNet


class ChannelGroups(nn.GroupNorm):
    """Group norm of 8 groups, in place of a batch norm: through that the rows of a batch would know each other."""

    def __init__(self, channels: int, momentum: float) -> None:
        super().__init__(8, channels)


class ConvFeatures(SmallConvNet):
    """`SmallConvNet` without its head and with group norm: images (N, C, H, W) to (N, 64).

    Example:
        >>> import torch
        >>> ConvFeatures(3)(torch.zeros(2, 3, 16, 16)).shape
        torch.Size([2, 64])
    """

    dim = 64

    def __init__(self, channels: int) -> None:
        super().__init__(channels, 1, norm=ChannelGroups)
        del self.head

    def forward(self, x: Tensor) -> Tensor:
        """The features."""
        return self.features(x)


__all__ = ["ChannelGroups", "ConvFeatures"]
