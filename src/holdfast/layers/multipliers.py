"""Forward multipliers as hooks: plain floats on modules, which survive copies, pickles, wrappers and compilation.

Nothing is attached to tensors: attributes of parameters are lost by `copy.deepcopy`, FSDP's flattening and pickling,
and a model then silently trains as if it had never been parametrized.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from holdfast.errors import InputError


class ScaleInput:
    """Pre-hook: the layer computes W (factor * x) + b."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            return (args[0] * self.factor, *args[1:]), kwargs
        name = next(iter(kwargs))  # layers have one input; called by keyword it is the first
        return args, {**kwargs, name: kwargs[name] * self.factor}


class ScaleKeys:
    """Pre-hook of nn.MultiheadAttention: the keys' input times the factor, which scales the logits by it.

    The keys' bias is not scaled with it, and need not be: q.b is the same for every key, and softmax does not see it.
    """

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if len(args) > 1:
            return (args[0], args[1] * self.factor, *args[2:]), kwargs
        return args, {**kwargs, "key": kwargs["key"] * self.factor}


class ScaleOutput:
    """Hook: (a part of) the output's last axis times the factor. `part` is (start, stop) as shares of the axis."""

    def __init__(self, factor: float, part: tuple[float, float] = (0.0, 1.0)) -> None:
        self.factor, self.part = factor, part

    def __call__(self, module: nn.Module, args: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (self(module, args, output[0]), *output[1:])
        if self.part == (0.0, 1.0):
            return output * self.factor
        size = output.shape[-1]
        start, stop = (round(share * size) for share in self.part)
        parts: list[Tensor] = [output[..., :start], output[..., start:stop] * self.factor, output[..., stop:]]
        return torch.cat(parts, dim=-1)


HOOKS = (ScaleInput, ScaleKeys, ScaleOutput)


def scale_input(module: nn.Module, factor: float) -> None:
    """Multiply what the layer is given."""
    if factor != 1.0:
        module.register_forward_pre_hook(ScaleInput(factor), with_kwargs=True)


def scale_keys(module: nn.Module, factor: float, part: tuple[float, float]) -> None:
    """Multiply attention logits: of the fused module through its keys' input, else through the keys' projection."""
    if factor == 1.0:
        return
    if isinstance(module, nn.MultiheadAttention):
        if module.bias_k is not None or module.add_zero_attn:
            rule = "must not add keys of its own (add_bias_kv, add_zero_attn): their logits would not be scaled"
            raise InputError("attention", rule, type(module).__name__)
        module.register_forward_pre_hook(ScaleKeys(factor), with_kwargs=True)
    else:
        module.register_forward_hook(ScaleOutput(factor, part))


def scale_output(module: nn.Module, factor: float) -> None:
    """Multiply what the module gives: the first of a tuple."""
    if factor != 1.0:
        module.register_forward_hook(ScaleOutput(factor))


def has_multiplier(module: nn.Module) -> bool:
    """Whether one of these hooks is on the module itself."""
    hooks = (*module._forward_pre_hooks.values(), *module._forward_hooks.values())
    return any(isinstance(hook, HOOKS) for hook in hooks)


__all__ = [
    "ScaleInput",
    "ScaleKeys",
    "ScaleOutput",
    "has_multiplier",
    "scale_input",
    "scale_keys",
    "scale_output",
]
