"""Optimisers and schedules with the conventions of the image-classification literature."""

from __future__ import annotations

import math

import torch
from torch import nn


def sgd(module: nn.Module, *, lr: float, momentum: float = 0.9, weight_decay: float = 0.0) -> torch.optim.SGD:
    """SGD with momentum that decays weights of layers and leaves biases and normalisation alone.

    The gradient gets `weight_decay * W` before the momentum, so this equals adding `weight_decay / 2 * sum ||W||^2`
    over all parameters with two or more dimensions to the loss.

    Args:
        module: its parameters that require gradients are optimised.
        lr: learning rate.
        momentum: of the heavy-ball kind (not Nesterov).
        weight_decay: factor of W in the gradient.

    Example:
        >>> from torch import nn
        >>> from holdfast.training.optim import sgd
        >>> [group["weight_decay"] for group in sgd(nn.Linear(2, 3), lr=0.1, weight_decay=1e-3).param_groups]
        [0.001, 0.0]
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    weights, others = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
    groups = [
        {"params": group, "weight_decay": decay} for group, decay in ((weights, weight_decay), (others, 0.0)) if group
    ]
    return torch.optim.SGD(groups, lr=lr, momentum=momentum)


def warm_cosine(progress: float, warmup: float = 0.0) -> float:
    """Linear from 0 to 1 over `warmup`, then half a cosine down to 0.

    Example:
        >>> warm_cosine(0.05, 0.1), warm_cosine(0.1, 0.1), round(warm_cosine(0.55, 0.1), 6)
        (0.5, 1.0, 0.5)
    """
    if progress < warmup:
        return progress / warmup
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))
