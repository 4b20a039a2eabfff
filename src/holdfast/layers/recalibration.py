"""Batch-norm statistics made anew: after weights were averaged, moved along a line, or brought to another domain."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.layers.modes import evaluating
from holdfast.layers.norm import batch_norms


@torch.no_grad()
def recalibrate_(net: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
    """Give a network the batch-norm statistics of these inputs, in place; no weight changes.

    Statistics are averaged over the batches, every batch counting the same; each layer sees what the layers before it
    make of the same batch. All other layers are in evaluation mode, and every module's mode returns afterwards.

    Args:
        net: a network; without batch norm nothing happens and the batches are not read.
        batches: inputs, at least one batch of at least two rows.

    Returns:
        The network.

    Raises:
        InputError: batch norm, but no batch.

    Example:
        >>> net = recalibrate_(nn.BatchNorm1d(1), [torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0], [7.0]])])
        >>> net.running_mean.tolist()
        [4.0]
    """
    layers = batch_norms(net)
    if not layers:
        return net
    momenta = [layer.momentum for layer in layers]
    count = 0
    with evaluating(net):
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # cumulative average
            layer.train()
        for batch in batches:
            net(batch)
            count += 1
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    if not count:
        raise InputError("batches", "must have at least one batch to take batch-norm statistics from", "none")
    return net


__all__ = ["recalibrate_"]
