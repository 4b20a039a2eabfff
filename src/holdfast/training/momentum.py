"""What MoCo keeps beside the encoder that learns: an encoder that follows it, and a queue of past keys.

He, Fan, Wu, Xie, Girshick, CVPR 2020, arXiv 1911.05722.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.training.distributed import gather_rows
from holdfast.validation import check_array, check_fraction, check_integer


class MomentumEncoder(nn.Module):
    """A copy of a module whose parameters follow the module's: `a <- m a + (1 - m) w` at each `update` (equation 2).

    Parameters alone: statistics of batch norm are the copy's own, of the batches it has seen. Nothing in the copy
    receives a gradient. Its state is saved with that of what holds it; the module that it follows is not its part.

    Args:
        module: the module to follow.
        m: momentum, in [0, 1].

    Example:
        >>> query = nn.Linear(2, 2)
        >>> key = MomentumEncoder(query, 0.9)
        >>> _ = nn.init.zeros_(query.weight)
        >>> before = key.module.weight.clone()
        >>> key.update(query)
        >>> torch.allclose(key.module.weight, 0.9 * before)
        True
    """

    def __init__(self, module: nn.Module, m: float = 0.999) -> None:
        super().__init__()
        self.m = check_fraction(m, "m")
        self.module = copy.deepcopy(module).requires_grad_(False)

    @torch.no_grad()
    def forward(self, *args: Any) -> Any:
        """What the copy answers, without gradients."""
        return self.module(*args)

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move the copy a step towards the module (of the same structure)."""
        mine: list[Tensor] = list(self.module.parameters())
        theirs = list(module.parameters())
        if [p.shape for p in mine] != [p.shape for p in theirs]:
            raise InputError("module", "must have the parameters of the one that is followed", f"{len(theirs)} others")
        torch._foreach_lerp_(mine, [p.detach() for p in theirs], 1 - self.m)


class KeyQueue(nn.Module):
    """The last keys, unit vectors: new ones take the place of the oldest. It starts with random unit vectors.

    Args:
        dim: D of a key.
        length: keys kept, Q; a multiple of the keys that come at once.
        generator: draws the first keys.

    Attributes:
        keys: (Q, D), float32.
        index: (Q,) int64, the row of the data set that a key came from; -1 = none (a random first key).

    Raises:
        InputError: more keys at once than fit in, or a number that does not divide the length.

    Example:
        >>> queue = KeyQueue(3, 4)
        >>> queue.push(torch.eye(3)[:2], torch.tensor([7, 8]))
        >>> queue.index.tolist()
        [7, 8, -1, -1]
    """

    keys: Tensor
    index: Tensor
    _next: Tensor

    def __init__(self, dim: int, length: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        check_integer(dim, "dim", low=1)
        check_integer(length, "length", low=1)
        self.register_buffer("keys", F.normalize(torch.randn(length, dim, generator=generator), dim=1))
        self.register_buffer("index", torch.full((length,), -1))
        self.register_buffer("_next", torch.zeros((), dtype=torch.int64))

    def __len__(self) -> int:
        return len(self.keys)

    @torch.no_grad()
    def push(self, keys: Tensor, index: Tensor | None = None) -> None:
        """Put in the keys of a batch, those of all processes of a data-parallel run.

        Args:
            keys: (B, D); scaled to length 1 here.
            index: (B,) row numbers in the data set, or None.
        """
        check_array(keys, "B D", name="keys", finite=False, sizes={"D": self.keys.shape[1]})
        keys = gather_rows(F.normalize(keys.detach().float(), dim=1))
        came = torch.full((len(keys),), -1, device=keys.device) if index is None else gather_rows(index)
        if len(self) % len(keys):
            raise InputError(
                "keys", f"must be a number of rows that divides the queue's length, {len(self)}", len(keys)
            )
        # The place is a tensor, so that nothing waits for the device.
        places = self._next + torch.arange(len(keys), device=keys.device)
        self.keys.index_copy_(0, places, keys)
        self.index.index_copy_(0, places, came)
        self._next.add_(len(keys)).remainder_(len(self))


__all__ = ["KeyQueue", "MomentumEncoder"]
