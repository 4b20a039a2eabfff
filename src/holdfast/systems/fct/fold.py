"""h for use, not for training: batch normalisation and standardisation folded into the weights around them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from holdfast.systems.fct.maps import FittedMap
from holdfast.systems.fct.method import Block
from holdfast.systems.fct.mlp import Standardise, TransformMap


class FoldedTransform(FittedMap):
    """The same function as a `TransformMap` in seven matrix products, up to rounding.

    In evaluation mode batch normalisation is an affine map of each dimension, and so is standardisation: both go into
    the weights of the layer before or after. What is left of the cost is the matrix products themselves.

    Args:
        fitted: the map; it is not changed.

    Example:
        >>> from holdfast.systems.fct.method import ForwardTransform
        >>> fitted = TransformMap(ForwardTransform(4, 3, inner_dim=8)).eval()
        >>> x = torch.randn(5, 4)
        >>> bool((FoldedTransform(fitted)(x) - fitted(x)).abs().max() < 1e-5)
        True
    """

    def __init__(self, fitted: TransformMap) -> None:
        super().__init__()
        self.old_dim, self.new_dim, self.side_dim = fitted.old_dim, fitted.new_dim, fitted.side_dim
        h: Any = fitted.transform
        second = fitted.old if fitted.side_dim is None else fitted.side
        with torch.no_grad():
            self.p1 = nn.ModuleList([_first(h.p1[0], fitted.old), _folded(h.p1[1])])
            self.p2 = nn.ModuleList([_first(h.p2[0], second), _folded(h.p2[1])])
            self.mixer = nn.ModuleList([_folded(h.mixer[0]), _folded(h.mixer[1]), _last(h.mixer[2], fitted.new)])
        self.requires_grad_(False).eval()

    def forward(self, old: Tensor, side: Tensor | None = None) -> Tensor:
        one, two = old, old if side is None else side
        for layer in self.p1:
            one = F.relu_(layer(one))
        for layer in self.p2:
            two = F.relu_(layer(two))
        mixed = F.relu_(self.mixer[0](torch.cat([one, two], 1)))
        return self.mixer[2](F.relu_(self.mixer[1](mixed)))


def _folded(block: Block) -> nn.Linear:
    """relu(folded(x)) is block(x) in evaluation mode."""
    linear: Any = block.linear
    norm: Any = block.norm
    factor = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    weight = linear.weight.double() * factor[:, None]
    return _linear(weight, norm.bias.double() - norm.running_mean.double() * factor)


def _first(block: Block, inputs: Standardise) -> nn.Linear:
    """A block behind a standardisation."""
    layer = _folded(block)
    weight = layer.weight.double() / inputs.scale.double()
    return _linear(weight, layer.bias.double() - weight @ inputs.mean.double())


def _last(layer: nn.Linear, outputs: Standardise) -> nn.Linear:
    """A layer before the way back from standardised embeddings."""
    scale = outputs.scale.double()
    return _linear(layer.weight.double() * scale[:, None], layer.bias.double() * scale + outputs.mean.double())


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)
    return layer


__all__ = ["FoldedTransform"]
