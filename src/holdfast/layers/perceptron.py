"""A perceptron with one hidden layer, and classifiers of networks that give features."""

from __future__ import annotations

from torch import nn


class Perceptron(nn.Sequential):
    """(n, F) numbers to (n, hidden) features through one hidden layer; `dim` is their number.

    Example:
        >>> import torch
        >>> Perceptron(5, 8)(torch.zeros(2, 5)).shape
        torch.Size([2, 8])
    """

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__(nn.Flatten(), nn.Linear(features, hidden), nn.ReLU())
        self.dim = hidden


def classifier(backbone: nn.Module, num_classes: int) -> nn.Module:
    """The backbone with a linear head: (n, num_classes) logits."""
    return nn.Sequential(backbone, nn.Linear(int(backbone.dim), num_classes))  # type: ignore[arg-type]


__all__ = ["Perceptron", "classifier"]
