"""Dropout that is active while the rest of a model is in eval mode (Gal and Ghahramani 2016)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from holdfast.errors import InputError

RATES = ("dropout", "dropout_p", "attention_dropout", "activation_dropout")  # of modules that drop by themselves


def dropout_modules(model: nn.Module) -> list[nn.Module]:
    """Modules that drop while they train: torch's Dropout, and those with a rate of their own (`self.dropout = .1`)."""

    def drops(module: nn.Module) -> bool:
        if isinstance(module, nn.modules.dropout._DropoutNd):
            return module.p > 0
        rates = (getattr(module, name, None) for name in RATES)
        return any(isinstance(rate, float) and rate > 0 for rate in rates)

    return [module for module in model.modules() if drops(module)]


@contextmanager
def mc_dropout(model: nn.Module) -> Iterator[None]:
    """While entered, dropout is active and nothing else trains: norms keep their statistics.

    Raises:
        InputError: the model has no dropout that could be active.

    Example:
        >>> net = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5)).eval()
        >>> with mc_dropout(net):
        ...     [module.training for module in net]
        [False, True]
    """
    found = dropout_modules(model)
    if not found:
        raise InputError("model", "must have active Dropout", "a model without any rate above 0")
    before = [module.training for module in found]
    try:
        for module in found:
            module.training = True
        yield
    finally:
        for module, training in zip(found, before, strict=True):
            module.training = training


__all__ = ["dropout_modules", "mc_dropout"]
