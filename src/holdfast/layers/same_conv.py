"""Convolution with the "SAME" padding of TensorFlow and JAX."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class SameConv2d(nn.Conv2d):
    """2-D convolution whose output is `(N, C_out, ceil(H / stride), ceil(W / stride))`, padded as TensorFlow does.

    At stride 2 with a 3x3 kernel an even side is padded by one on the right (bottom) only, an odd side by one on
    both; with `padding=1` PyTorch pads both sides always, which samples other positions. Needed to load or match
    weights from there.

    Args:
        in_channels, out_channels, kernel_size, stride: as in `torch.nn.Conv2d`; square kernels.
        bias: add a bias per output channel.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, *, bias: bool = True
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `(N, C_in, H, W)`."""
        top, bottom = _same(x.shape[2], self.kernel_size[0], self.stride[0])
        left, right = _same(x.shape[3], self.kernel_size[1], self.stride[1])
        if top == bottom and left == right:  # the kernel pads by itself, which saves a copy
            return F.conv2d(x, self.weight, self.bias, self.stride, (top, left))
        return F.conv2d(F.pad(x, (left, right, top, bottom)), self.weight, self.bias, self.stride)


def _same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Padding before and after one side."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
