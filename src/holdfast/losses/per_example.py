"""A loss for each example of a batch, for whoever weighs or averages them."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

LossFn = Callable[[Tensor, Tensor], Tensor]  # (outputs (B, C), y) -> a loss per example (B,)


def cross_entropy(outputs: Tensor, y: Tensor) -> Tensor:
    """-log p(y) of each example from logits (B, C) and classes (B,)."""
    return F.cross_entropy(outputs, y, reduction="none")


def squared_error(outputs: Tensor, y: Tensor) -> Tensor:
    """Mean over the C numbers of (output - y)^2, for each of B examples."""
    return (outputs - y).square().mean(1)


__all__ = ["LossFn", "cross_entropy", "squared_error"]
