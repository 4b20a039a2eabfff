"""Small trained parts beside frozen layers: bottleneck adapters, low-rank updates, and how they get into any model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.validation import check_integer, check_positive


class BottleneckAdapter(nn.Module):
    """h + U relu(D h), with U zero at first, so that it begins as the identity.

    Houlsby et al., *Parameter-efficient transfer learning for NLP*, ICML 2019, without layer norm.

    Args:
        d: width of h.
        r: width of the bottleneck; 2 d r + r + d weights.
        init_zero: False draws U as small as D (for tests of gradients).

    Shape:
        h (..., d) -> (..., d), any dtype.

    Raises:
        InputError: a width below 1.

    Example:
        >>> h = torch.ones(2, 8)
        >>> bool((BottleneckAdapter(8, 2)(h) == h).all())
        True
    """

    def __init__(self, d: int, r: int, init_zero: bool = True) -> None:
        super().__init__()
        self.down = nn.Linear(check_integer(d, "d", low=1), check_integer(r, "r", low=1))
        self.up = nn.Linear(r, d)
        if init_zero:
            nn.init.zeros_(self.up.weight)
            nn.init.zeros_(self.up.bias)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.up(torch.relu(self.down(h)))


class LoRA(nn.Module):
    """What is added to a frozen linear layer's output: (alpha / r) B A x, with B zero at first.

    Hu et al., *LoRA*, ICLR 2022. The layer itself is not held, so that its weights are in no state of this module.

    Args:
        linear: the layer, for its widths.
        r: rank.
        alpha: strength.

    Shape:
        x (..., in) -> (..., out), any dtype.

    Raises:
        InputError: not a linear layer; r below 1; alpha not positive.

    Example:
        >>> linear = nn.Linear(4, 3)
        >>> lora = LoRA(linear, r=2)
        >>> bool((linear(torch.ones(1, 4)) + lora(torch.ones(1, 4)) == linear(torch.ones(1, 4))).all())
        True
    """

    def __init__(self, linear: nn.Module | None, r: int = 8, alpha: float = 16.0) -> None:
        super().__init__()
        if not isinstance(linear, nn.Linear):
            raise InputError("linear", "must be a torch.nn.Linear", type(linear).__name__)
        self.scale = check_positive(alpha, "alpha") / check_integer(r, "r", low=1)
        self.A = nn.Parameter(torch.empty(r, linear.in_features))
        self.B = nn.Parameter(torch.zeros(linear.out_features, r))
        nn.init.kaiming_uniform_(self.A, a=5**0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * (x @ self.A.T @ self.B.T)

    def merged_weight(self, linear: nn.Linear) -> Tensor:
        """W + (alpha / r) B A, (out, in): the weight of one layer that does the same."""
        return linear.weight + self.scale * (self.B @ self.A)


class Build(Protocol):
    """Makes an adapter for a layer with outputs of some width."""

    def __call__(self, layer: nn.Module | None, width: int) -> nn.Module: ...


@dataclass(frozen=True)
class Bottleneck:
    """Makes a bottleneck adapter that comes after the layer.

    Attributes:
        r: width of the bottleneck, at least 1.

    Example:
        >>> Bottleneck(2)(None, 6).down
        Linear(in_features=6, out_features=2, bias=True)
    """

    r: int = 16

    def __post_init__(self) -> None:
        check_integer(self.r, "r", low=1)

    def __call__(self, layer: nn.Module | None, width: int) -> nn.Module:
        return BottleneckAdapter(width, self.r)


@dataclass(frozen=True)
class LowRank:
    """Makes a low-rank update of a linear layer.

    Attributes:
        r: rank, at least 1.
        alpha: strength, positive.

    Example:
        >>> LowRank(2)(nn.Linear(4, 6), 6).A.shape
        torch.Size([2, 4])
    """

    r: int = 8
    alpha: float = 16.0

    def __post_init__(self) -> None:
        check_integer(self.r, "r", low=1)
        check_positive(self.alpha, "alpha")

    def __call__(self, layer: nn.Module | None, width: int) -> nn.Module:
        return LoRA(layer, self.r, self.alpha)


class Attached(nn.ModuleDict):
    """Adapters in a model, by name of the layer. Its state is theirs alone, and the model's weights are frozen.

    Attributes:
        names: of the layers, in the model's order.
    """

    def __init__(self, adapters: dict[str, nn.Module], layers: dict[str, nn.Module]) -> None:
        super().__init__({name.replace(".", "/"): adapter for name, adapter in adapters.items()})
        self.names = tuple(adapters)
        self._on = True
        self._hooks = [layer.register_forward_hook(self._hook(adapters[name])) for name, layer in layers.items()]

    def _hook(self, adapter: nn.Module) -> Callable[..., Any]:
        def after(layer: nn.Module, given: tuple[Any, ...], output: Any) -> Any:
            if not self._on:
                return None
            hidden = output[0] if isinstance(output, tuple) else output
            hidden = hidden + adapter(given[0]) if isinstance(adapter, LoRA) else adapter(hidden)
            return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

        return after

    @contextmanager
    def off(self) -> Iterator[None]:
        """The model as it is without them."""
        before, self._on = self._on, False
        try:
            yield
        finally:
            self._on = before

    def detach(self) -> None:
        """Take them out of the model for good."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []


def attach(model: nn.Module, where: str, build: Build) -> Attached:
    """Put an adapter behind every layer whose name matches, and freeze the model.

    Args:
        model: any module; its weights get `requires_grad = False`, and are never changed.
        where: regular expression, found anywhere in a layer's dotted name, as "DenseReluDense$" for T5's feed-forward.
        build: makes the adapter from (layer, width of its output); see `Bottleneck` and `LowRank`.

    Raises:
        InputError: `where` is no expression or matches nothing; the output's width of a layer cannot be told from its
            last matrix.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> attach(model, r"^2$", Bottleneck(3)).names
        ('2',)
    """
    try:
        wanted = re.compile(where)
    except re.error as error:
        raise InputError("where", "must be a regular expression", f"{where}: {error}") from None
    layers = {name: layer for name, layer in model.named_modules() if name and wanted.search(name)}
    if not layers:
        some = ", ".join([name for name, _ in model.named_modules() if name][-3:])
        raise InputError("where", f"must match the name of a layer, as in {some}", where)
    model.requires_grad_(False)
    like = next(iter(model.parameters()), torch.zeros(()))
    adapters = {name: build(layer, _width(layer, name)).to(like.device) for name, layer in layers.items()}
    return Attached(adapters, layers)


def _width(layer: nn.Module, name: str) -> int:
    """Rows of the last matrix in the layer."""
    matrices = [p for p in layer.parameters() if p.ndim == 2]
    if not matrices:
        raise InputError("where", "must match layers with a weight matrix", name)
    return int(matrices[-1].shape[0])


__all__ = ["Attached", "Bottleneck", "BottleneckAdapter", "Build", "LoRA", "LowRank", "attach"]
