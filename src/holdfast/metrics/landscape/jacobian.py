"""In how many directions the predictions of a network can move: the rank of its Jacobian by the parameters."""

from __future__ import annotations

import warnings
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, jvp, vmap

from holdfast.errors import InputError
from holdfast.layers.outputs import evaluating
from holdfast.validation import check_array, check_choice, check_fraction


class JacobianRank(NamedTuple):
    """Rank, and the singular values it was counted from, descending."""

    rank: int
    singular_values: Tensor


def jacobian_rank(
    model: nn.Module,
    x: Tensor,
    rtol: float = 1e-4,
    method: Literal["exact", "sketch"] = "exact",
    generator: torch.Generator | None = None,
) -> JacobianRank:
    """The rank of d outputs / d parameters, a row for each output of each of the rows x.

    Args:
        model: (N, ...) -> (N,) or (N, K); measured in evaluation mode.
        x: (N, ...).
        rtol: singular values count that are above rtol times the largest.
        method: "exact" needs N K times the parameters in memory; "sketch" multiplies by 2 N K random directions in
            parameter space, which keeps the rank (and the singular values about).
        generator: of the directions; None = seed 0.

    Raises:
        InputError: an argument breaks a rule.

    Example:
        >>> net = nn.Linear(3, 1, bias=False)
        >>> jacobian_rank(net, torch.tensor([[1.0, 0, 0], [2.0, 0, 0], [0, 1.0, 0]])).rank
        2
    """
    check_choice(method, ("exact", "sketch"), "method")
    check_fraction(rtol, "rtol", one=False)
    x = torch.as_tensor(check_array(x, "...", name="x"))
    weights = {name: p.detach() for name, p in model.named_parameters()}
    if not weights:
        raise InputError("model", "must have parameters", type(model).__name__)
    if any(module.training and isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules()):
        warnings.warn("the model is in train mode and has batch normalisation: measured in eval mode", stacklevel=2)
    with evaluating(model):
        with torch.no_grad():
            rows = model(x).numel()
        size = sum(p.numel() for p in weights.values())
        if method == "exact" or size <= 2 * rows:
            J = _exact(model, weights, x, rows)
        else:
            J = _sketched(model, weights, x, rows, generator)
    s = torch.linalg.svdvals(J.double())
    return JacobianRank(int((s > rtol * s[0]).sum()), s)


def _exact(model: nn.Module, weights: dict[str, Tensor], x: Tensor, rows: int) -> Tensor:
    def output(parameters: dict[str, Tensor], row: Tensor) -> Tensor:
        return functional_call(model, parameters, (row[None],))[0].flatten()

    found = vmap(jacrev(output), in_dims=(None, 0), chunk_size=32)(weights, x)
    return torch.cat([part.reshape(rows, -1) for part in found.values()], dim=1)


def _sketched(
    model: nn.Module, weights: dict[str, Tensor], x: Tensor, rows: int, generator: torch.Generator | None
) -> Tensor:
    rng = torch.Generator().manual_seed(0) if generator is None else generator

    def along(direction: dict[str, Tensor]) -> Tensor:
        return jvp(lambda parameters: functional_call(model, parameters, (x,)), (weights,), (direction,))[1].flatten()

    columns = []
    for _ in range(2 * rows):
        drawn = {n: torch.randn(p.shape, generator=rng, dtype=p.dtype).to(p.device) for n, p in weights.items()}
        columns.append(along(drawn))
    return torch.stack(columns, dim=1)


__all__ = ["JacobianRank", "jacobian_rank"]
