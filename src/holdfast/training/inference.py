"""Evaluating a module on more rows than fit at once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.validation import check_integer


def forward_in_batches(
    module: nn.Module, x: Tensor, size: int = 512, on_step: Callable[[int, int], None] | None = None
) -> Tensor:
    """`module(x)` in evaluation mode and without gradients, `size` rows at a time.

    Every submodule's training flag is restored afterwards. Rows are moved to the module's device batch by batch, so x
    may stay in host memory.

    Args:
        module: maps (n, ...) to a tensor (n, ...).
        x: shape (N, ...), N >= 1.
        size: rows per call.
        on_step: called with (rows done, N) after each call.

    Returns:
        Tensor (N, ...) on the device of x.

    Raises:
        InputError: x has no rows, or size is not a positive whole number.

    Example:
        >>> forward_in_batches(nn.Flatten(), torch.zeros(5, 2, 3), size=2).shape
        torch.Size([5, 6])
    """
    check_integer(size, "size", low=1)
    if x.ndim == 0 or len(x) == 0:
        raise InputError("x", "must have at least one row", f"shape {tuple(x.shape)}")
    tensors = [*module.parameters(), *module.buffers()]
    device = tensors[0].device if tensors else x.device
    training = {m: m.training for m in module.modules()}
    module.eval()
    outputs = []
    try:
        with torch.no_grad():
            for start in range(0, len(x), size):
                outputs.append(module(x[start : start + size].to(device)))
                if on_step is not None:
                    on_step(min(start + size, len(x)), len(x))
    finally:
        for m, flag in training.items():
            m.training = flag
    return torch.cat(outputs).to(x.device)


__all__ = ["forward_in_batches"]
