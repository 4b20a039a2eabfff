"""Switching a model to evaluation mode and back, module by module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """Put a model into evaluation mode; on exit every module returns to its own previous mode.

    `model.train()` afterwards would not do: it also wakes layers that were deliberately kept in evaluation mode.

    Example:
        >>> from torch import nn
        >>> from holdfast.layers.modes import evaluating
        >>> net = nn.Sequential(nn.Linear(2, 2), nn.Dropout().eval())
        >>> with evaluating(net):
        ...     net[0].training
        False
        >>> net[0].training, net[1].training
        (True, False)
    """
    before = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        yield model
    finally:
        for module, training in before:
            module.training = training
