"""Masks of weights: which are kept, kept off while training goes on, and kept as files with a bit per weight."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.files import check_regular, replacing

PRUNABLE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class MaskDict(dict[str, Tensor]):
    """Which weights are kept: {parameter name: booleans of its shape}. Parameters it does not name are all kept.

    Example:
        >>> mask = MaskDict({"weight": torch.tensor([[True, False], [True, True]])})
        >>> mask.density, mask.kept, mask.per_layer()
        (0.75, 3, {'weight': 0.75})
    """

    @classmethod
    def ones(cls, model: nn.Module) -> MaskDict:
        """All weights of the linear and convolutional layers, which are those that may be pruned."""
        names = [f"{n}.weight" if n else "weight" for n, m in model.named_modules() if isinstance(m, PRUNABLE)]
        if not names:
            raise InputError("model", "must have linear or convolutional layers", type(model).__name__)
        return cls({n: torch.ones_like(p, dtype=torch.bool) for n, p in model.named_parameters() if n in set(names)})

    @property
    def kept(self) -> int:
        """Number of weights that are kept."""
        return sum(int(kept.sum()) for kept in self.values())

    @property
    def size(self) -> int:
        """Number of weights that the mask is about."""
        return sum(kept.numel() for kept in self.values())

    @property
    def density(self) -> float:
        """Share of them that is kept."""
        return self.kept / self.size

    def per_layer(self) -> dict[str, float]:
        """Share that is kept of each tensor."""
        return {name: float(kept.float().mean()) for name, kept in self.items()}

    def check(self, model: nn.Module) -> None:
        """Refuse a model with other parameters.

        Raises:
            InputError: a name or a shape that the model does not have.
        """
        shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
        for name, kept in self.items():
            if shapes.get(name) != tuple(kept.shape):
                shown = f"{name!r} of shape {tuple(kept.shape)} beside {shapes.get(name, 'nothing')}"
                raise InputError("mask", "must have names and shapes of the model's parameters", shown)

    @torch.no_grad()
    def apply_(self, model: nn.Module) -> None:
        """Set the weights that are not kept to 0.

        Raises:
            InputError: as in `check`.
        """
        for parameter, factor in self.pairs(model):
            parameter.mul_(factor)

    def pairs(self, model: nn.Module) -> list[tuple[nn.Parameter, Tensor]]:
        """The parameters and their masks as factors 0 and 1 of the parameters' type and device.

        Raises:
            InputError: as in `check`.
        """
        self.check(model)
        return [(model.get_parameter(name), kept.to(model.get_parameter(name))) for name, kept in self.items()]

    @contextmanager
    def attach(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[nn.Module]:
        """Keep the mask on through training with any loop: gradients are masked, weights after every step, too.

        Momentum and weight decay would otherwise bring pruned weights back to life.
        """
        pairs = self.pairs(model)

        @torch.no_grad()
        def mask_weights(*_: object) -> None:
            for parameter, factor in pairs:
                parameter.mul_(factor)

        mask_weights()
        hooks = [parameter.register_hook(lambda g, factor=factor: g * factor) for parameter, factor in pairs]
        after = optimizer.register_step_post_hook(mask_weights)
        try:
            yield model
        finally:
            for hook in [*hooks, after]:
                hook.remove()


def random_mask_like(mask: Mapping[str, Tensor], per_layer: bool, generator: torch.Generator) -> MaskDict:
    """A random mask that keeps as many weights: in every tensor (the fair control), or in all tensors together."""
    if per_layer:
        flat = [kept.reshape(-1)[torch.randperm(kept.numel(), generator=generator)] for kept in mask.values()]
    else:
        whole = torch.cat([kept.reshape(-1) for kept in mask.values()])
        whole = whole[torch.randperm(len(whole), generator=generator)]
        flat = list(whole.split([kept.numel() for kept in mask.values()]))
    return MaskDict({n: part.view(kept.shape) for (n, kept), part in zip(mask.items(), flat, strict=True)})


def save_mask(mask: Mapping[str, Tensor], path: str | Path) -> None:
    """Write a mask with a bit per weight; the shapes are in the header."""
    bits = {n: torch.from_numpy(np.packbits(kept.cpu().numpy().reshape(-1))) for n, kept in mask.items()}
    shapes = {n: list(kept.shape) for n, kept in mask.items()}
    with replacing(Path(path)) as temporary:
        # one entry: with several their order, and so the bytes, would change from run to run
        save_file(bits, temporary, metadata={"shapes": json.dumps(shapes)})


def load_mask(path: str | Path) -> MaskDict:
    """The mask of a file that `save_mask` wrote.

    Raises:
        InputError: no such file, or another content.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "mask.safetensors"
        >>> save_mask({"w": torch.tensor([[True, False, True]])}, file)
        >>> load_mask(file)["w"].tolist()
        [[True, False, True]]
    """
    tensors, about = read_tensors(path)
    try:
        shapes = {name: tuple(map(int, shape)) for name, shape in json.loads(about["shapes"]).items()}
        bits = {name: np.unpackbits(tensors[name].numpy(), count=int(np.prod(shapes[name]))) for name in shapes}
        return MaskDict({n: torch.from_numpy(b.astype(bool)).reshape(shapes[n]) for n, b in bits.items()})
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(
            str(path), "must be a mask that was written here", f"{type(error).__name__}: {error}"
        ) from None


def read_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors of a safetensors file, and its metadata.

    Raises:
        InputError: no such file, or no safetensors.
    """
    check_regular(Path(path))
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(str(path), "must be a safetensors file", str(error)) from None


__all__ = ["PRUNABLE", "MaskDict", "load_mask", "random_mask_like", "read_tensors", "save_mask"]
