"""How many threads a step of training is worth."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import nn

from holdfast.devices import torch_threads

SMALL = 1_000_000  # weights


def threads_for(net: nn.Module) -> AbstractContextManager[None]:
    """One thread for torch's work where the network is small, else as many as before.

    Threads that share steps of a millisecond wait for each other: on a machine with other work a training of 7 s took
    59 s.

    Args:
        net: with fewer than a million weights it is small.

    Example:
        >>> before = torch.get_num_threads()
        >>> with threads_for(nn.Linear(3, 2)):
        ...     torch.get_num_threads()
        1
        >>> torch.get_num_threads() == before
        True
    """
    return torch_threads(1 if sum(p.numel() for p in net.parameters()) < SMALL else torch.get_num_threads())


__all__ = ["threads_for"]
