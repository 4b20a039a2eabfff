"""Vectors brought to mean 0 and variance 1, and back."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


def as_float64(x: Tensor) -> np.ndarray:
    """The numbers of a tensor, for sums that must not lose digits."""
    return x.detach().cpu().numpy().astype(np.float64)


def spread(x: np.ndarray) -> np.ndarray:
    """Standard deviation of each dimension; 1 where it does not vary (but for rounding)."""
    scale = x.std(0)
    return np.where(scale > 1e-7 * np.abs(x).max(0), scale, 1.0)


class Standardise(nn.Module):
    """(x - mean) / scale, and back. Identity until `learn`.

    Args:
        dim: of the vectors.

    Example:
        >>> layer = Standardise(1).learn(torch.tensor([[1.0], [3.0]]))
        >>> layer(torch.tensor([[4.0]])).tolist(), layer.back(torch.tensor([[2.0]])).tolist()
        ([[2.0]], [[4.0]])
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))

    def learn(self, x: Tensor, each: bool = True) -> Standardise:
        """Take mean and scale from x (N, D): of each dimension, or one scale for all, so that angles are kept."""
        values = as_float64(x)
        scale = spread(values)
        if not each:
            scale = np.full(len(scale), np.sqrt(values.var(0).mean()) or 1.0)
        self.mean.copy_(torch.from_numpy(values.mean(0)))
        self.scale.copy_(torch.from_numpy(scale))
        return self

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.scale

    def back(self, x: Tensor) -> Tensor:
        return x * self.scale + self.mean


__all__ = ["Standardise", "as_float64", "spread"]
