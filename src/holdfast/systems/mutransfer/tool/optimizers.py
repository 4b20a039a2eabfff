"""Optimisers under a parametrization: which kind one is, and learning rates that keep their ratios."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch.optim import Optimizer

from holdfast.errors import InputError
from holdfast.systems.mutransfer.method.rules import Family

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


def default_decay(optimizer: str | type[Optimizer], **options: Any) -> float | None:
    """What an optimiser decays by where nobody says: what its class does; None if it knows no weight decay.

    Example:
        >>> default_decay(torch.optim.AdamW), default_decay("adamw"), default_decay("sgd"), default_decay(torch.optim.Rprop)
        (0.01, 0.01, 0.0, None)
    """
    if isinstance(optimizer, str):
        if optimizer.lower() != "adamw":
            return 0.0
        optimizer = torch.optim.AdamW
    made: Any = optimizer
    probe: Optimizer = made([torch.nn.Parameter(torch.zeros(1, 1))], lr=1.0, **options)
    decay = probe.defaults.get("weight_decay")
    return None if decay is None else float(decay)


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


def own_adjustment(options: Mapping[str, Any], shape: tuple[int, ...]) -> float:
    """What Muon multiplies its step with for a matrix of this shape (rows, columns), up to a constant."""
    rows, columns = shape
    if options.get("adjust_lr_fn") == "match_rms_adamw":
        return math.sqrt(max(rows, columns))
    return math.sqrt(max(1.0, rows / columns))


def set_lr(optimizer: Optimizer, base_lr: float) -> None:
    """Give every group the base rate times its own factor, as a schedule of one's own has to.

    Raises:
        InputError: the optimiser has no factors, or the rate is negative or not finite.
    """
    if not 0 <= base_lr < math.inf:
        raise InputError("base_lr", "must be finite and at least 0", base_lr)
    for group in optimizer.param_groups:
        if "lr_mult" not in group:
            raise InputError(
                "optimizer", "must be made from the groups of a parametrization", "a group without lr_mult"
            )
    for group in optimizer.param_groups:
        rate = base_lr * group["lr_mult"]
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


class Guard:
    """Before every step: are the groups' rates still in their ratios?

    Schedules that multiply (LambdaLR, cosine to 0, StepLR) keep them. What sets one absolute rate for all (OneCycleLR
    and CyclicLR with one maximum, cosine to a minimum above 0, a loop of one's own) undoes the parametrization without
    any other sign.
    """

    def __call__(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        groups = [g for g in optimizer.param_groups if "lr_mult" in g and not isinstance(g["lr"], torch.Tensor)]
        if len(groups) < 2:
            return
        rates = [group["lr"] / group["lr_mult"] for group in groups]
        highest = max(rates)
        for group, rate in zip(groups, rates, strict=True):
            if abs(rate - highest) > 1e-6 * highest:
                rule = (
                    f"has lost its factor {group['lr_mult']:g}: something set absolute rates; use set_lr or a schedule "
                    "that multiplies"
                )
                raise InputError(f"learning rate of {group['names'][0]!r}", rule, group["lr"])


__all__ = ["Guard", "default_decay", "family_of", "grouped", "own_adjustment", "set_lr"]
