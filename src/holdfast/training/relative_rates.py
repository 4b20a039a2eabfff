"""Learning rates that keep their ratios: groups that each have a factor `lr_mult` on one base rate."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.optim import Optimizer

from holdfast.errors import InputError


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


__all__ = ["Guard", "set_lr"]
