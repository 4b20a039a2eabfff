"""Loading weights whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from holdfast.errors import InputError


def load_weights(model: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Load a checkpoint into a model, if it is of the same width.

    Raises:
        InputError: a tensor is missing, too many or of another size; nothing is loaded then.
    """
    here = model.state_dict()
    for name, tensor in here.items():
        if name not in state:
            raise InputError("state", "must hold every tensor of the model", f"none named {name!r}")
        if tensor.shape != state[name].shape:
            rule = f"{name} must be of the model's width, {tuple(tensor.shape)}; weights do not transfer across width"
            raise InputError("state", rule, tuple(state[name].shape))
    if extra := sorted(set(state) - set(here)):
        raise InputError("state", "must hold tensors of the model only", extra[0])
    model.load_state_dict(dict(state))


__all__ = ["load_weights"]
