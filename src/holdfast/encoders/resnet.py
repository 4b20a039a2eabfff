"""Residual networks with bottlenecks as encoders: those of transformers, with fresh weights."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from holdfast.errors import MissingExtra


class ResNetEncoder(nn.Module):
    """Images (N, 3, H, W) to (N, 2048) features: He et al. 2016, up to the mean over positions.

    Args:
        depths: blocks per stage; (3, 4, 6, 3) is ResNet-50.

    Raises:
        MissingExtra: transformers is not installed.
    """

    def __init__(self, depths: tuple[int, ...] = (3, 4, 6, 3)) -> None:
        super().__init__()
        try:
            from transformers import ResNetConfig, ResNetModel
        except ImportError:
            raise MissingExtra("transformers", "text") from None
        self.net: Any = ResNetModel(ResNetConfig(depths=list(depths)))
        self.dim = int(self.net.config.hidden_sizes[-1])  # type: ignore[index]

    def forward(self, x: Tensor) -> Tensor:
        """The features."""
        found: Tensor = self.net(x).pooler_output.flatten(1)
        return found


__all__ = ["ResNetEncoder"]
