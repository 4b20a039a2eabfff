"""What classes of optimisers do where nobody says."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer


def default_decay(optimizer: type[Optimizer], **options: Any) -> float | None:
    """What an optimiser decays by where nobody says: what its class does; None if it knows no weight decay.

    Example:
        >>> default_decay(torch.optim.AdamW), default_decay(torch.optim.SGD), default_decay(torch.optim.Rprop)
        (0.01, 0, None)
    """
    made: Any = optimizer
    probe: Optimizer = made([torch.nn.Parameter(torch.zeros(1, 1))], lr=1.0, **options)
    return probe.defaults.get("weight_decay")


__all__ = ["default_decay"]
