"""Data for a model of the user's own: what a function of theirs gives, or random data that fits the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from holdfast.errors import InputError


def inputs_and_targets(given: Any, name: str) -> tuple[Tensor, Tensor]:
    """(inputs, targets) as tensors of one length.

    Raises:
        InputError: it is something else.
    """
    try:
        x, y = (torch.as_tensor(part) for part in given)
    except (TypeError, ValueError, RuntimeError) as e:
        raise InputError(name, "must return (inputs, targets)", type(given).__name__) from e
    if len(x) != len(y) or not len(x):
        raise InputError(name, "must return as many targets as inputs, at least one", f"{len(x)} and {len(y)}")
    return x, y


def rows_to_train_on(given: Any, name: str) -> tuple[Tensor, Tensor] | dict[str, Tensor]:
    """(inputs, targets), or a dict of a model's keyword arguments, all with as many rows.

    Raises:
        InputError: it is something else.

    Example:
        >>> sorted(rows_to_train_on({"input_ids": torch.zeros(4, 3), "labels": torch.zeros(4)}, "batch"))
        ['input_ids', 'labels']
    """
    if not isinstance(given, Mapping):
        return inputs_and_targets(given, name)
    for key, value in given.items():
        if not isinstance(value, Tensor) or value.dim() < 1:
            raise InputError(name, "as a dict must hold tensors with a row per example", f"{key!r}, which is none")
    sizes = {key: len(value) for key, value in given.items()}
    if len(set(sizes.values())) != 1 or not next(iter(sizes.values())):
        raise InputError(name, "as a dict must hold tensors with as many rows, at least one", sizes)
    return dict(given)


def random_batch(model: nn.Module, size: int, length: int = 32, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Inputs that fit a model's first layer and random targets that fit its output: enough for a coordinate check.

    Raises:
        InputError: the first layer is no Linear, Embedding or 2-d convolution; give data of your own.
    """
    rng = torch.Generator().manual_seed(seed)
    for layer in model.modules():
        if isinstance(layer, nn.Embedding):
            x = torch.randint(layer.num_embeddings, (size, length), generator=rng)
        elif isinstance(layer, nn.Linear):
            x = torch.randn(size, layer.in_features, generator=rng)
        elif isinstance(layer, nn.Conv2d):
            x = torch.randn(size, layer.in_channels, 16, 16, generator=rng)
        else:
            continue
        try:
            with torch.no_grad():
                out = model.eval()(x[:2])
        except (IndexError, RuntimeError, TypeError, ValueError) as error:
            rule = "is needed: random data does not fit this model; name module:function"
            raise InputError("batch", rule, f"{type(error).__name__}: {error}") from error
        out = out[0] if isinstance(out, tuple) else getattr(out, "logits", out)
        if not isinstance(out, Tensor) or out.dim() < 2:
            break
        return x, torch.randint(out.shape[-1], (size, *out.shape[1:-1]), generator=rng)
    raise InputError("batch", "is needed: no random data can be made for this model; name module:function")


__all__ = ["inputs_and_targets", "random_batch", "rows_to_train_on"]
