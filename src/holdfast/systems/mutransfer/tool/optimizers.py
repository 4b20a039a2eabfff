"""Optimisers under a parametrization: which kind one is, and its groups."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch.optim import Optimizer

from holdfast.errors import InputError
from holdfast.systems.mutransfer.method.dimensions import ParameterInfo
from holdfast.systems.mutransfer.method.rules import Family
from holdfast.training.relative_rates import set_lr

# By the size of a step: proportional to the gradient's, independent of it, or a share of the tensor's own.
FAMILIES: dict[str, Family] = {
    "SGD": "sgd",
    "ASGD": "sgd",
    "Adam": "adam",
    "AdamW": "adam",
    "Adamax": "adam",
    "NAdam": "adam",
    "RAdam": "adam",
    "RMSprop": "adam",
    "Adagrad": "adam",
    "Adadelta": "adam",
    "Rprop": "adam",
    "SparseAdam": "adam",
    "Lion": "adam",
    "Adafactor": "adafactor",
}
NAMES: dict[str, Family] = {
    "adam": "adam",
    "adamw": "adam",
    "adam-like": "adam",
    "sgd": "sgd",
    "sgd-like": "sgd",
    "adafactor": "adafactor",
    "muon": "muon",
}


def family_of(optimizer: str | type[Optimizer]) -> Family:
    """How an optimiser's step depends on the gradient.

    Raises:
        InputError: unknown; say which kind it is like.

    Example:
        >>> family_of(torch.optim.AdamW), family_of("sgd-like")
        ('adam', 'sgd')
    """
    if isinstance(optimizer, str):
        if optimizer.lower() not in NAMES:
            raise InputError("optimizer", f"must be one of {', '.join(NAMES)}", optimizer)
        return NAMES[optimizer.lower()]
    if issubclass(optimizer, torch.optim.Muon):
        return "muon"
    for parent in optimizer.__mro__:
        if parent.__name__ in FAMILIES:
            return FAMILIES[parent.__name__]
    rule = "is of no known kind: say whether its step is like='adam', 'sgd', 'adafactor' or 'muon'"
    raise InputError("optimizer", rule, optimizer.__name__)


def grouped(
    tensors: Iterable[tuple[str, torch.nn.Parameter, float]],
    lr: float,
    weight_decay: float | None,
    decoupled_wd: bool = False,
    relative: float = 1.0,
) -> list[dict[str, Any]]:
    """One group of (name, tensor, factor of its rate) per factor; decay is divided by it unless it is decoupled.

    Args:
        lr: the base rate; weight_decay: at the base width, None = the optimiser knows none.
        relative: these tensors' base rate over `lr`.
    """
    groups: dict[float, dict[str, Any]] = {}
    for name, parameter, own in tensors:
        factor = own * relative
        group = groups.setdefault(factor, {"params": [], "names": [], "lr": lr * factor, "lr_mult": factor})
        group["params"].append(parameter)
        group["names"].append(name)
        group["name"] = f"lr x {factor:g}"
        if weight_decay is not None:
            group["weight_decay"] = weight_decay if decoupled_wd else weight_decay / own
    return list(groups.values())


def own_adjustment(kind: str, info: ParameterInfo) -> float:
    """What Muon itself multiplies its step with for the shape of a matrix, over what it does in the base model."""
    matched = kind == "match_rms_adamw"
    here, base = (max(size) if matched else max(1.0, size[0] / size[1]) for size in (info.shape, info.base))
    return math.sqrt(here / base)


__all__ = ["family_of", "grouped", "own_adjustment", "set_lr"]
