"""AdaBN: give a trained network the batch-norm statistics of the domain it is used on.

Li, Wang, Shi, Liu, Hou, "Revisiting Batch Normalization For Practical Domain Adaptation", 2016, arXiv 1603.04779. No
weights change and no labels are needed: a strong trivial baseline for adaptation. Difference from the paper:
statistics are averaged over large batches in one pass (each layer sees what the layers before it make of the same
batch) instead of being computed neuron by neuron over the whole set.
"""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.layers.norm import batch_norms
from holdfast.layers.recalibration import recalibrate_

Net = TypeVar("Net", bound=nn.Module)


@torch.no_grad()
def adabn(net: Net, images: Tensor, *, batch_size: int = 512) -> Net:
    """A copy of the network with the batch-norm statistics of `images`.

    Args:
        net: network with batch-norm layers; not changed.
        images: unlabelled images of the new domain, `(N, C, H, W)`, N >= 2.
        batch_size: images are run in chunks of nearly equal size, none larger than this.

    Returns:
        The copy, in evaluation mode.

    Raises:
        InputError: no batch norm in the network, or fewer than two images.

    Example:
        >>> import torch
        >>> from holdfast.baselines.adabn import adabn
        >>> net = adabn(torch.nn.BatchNorm2d(1), torch.full((8, 1, 2, 2), 3.0))
        >>> net.running_mean.tolist()
        [3.0]
    """
    adapted = copy.deepcopy(net)
    if not batch_norms(adapted):
        raise InputError("net", "must have batch-norm layers", type(net).__name__)
    if len(images) < 2:
        raise InputError("images", "must be at least 2", len(images))
    adapted.eval()
    recalibrate_(adapted, images.tensor_split(-(-len(images) // batch_size)))
    return adapted
