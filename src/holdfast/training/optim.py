"""Optimisers with the conventions of the image-classification literature."""

from __future__ import annotations

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
