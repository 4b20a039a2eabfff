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
from torch.nn.parameter import is_lazy

from holdfast.data.readers.features import read_arrays
from holdfast.data.splits import stratified
from holdfast.errors import InputError
from holdfast.files import check_regular
from holdfast.own_model import built, own_function
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
        InputError: no labels, fewer than two classes, labels that are not 0 .. K-1, too few rows of a class, inputs
            too large for 32 bits.
    """
    x, y = read_arrays(path)
    if y is None:
        raise InputError(str(path), "must hold labels too, as y (in a table: a column label or y)", "inputs alone")
    counts = np.bincount(y) if len(y) and y.min() >= 0 else np.zeros(0, int)
    if len(counts) < 2 or counts.min() == 0:
        raise InputError(f"{path}, labels", "must hold classes 0 .. K-1, K >= 2, each at least once", np.unique(y))
    if counts.min() < 2:
        raise InputError(f"{path}, labels", "must have at least 2 rows of every class", f"1 of {counts.argmin()}")
    with np.errstate(over="ignore"):  # refused below
        inputs, labels = torch.from_numpy(np.ascontiguousarray(x, np.float32)), torch.from_numpy(y)
    if not bool(inputs.isfinite().all()):
        raise InputError(f"{path}, inputs", "must be numbers that 32 bits can hold", float(np.abs(x).max()))
    held = stratified(labels, check_fraction(held_out, "held_out", zero=False, one=False), np.random.default_rng(0))
    if not held.any() or held.all():
        raise InputError(str(path), "must have rows to train on and rows to hold out", f"{len(y)} rows")
    return Rows(inputs[~held], labels[~held], inputs[held], labels[held], len(counts))


def builder(reference: str, rows: Rows) -> Callable[[int], nn.Module]:
    """seed -> the user's network, checked once on two of the rows.

    Raises:
        InputError: the function or the network fails, or gives other than a row of logits for each row.
    """

    def build(seed: int) -> nn.Module:
        with seeded(seed):
            return network_of(reference)

    try:
        out = build(0).eval()(rows.x[:2])
    except InputError:
        raise
    except Exception as error:  # whatever a network of the user's does
        failed = " ".join(f"shape {tuple(rows.x[:2].shape)}: {type(error).__name__}: {error}".split())
        raise InputError("--model", "must take the rows of --data, 32-bit floats", failed) from error
    if not isinstance(out, Tensor) or out.ndim != 2 or len(out) != 2 or out.shape[1] < rows.classes:
        shown = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise InputError("--model", f"must map (N, ...) to logits (N, K), K at least {rows.classes}", shown)
    return build


def network_of(reference: str) -> nn.Module:
    """What a function of the user's without arguments makes: a network whose weights are there.

    Raises:
        InputError: the function fails, or gives no such network.
    """
    net = built(own_function(reference, argument="--model"), argument="--model")
    for name, value in (*net.named_parameters(), *net.named_buffers()):
        if is_lazy(value):
            raise InputError("--model", "must give every layer its size", f"{name!r} waits for a first input")
    return net


def loaded(net: nn.Module, path: Path) -> nn.Module:
    """The network with the weights of a safetensors file, or of model.safetensors in a folder, in evaluation mode.

    Raises:
        InputError: no such file, or another network's weights (names the first tensor that differs), or weights
            that are not finite.
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
    for name, value in tensors.items():
        if not bool(value.isfinite().all()):
            raise InputError(str(file), "must hold finite weights", f"{name!r} with NaN or infinite ones")
    net.load_state_dict(tensors)
    return net.eval()


__all__ = ["Rows", "builder", "loaded", "network_of", "read_rows"]
