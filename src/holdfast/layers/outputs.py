"""What layers of a network put out, by name: forward hooks, and which modules are activation functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import torch
from torch import Tensor, nn

from holdfast.errors import InputError

ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Mish, nn.ELU, nn.CELU, nn.SELU, nn.LeakyReLU, nn.PReLU,
               nn.Hardswish, nn.Softplus, nn.Sigmoid, nn.Tanh)  # fmt: skip


def activation_layers(model: nn.Module) -> list[str]:
    """Names of the modules that are activation functions, in their order."""
    return [name for name, module in model.named_modules() if isinstance(module, ACTIVATIONS)]


class Hooks:
    """While it is open, keeps what layers put out: `with Hooks(model, ["4"]) as hooks: model(x)`.

    A layer that is called several times in a forward pass is known by name, name#2, ...

    Args:
        model: whose forward passes are listened to.
        layers: names of modules.

    Raises:
        InputError: there is no such layer, or its output is no tensor.

    Example:
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> with Hooks(net, ["1"]) as hooks:
        ...     _ = net(torch.ones(4, 2)), net(torch.ones(1, 2))
        >>> {name: tuple(phi.shape) for name, phi in hooks.features().items()}
        {'1': (5, 3)}
    """

    def __init__(self, model: nn.Module, layers: Sequence[str]) -> None:
        found = dict(model.named_modules())
        for name in layers:
            if name not in found or name == "":
                raise InputError("layer", f"must be one of {[n for n in found if n]}", name)
        self._model, self._watched = model, {name: found[name] for name in layers}
        self._kept: dict[str, list[Tensor]] = {}
        self._calls: dict[str, int] = {}
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        self._handles = [self._model.register_forward_pre_hook(lambda *_: self._calls.clear())]
        self._handles += [module.register_forward_hook(self._keep(name)) for name, module in self._watched.items()]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _keep(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if not isinstance(output, Tensor):
                raise InputError("layer", f"{name} must put out a tensor", type(output).__name__)
            self._calls[name] = number = self._calls.get(name, 0) + 1
            self._kept.setdefault(name if number == 1 else f"{name}#{number}", []).append(output.detach().flatten(1))

        return hook

    def features(self) -> dict[str, Tensor]:
        """Name -> (N, units) of all rows that went through.

        Raises:
            InputError: a layer was never called.
        """
        for name in self._watched:
            if name not in self._kept:
                raise InputError("layer", "must be called in the forward pass", name)
        return {name: torch.cat(parts) for name, parts in self._kept.items()}


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The model in evaluation mode; afterwards every module is in its mode of before."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


__all__ = ["Hooks", "activation_layers", "evaluating"]
