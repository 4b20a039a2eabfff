"""Several optimisers that step as one, each with tensors of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.optim import Optimizer

from holdfast.errors import InputError


class JoinedOptimizer(Optimizer):
    """One optimiser made of several, for methods that train matrices by one rule and the other tensors by another.

    Its groups are theirs, so that schedules and gradient scalers work on all of them.

    Args:
        parts: at least one, with tensors of their own each.

    Raises:
        InputError: there is none.

    Example:
        >>> matrix, bias = (torch.nn.Parameter(torch.ones(*size)) for size in ((2, 2), (2,)))
        >>> both = JoinedOptimizer([torch.optim.SGD([matrix], lr=0.1), torch.optim.Adam([bias], lr=0.01)])
        >>> [group["lr"] for group in both.param_groups]
        [0.1, 0.01]
    """

    def __init__(self, parts: Sequence[Optimizer]) -> None:
        if not parts:
            raise InputError("parts", "must be at least one optimiser")
        self.parts = tuple(parts)
        super().__init__([group for part in parts for group in part.param_groups], {})
        self._share()

    def _share(self) -> None:
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step of each, after the closure has been asked for the loss once."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The parts' own, in their order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What `state_dict` gave.

        Raises:
            InputError: it is of another number of optimisers.
        """
        given = state_dict.get("parts", ())
        if len(given) != len(self.parts):
            raise InputError("state_dict", f"must be of {len(self.parts)} joined optimisers", f"{len(given)}")
        for part, state in zip(self.parts, given, strict=True):
            part.load_state_dict(state)
        self._share()


__all__ = ["JoinedOptimizer"]
