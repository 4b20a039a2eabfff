"""The perceptrons of the paper's family."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn


class Perceptron(nn.Module):
    """Linear layers with ReLU between: rows (N, widths[0]) -> (N, widths[-1]). LeNet-300-100 is (784, 300, 100, 10).

    Args:
        widths: of the input, the hidden layers and the output.
    """

    def __init__(self, widths: Sequence[int] = (784, 300, 100, 10)) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


__all__ = ["Perceptron"]
