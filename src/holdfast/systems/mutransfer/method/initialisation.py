"""Bringing the initialisation of a model to what a parametrization asks for.

What has to be multiplied depends on how the model draws its weights: PyTorch's layers fall as fan_in^-1/2 on their
own, models with one std for all weights (0.02 in GPT-2) do not. The law of each tensor is therefore read off the base
model and the model itself; where a tensor has too few elements to tell, its layer's usual law is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.systems.mutransfer.method.dimensions import ParameterInfo, plain
from holdfast.systems.mutransfer.method.rules import MuP, Parametrization

SAMPLE = 1 << 16  # elements of a tensor that its std is measured on: 0.3 %
LAWS = (0.0, 0.5, 1.0)


def spread(tensor: Tensor) -> float:
    """Standard deviation of (an evenly spaced sample of) a tensor; 0 for a constant or a tensor without values."""
    if tensor.is_meta or tensor.numel() < 2:
        return 0.0
    flat = tensor.detach().flatten()
    return float(flat[:: max(1, flat.numel() // SAMPLE)].float().std())


def spreads(model: nn.Module) -> dict[str, float]:
    """Name -> standard deviation of every parameter of a (base) model."""
    return {plain(name): spread(parameter) for name, parameter in model.named_parameters()}


def law_of(info: ParameterInfo, here: float, base: float) -> float:
    """Exponent e of a tensor's own initialisation, std ~ m^-e, from its std here and in the base model.

    The nearest of 0, 1/2 and 1 where there are enough numbers to tell them apart, else the usual one of its layer.
    Which it is depends on sizes alone, and the nearest is wrong only if the two draws are off by more than five
    standard errors, once in 10^6 tensors: no law depends on the seed.
    """
    m = info.m_init
    if m == 1 or here == 0 or base == 0:
        return info.law
    counts = [min(math.prod(shape), SAMPLE) for shape in (info.shape, info.base)]
    noise = math.sqrt(sum(1 / (2 * max(1, n - 1)) for n in counts)) / abs(math.log(m))
    if 5 * noise > 0.25:
        return info.law
    measured = math.log(base / here) / math.log(m)
    return min(LAWS, key=lambda law: abs(law - measured))


def init_factor(info: ParameterInfo, rule: Parametrization, tensor: Tensor, base: float) -> float:
    """What a freshly initialised tensor has to be multiplied with."""
    wanted = rule.scaling(info)
    if isinstance(rule, MuP) and rule.compat == "mup":
        return _of_reference(info)
    if wanted.std is not None:
        here = spread(tensor)
        return wanted.std / here if here else 1.0
    if wanted.init is None:
        return 1.0
    here = spread(tensor)
    if here == 0 and not tensor.is_meta:
        return 1.0  # a constant: there is nothing to scale
    return wanted.init * info.m_init ** law_of(info, here, base)


def _of_reference(info: ParameterInfo) -> float:
    """The reference scales linear readouts and tied tables, and the biases of linear layers and convolutions: by the
    root of how much the weight's axis 1 grew, in transposed convolutions, too."""
    tied = info.role == "input" and {owner.table for owner in info.owners} == {True, False}
    if tied or (info.is_readout and len(info.shape) == 2):
        return math.sqrt(info.width_mult)
    return math.sqrt(info.m_weight) if info.owners[0].weight.endswith("weight") else 1.0


# ------------------------------------------------------------------------------------------------------- initialisers
def initialise(
    infos: Mapping[str, ParameterInfo], model: nn.Module, name: str, initialiser: Callable[..., Any], **arguments: Any
) -> None:
    """Draw a tensor anew with one of `torch.nn.init`, so that its std follows muP from that of the base width.

    Args:
        infos: of a `MuReport`.
        name: of the parameter.
        initialiser: `torch.nn.init.normal_`, `kaiming_uniform_`, `xavier_normal_`, ...
        arguments: of the initialiser.

    Raises:
        InputError: there is no such parameter or ratio, or the mean is not 0 where the tensor is scaled.
    """
    if name not in infos:
        raise InputError("name", "must be a parameter of the model", name)
    parameter = {plain(n): p for n, p in model.named_parameters()}[name]
    ratio = init_ratio(infos[name], initialiser, **arguments)
    shifted = arguments.get("mean", 0.0) != 0 or arguments.get("a", 0.0) != -arguments.get(
        "b", -arguments.get("a", 0.0)
    )
    if "kaiming" not in initialiser.__name__ and infos[name].ninf == 2 and shifted:
        raise InputError("initialiser", "must have mean 0 for a tensor with two infinite dimensions", arguments)
    initialiser(parameter, **arguments)
    with torch.no_grad():
        parameter.mul_(ratio)


def init_ratio(info: ParameterInfo, initialiser: Callable[..., Any], **arguments: Any) -> float:
    """What a draw of a `torch.nn.init` function has to be multiplied with for its std to follow muP (appendix B.3)."""
    name = initialiser.__name__
    m_in, m_out, ninf = info.m_in, info.m_out, info.ninf
    if name in ("normal_", "uniform_", "trunc_normal_"):
        return m_in**-0.5 if ninf == 2 else 1.0
    if name.startswith("kaiming"):
        if arguments.get("mode", "fan_in") == "fan_in":
            return math.sqrt(m_in) if ninf == 1 else 1.0
        return math.sqrt(m_out / m_in) if ninf == 2 else math.sqrt(m_out)
    if name.startswith("xavier"):
        now = info.fan_out + info.fan_in
        base = info.fan_out / m_out + info.fan_in / m_in
        return math.sqrt(now / base) * (m_in**-0.5 if ninf == 2 else 1.0)
    if name in ("zeros_", "ones_", "constant_"):
        return 1.0
    raise InputError("initialiser", "must be a normal, uniform, kaiming, xavier or constant one of torch.nn.init", name)


__all__ = ["init_factor", "init_ratio", "initialise", "law_of", "spread", "spreads"]
