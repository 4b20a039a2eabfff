"""Readout layers that say so: for models of one's own, and to swap into others'."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from holdfast.errors import InputError


class MuReadout(nn.Linear):
    """A linear layer from the width to a finite number of outputs; `output_mult` is a hyper-parameter that transfers.

    The 1/m of the parametrization is put on it by `parametrize`, as on any other readout.

    Args:
        in_features, out_features, bias: of nn.Linear.
        output_mult: multiplies the input.
        zero_init: start at zero: the recommended way, outputs would vanish with the width at the start otherwise.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        output_mult: float = 1.0,
        zero_init: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.zero_init = zero_init
        super().__init__(in_features, out_features, bias, device=device, dtype=dtype)
        self.output_mult = output_mult

    def reset_parameters(self) -> None:
        """Zeros, or the usual draw of nn.Linear."""
        super().reset_parameters()
        if self.zero_init:
            nn.init.zeros_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input * self.output_mult)


class MuSharedReadout(nn.Module):
    """The readout that uses a table of embeddings as its weight; `parametrize` puts 1/m on it and leaves the table.

    Args:
        embedding: the table (K, d).
        bias: whether to add a bias of K.
        output_mult: multiplies the input.
    """

    def __init__(self, embedding: nn.Embedding, bias: bool = False, output_mult: float = 1.0) -> None:
        super().__init__()
        self.weight = embedding.weight
        self.bias = (
            nn.Parameter(torch.zeros(embedding.num_embeddings, device=embedding.weight.device)) if bias else None
        )
        self.output_mult = output_mult

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input * self.output_mult, self.weight, self.bias)


def convert_readout(model: nn.Module, name: str, *, output_mult: float = 1.0, zero_init: bool = True) -> MuReadout:
    """Swap a linear layer of a model for a `MuReadout` of the same size, in place.

    Raises:
        InputError: there is no such layer, or it is not linear.
    """
    try:
        old = model.get_submodule(name)
    except AttributeError as e:
        raise InputError("name", "must be a layer of the model", name) from e
    if type(old) is not nn.Linear:
        raise InputError("name", "must be an nn.Linear", f"{name}, which is {type(old).__name__}")
    new = MuReadout(
        old.in_features,
        old.out_features,
        old.bias is not None,
        output_mult,
        zero_init,
        old.weight.device,
        old.weight.dtype,
    )
    if not zero_init and not old.weight.is_meta:
        new.load_state_dict(old.state_dict())
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, new)
    return new


__all__ = ["MuReadout", "MuSharedReadout", "convert_readout"]
