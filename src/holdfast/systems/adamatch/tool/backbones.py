"""The network of an AdaMatch classifier: one of the built-in ones, or a copy of the user's own."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from holdfast.data.augment import Brightness, Compose, Cutout, Invert, RandomAffine
from holdfast.errors import InputError
from holdfast.layers.modes import evaluating
from holdfast.layers.small_convnet import SmallConvNet
from holdfast.layers.wide_resnet import ARCHITECTURES, wide_resnet

BACKBONES = ("small", *ARCHITECTURES)


def make_network(backbone: str | nn.Module, shape: tuple[int, int, int], num_classes: int, steps: int) -> nn.Module:
    """A fresh network on the CPU, initialised from torch's global generator, or a copy of the given module.

    Args:
        backbone: a name in `BACKBONES`, or a module.
        shape: (C, H, W) of the images.
        num_classes: K.
        steps: that it will be trained for.

    Raises:
        InputError: a module that does not map such images to K logits.
    """
    # As in the reference for runs of 10,000 steps and more; in shorter ones the running statistics would otherwise
    # still hold much of their start.
    momentum = min(0.1, max(0.001, 10 / steps))
    if isinstance(backbone, nn.Module):
        return _checked(copy.deepcopy(backbone).cpu(), shape, num_classes)
    if backbone == "small":
        return SmallConvNet(shape[0], num_classes, bn_momentum=momentum)
    return wide_resnet(backbone, in_channels=shape[0], num_classes=num_classes, bn_momentum=momentum)


def strong_augmentation(side: int, small: bool) -> Compose:
    """For images of that side: as in the experiment, or what a short run of the small network can learn from."""
    if not small:
        return Compose((RandomAffine(), Brightness(), Cutout(-(-side // 4) + 1, 0.5)))
    affine = RandomAffine(scale=(0.8, 1.2), shear=0.1, translate=0.1)
    return Compose((affine, Brightness(), Invert(0.25), Cutout(-(-side // 5), 0.5)))


def _checked(net: nn.Module, shape: tuple[int, int, int], num_classes: int) -> nn.Module:
    """A module of the user's, once it is known to map images to logits."""
    try:
        with torch.no_grad(), evaluating(net):
            logits = net(torch.zeros(2, *shape))
    except (RuntimeError, ValueError, TypeError) as e:
        raise InputError("backbone", f"must take images (N, {', '.join(map(str, shape))})", str(e)) from e
    if not isinstance(logits, Tensor) or logits.shape != (2, num_classes):
        received = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        raise InputError("backbone", f"must give logits (N, {num_classes})", received)
    return net


__all__ = ["BACKBONES", "make_network", "strong_augmentation"]
