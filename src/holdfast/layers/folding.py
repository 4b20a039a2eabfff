"""Affine maps around a linear layer, folded into its weights: what is left is one matrix product. Up to rounding."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from holdfast.layers.standardise import Standardise


def normed(linear: Any, norm: Any) -> nn.Linear:
    """One layer that does what a linear layer without bias and batch norm in evaluation mode do one after the other.

    Example:
        >>> import torch
        >>> linear, norm, x = nn.Linear(3, 2, bias=False), nn.BatchNorm1d(2).eval(), torch.randn(4, 3)
        >>> bool((normed(linear, norm)(x) - norm(linear(x))).abs().max() < 1e-5)
        True
    """
    factor = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    weight = linear.weight.double() * factor[:, None]
    return _linear(weight, norm.bias.double() - norm.running_mean.double() * factor)


def behind(inputs: Standardise, layer: nn.Linear) -> nn.Linear:
    """layer(inputs(x)) as one layer."""
    weight = layer.weight.double() / inputs.scale.double()
    return _linear(weight, layer.bias.double() - weight @ inputs.mean.double())


def before(layer: nn.Linear, outputs: Standardise) -> nn.Linear:
    """outputs.back(layer(x)) as one layer."""
    scale = outputs.scale.double()
    return _linear(layer.weight.double() * scale[:, None], layer.bias.double() * scale + outputs.mean.double())


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0]).requires_grad_(False)
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)
    return layer


__all__ = ["before", "behind", "normed"]
