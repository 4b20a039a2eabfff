"""Wide residual networks in the form the FixMatch family trains from scratch.

Zagoruyko and Komodakis, "Wide Residual Networks", 2016, arXiv 1605.07146; variant of google-research/adamatch
(shared/zoo/wideresnet.py, Apache-2.0): pre-activation blocks, leaky ReLU 0.1, the first activation of the first stage
feeds the shortcut too, "SAME" padding, running variances biased. Difference: convolutions have no bias, since every one
of them ends in a batch norm that removes it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.layers.norm import BiasedBatchNorm2d
from holdfast.layers.same_conv import SameConv2d

Norm = Callable[[int], nn.Module]

# name -> (stages, filters of the first stage). As named by google-research/adamatch; all have 4 blocks per stage.
# Deeper ones have more stages, for larger images: its wrn40-2 is not the WRN-40-2 of the paper (3 stages of 6
# blocks).
ARCHITECTURES = MappingProxyType({"wrn28-2": (3, 32), "wrn28-4": (3, 64), "wrn34-2": (4, 32), "wrn40-2": (5, 32)})


class _Block(nn.Module):
    """BN - act - conv - BN - act - conv, plus a shortcut (1x1 convolution where the width changes)."""

    def __init__(self, c_in: int, c_out: int, stride: int, activate_shortcut: bool, norm: Norm) -> None:
        super().__init__()
        self.activate_shortcut = activate_shortcut
        self.norm1 = norm(c_in)
        self.conv1 = SameConv2d(c_in, c_out, 3, stride, bias=False)
        self.norm2 = norm(c_out)
        self.conv2 = SameConv2d(c_out, c_out, 3, bias=False)
        self.shortcut = SameConv2d(c_in, c_out, 1, stride, bias=False) if c_in != c_out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.norm1(x), 0.1)
        shortcut = self.shortcut(y if self.activate_shortcut else x)
        return shortcut + self.conv2(F.leaky_relu(self.norm2(self.conv1(y)), 0.1))


class WideResNet(nn.Module):
    """Wide residual network.

    Args:
        in_channels: channels of the images.
        num_classes: outputs.
        stages: resolutions; each after the first halves height and width and doubles the filters.
        filters: channels of the first stage (32 = width factor 2).
        blocks: residual blocks per stage (4 with 3 stages = depth 28).
        bn_momentum: weight of a new batch in the running statistics (the reference: 0.001, for half a million steps;
            use about 0.02 for runs of hundreds of steps).
        norm: normalisation layer, called as `norm(channels, eps=1e-6, momentum=bn_momentum)`.

    Attributes:
        num_features: length of a feature vector.

    Example:
        >>> import torch
        >>> from holdfast.layers.wide_resnet import WideResNet
        >>> net = WideResNet(in_channels=3, num_classes=5, filters=8, blocks=1)
        >>> net(torch.zeros(2, 3, 16, 16)).shape, net.num_features
        (torch.Size([2, 5]), 32)
    """

    def __init__(
        self,
        in_channels: int = 3,
        num_classes: int = 10,
        *,
        stages: int = 3,
        filters: int = 32,
        blocks: int = 4,
        bn_momentum: float = 0.001,
        norm: Callable[..., nn.Module] = BiasedBatchNorm2d,
    ) -> None:
        super().__init__()
        for name, value in {"stages": stages, "filters": filters, "blocks": blocks}.items():
            if value < 1:
                raise InputError(name, "must be at least 1", value)

        def make(channels: int) -> nn.Module:
            return norm(channels, eps=1e-6, momentum=bn_momentum)

        self.stem = SameConv2d(in_channels, 16, 3, bias=False)
        body: list[nn.Module] = []
        width = 16
        for stage in range(stages):
            wider = filters << stage
            body.append(_Block(width, wider, 2 if stage else 1, stage == 0, make))
            body += [_Block(wider, wider, 1, False, make) for _ in range(blocks - 1)]
            width = wider
        self.body = nn.Sequential(*body)
        self.norm = make(width)
        self.num_features = width
        self.head = nn.Linear(width, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                k, f = module.kernel_size[0], module.out_channels
                nn.init.normal_(module.weight, std=(0.5 * k * k * f) ** -0.5)
        nn.init.xavier_normal_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def features(self, x: Tensor) -> Tensor:
        """Images `(N, C, H, W)` to features `(N, num_features)`."""
        return F.leaky_relu(self.norm(self.body(self.stem(x))), 0.1).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Images `(N, C, H, W)` to logits `(N, num_classes)`."""
        return self.head(self.features(x))


def wide_resnet(
    name: str = "wrn28-2", *, in_channels: int = 3, num_classes: int = 10, bn_momentum: float = 0.001
) -> WideResNet:
    """A network by its name in `ARCHITECTURES`.

    Raises:
        InputError: the name is unknown.
    """
    if name not in ARCHITECTURES:
        raise InputError("name", f"must be one of {', '.join(ARCHITECTURES)}", name)
    stages, filters = ARCHITECTURES[name]
    return WideResNet(in_channels, num_classes, stages=stages, filters=filters, bn_momentum=bn_momentum)
