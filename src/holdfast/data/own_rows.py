"""A user's labelled rows and the network of theirs that classifies them: what verbs about own networks are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from holdfast.data.readers.features import read_arrays
from holdfast.data.splits import stratified
from holdfast.errors import InputError
from holdfast.files import check_regular
from holdfast.own_model import called, own_function
from holdfast.randomness import seeded
from holdfast.validation import check_fraction


@dataclass(frozen=True, eq=False)
class Rows:
    """Labelled rows, a part of them held out to measure on: x float32, y int64."""

    x: Tensor
    y: Tensor
    held_x: Tensor
    held_y: Tensor
    classes: int


def read_rows(path: Path, held_out: float = 0.2) -> Rows:
    """Inputs (N, ...) and labels (N,) of a file, divided by label into rows to train on and rows to measure on.

    Args:
        path: an npz file with x and y, or a table of numbers with a column `label` or `y`.
        held_out: share to measure on.

    Raises:
        InputError: no labels, fewer than two classes, labels that are not 0 .. K-1, too few rows of a class.
    """
    x, y = read_arrays(path)
    if y is None:
        raise InputError(str(path), "must hold labels too, as y (in a table: a column label or y)", "inputs alone")
    counts = np.bincount(y) if len(y) and y.min() >= 0 else np.zeros(0, int)
    if len(counts) < 2 or counts.min() == 0:
        raise InputError(f"{path}, labels", "must hold classes 0 .. K-1, K >= 2, each at least once", np.unique(y))
    if counts.min() < 2:
        raise InputError(f"{path}, labels", "must have at least 2 rows of every class", f"1 of {counts.argmin()}")
    inputs, labels = torch.from_numpy(np.ascontiguousarray(x, np.float32)), torch.from_numpy(y)
    held = stratified(labels, check_fraction(held_out, "held_out", zero=False, one=False), np.random.default_rng(0))
    if not held.any() or held.all():
        raise InputError(str(path), "must have rows to train on and rows to hold out", f"{len(y)} rows")
    return Rows(inputs[~held], labels[~held], inputs[held], labels[held], len(counts))


def builder(reference: str, rows: Rows) -> Callable[[int], nn.Module]:
    """seed -> the user's network, checked once on two of the rows.

    Raises:
        InputError: the function or the network fails, or gives other than a row of logits for each row.
    """
    function = own_function(reference, argument="--model")

    def build(seed: int) -> nn.Module:
        with seeded(seed):
            net = called(function, argument="--model")
        if not isinstance(net, nn.Module):
            raise InputError("--model", "must give a torch.nn.Module", type(net).__name__)
        return net

    out = called(build(0).eval(), rows.x[:2], argument="--model")
    if not isinstance(out, Tensor) or out.ndim != 2 or len(out) != 2 or out.shape[1] < rows.classes:
        shown = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise InputError("--model", f"must map (N, ...) to logits (N, K), K at least {rows.classes}", shown)
    return build


def loaded(net: nn.Module, path: Path) -> nn.Module:
    """The network with the weights of a safetensors file, or of model.safetensors in a folder, in evaluation mode.

    Raises:
        InputError: no such file, or another network's weights; names the first tensor that differs.
    """
    file = path / "model.safetensors" if path.is_dir() else path
    check_regular(file)
    try:
        tensors = load_file(file)
    except (SafetensorError, OSError) as error:
        raise InputError(str(file), "must be a safetensors file", str(error)) from None
    wanted = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            shown = f"{name!r} is {found.get(name, 'not there')}, the model's {wanted.get(name, 'not there')}"
            raise InputError(str(file), "must hold the weights of the model that --model makes", shown)
    net.load_state_dict(tensors)
    return net.eval()


__all__ = ["Rows", "builder", "loaded", "read_rows"]
