"""What every module of a model gives while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


class OutputRecorder:
    """While it is entered, keeps what the modules of a model give: the first tensor, of each module's last call.

    What is kept is detached and float32. It is what the module itself computes: hooks that change an output afterwards
    are not seen.

    Args:
        before: name of a module -> tensors of its own at another time, by their names. What they have become since is
            told apart from what the module is given: see `moved`.

    Attributes:
        leaves: names of the modules without modules of their own.
        moved: name of each module of `before` -> mean |y - y0|, y what it gives, y0 what it would give of the same
            inputs with its own tensors as they were.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> with OutputRecorder(net) as recorder:
        ...     _ = net(torch.ones(1, 2))
        >>> {name: tuple(output.shape) for name, output in recorder.outputs().items()}
        {'0': (1, 3), '1': (1, 3), '': (1, 3)}
    """

    def __init__(self, model: nn.Module, before: Mapping[str, Mapping[str, Tensor]] | None = None) -> None:
        self._model, self._before, self._paused = model, before or {}, False
        self.moved: dict[str, float] = {}
        self._handles: list[RemovableHandle] = []
        self._found: dict[str, Tensor] = {}
        self.leaves = {name for name, module in model.named_modules() if not any(True for _ in module.children())}

    def __enter__(self) -> Self:
        for name, module in self._model.named_modules():
            self._handles.append(module.register_forward_hook(self._hook(name), prepend=True, with_kwargs=True))
        return self

    def __exit__(self, *error: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _hook(self, name: str) -> Callable[[nn.Module, Any, Any, Any], None]:
        def keep(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            tensor = None if self._paused else _first_tensor(output)
            if tensor is not None:
                self._found.pop(name, None)  # a module called twice counts where it was called last
                self._found[name] = tensor.detach().float()
                if name in self._before:
                    earlier = self._earlier(module, self._before[name], args, kwargs)
                    self.moved[name] = float((self._found[name] - earlier).abs().mean())

        return keep

    def _earlier(self, module: nn.Module, tensors: Mapping[str, Tensor], args: Any, kwargs: Any) -> Tensor:
        """What the module gives with tensors of its own as they were; its hooks have had their say on the inputs."""
        now = {key: module._parameters[key] for key in tensors}
        values = {key: parameter.data for key, parameter in now.items() if parameter is not None}
        self._paused = True
        try:
            for key in values:
                now[key].data = tensors[key]  # type: ignore[union-attr]
            with torch.no_grad():
                found = _first_tensor(module.forward(*args, **kwargs))
        finally:
            self._paused = False
            for key, value in values.items():
                now[key].data = value  # type: ignore[union-attr]
        assert found is not None
        return found.float()

    def outputs(self) -> dict[str, Tensor]:
        """Name of the module -> output, in the order of execution; "" is the model itself."""
        return dict(self._found)


def _first_tensor(output: Any) -> Tensor | None:
    if isinstance(output, Tensor):
        return output if output.is_floating_point() else None
    if isinstance(output, Mapping):
        output = [value for name, value in output.items() if name != "loss"]
    if isinstance(output, Sequence):
        return next((found for item in output if (found := _first_tensor(item)) is not None), None)
    return None


__all__ = ["OutputRecorder"]
