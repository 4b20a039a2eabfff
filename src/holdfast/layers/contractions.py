"""Which axis of a parameter is summed over with the inputs: its fan-in, as the model uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# Products of two matrices -> where they stand among the arguments.
PRODUCTS = {"mm": (0, 1), "bmm": (0, 1), "_grouped_mm": (0, 1), "addmm": (1, 2), "baddbmm": (1, 2)}


class Contractions(TorchDispatchMode):
    """While it is entered, watches which axis of each parameter its products with other tensors sum over.

    A parameter is recognised by its memory, so that slices and transposed views count and copies do not.

    Attributes:
        axes: name -> the axis, of the last product; parameters in no product are absent.

    Example:
        >>> import torch
        >>> weight = torch.nn.Parameter(torch.ones(4, 2, 3))
        >>> with Contractions({"in out": weight}) as seen:
        ...     _ = torch.ones(5, 2) @ weight[1]
        >>> seen.axes
        {'in out': 1}
        >>> with Contractions({"out in": weight}) as seen:
        ...     _ = torch.nn.functional.linear(torch.ones(5, 3), weight[1])
        >>> seen.axes
        {'out in': 2}
    """

    def __init__(self, parameters: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.axes: dict[str, int] = {}
        self._names = {p.untyped_storage().data_ptr(): (name, p.stride()) for name, p in parameters.items()}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        places = PRODUCTS.get(func.__name__.partition(".")[0])
        for place, dimension in zip(places or (), (-1, -2), strict=False):
            factor = args[place]
            if isinstance(factor, Tensor):
                self._see(factor, dimension)
        return func(*args, **(kwargs or {}))

    def _see(self, factor: Tensor, dimension: int) -> None:
        name, strides = self._names.get(factor.untyped_storage().data_ptr(), ("", ()))
        if strides.count(factor.stride(dimension)) == 1:
            self.axes[name] = strides.index(factor.stride(dimension))


__all__ = ["Contractions"]
