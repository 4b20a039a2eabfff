"""Batches of the user's: moving them to a device, and the loss of a model on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from holdfast.errors import InputError

Batch = Any
LossOf = Callable[[nn.Module, Batch], Tensor]


def default_loss(model: nn.Module, batch: Batch) -> Tensor:
    """The loss of a batch: `model(**batch).loss` for a dict, else cross-entropy of `model(x)` (targets are integers) or
    mean squared error (they are not). Outputs may be (N, K) with targets (N,), or (N, T, K) with (N, T)."""
    if isinstance(batch, Mapping):
        out = model(**batch)
        loss = out.get("loss") if isinstance(out, Mapping) else getattr(out, "loss", None)
        if loss is None:
            raise InputError("batch", "as a dict must make the model return a loss (give it labels)", sorted(batch))
        return loss
    x, y = batch
    out = model(x)
    out = out[0] if isinstance(out, tuple) else getattr(out, "logits", out)
    if y.is_floating_point():
        return functional.mse_loss(out, y)
    return functional.cross_entropy(out.flatten(0, -2), y.flatten())


def fitting(loss: LossOf, model: nn.Module, batch: Batch) -> Tensor:
    """The loss; where it fails, the batch is taken to be what does not fit.

    Raises:
        InputError: says what torch says.
    """
    try:
        return loss(model, batch)
    except InputError:
        raise
    except (IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError("batch", "must fit the model and the loss", f"{type(error).__name__}: {error}") from error


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch on a device: (x, y), or the tensors of a dict.

    Raises:
        InputError: it is neither.
    """
    if isinstance(batch, Mapping):
        return {name: value.to(device) if isinstance(value, Tensor) else value for name, value in batch.items()}
    try:
        x, y = batch
        return x.to(device), y.to(device)
    except (TypeError, ValueError, AttributeError) as e:
        raise InputError("batch", "must be (x, y) tensors or a dict of arguments", type(batch).__name__) from e


def rows_of(batch: Batch, rows: Any) -> Batch:
    """Rows (indices or a slice) of every tensor of a batch."""
    if isinstance(batch, Mapping):
        return {name: value[rows] for name, value in batch.items()}
    return tuple(part[rows] for part in batch)


def first_of(batch: Batch) -> Tensor:
    """One tensor of a batch: its inputs, or the first of a dict. Its length is that of all."""
    return next(iter(batch.values())) if isinstance(batch, Mapping) else batch[0]


def mean_loss(model: nn.Module, batch: Batch, piece: int = 512) -> float:
    """Mean loss over the rows of a batch in the model's mode, `piece` of them at a time, without gradients."""
    count = len(first_of(batch))
    with torch.no_grad():
        pieces = [rows_of(batch, slice(start, start + piece)) for start in range(0, count, piece)]
        losses = [default_loss(model, part) * len(first_of(part)) for part in pieces]
    return float(torch.stack(losses).sum()) / count


__all__ = ["Batch", "LossOf", "default_loss", "first_of", "fitting", "mean_loss", "rows_of", "to_device"]
