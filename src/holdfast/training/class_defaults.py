"""What classes of optimisers do where nobody says."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer


def class_defaults(optimizer: type[Optimizer], **options: Any) -> dict[str, Any]:
    """What a class of optimisers takes for every setting that is not among the options; it is asked itself.

    Example:
        >>> class_defaults(torch.optim.AdamW, betas=(0.8, 0.9))["weight_decay"]
        0.01
        >>> "weight_decay" in class_defaults(torch.optim.Rprop)
        False
    """
    made: Any = optimizer
    probe: Optimizer = made([torch.nn.Parameter(torch.zeros(1, 1))], lr=1.0, **options)
    return dict(probe.defaults)


__all__ = ["class_defaults"]
