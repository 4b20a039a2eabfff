"""What is trained at several widths: digits, text, a user's own model."""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import sys
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.errors import InputError
from holdfast.experiment import Problem
from holdfast.systems.mutransfer.nets import MLP, Transformer


@dataclass(frozen=True)
class Task(Problem):
    """Data and a model of any width.

    Attributes:
        widths: those it is trained at; () = all declared.
        rates: the learning rates it is trained at; () = all declared.
        batch: rows per step; None = as the scale says.
    """

    widths: tuple[int, ...] = ()
    rates: tuple[float, ...] = ()
    batch: int | None = None

    @property
    def points(self) -> Mapping[str, Sequence[Any]]:
        named = {"width": self.widths, "rate": self.rates}
        return {name: values for name, values in named.items() if values}

    @abstractmethod
    def build(self, width: int) -> nn.Module:
        """The model at a width, freshly initialised."""

    @abstractmethod
    def data(self) -> tuple[Tensor, Tensor]:
        """All inputs and targets; integer targets are classes, (N, T) of them for sequences."""


@dataclass(frozen=True)
class DigitsMLP(Task):
    """UCI digits (1,797 images of 8x8 pixels in [-1, 1]) and a net of three hidden layers."""

    source: ClassVar[Literal["package"]] = "package"

    def build(self, width: int) -> nn.Module:
        return MLP(width)

    def data(self) -> tuple[Tensor, Tensor]:
        return _digits()

    def describe(self) -> str:
        return "UCI digits, 1,797 images, an MLP with three hidden layers (training loss)"


@dataclass(frozen=True)
class DigitsCoordinates(DigitsMLP):
    """The same nets and data, for the coordinate check: all `check_widths` are trained in one trial."""

    check_widths: tuple[int, ...] = (64, 128, 256, 512)

    def describe(self) -> str:
        return f"UCI digits, the same MLP at widths {self.check_widths[0]} to {self.check_widths[-1]} for a few steps"


@dataclass(frozen=True)
class TextTransformer(Task):
    """Character text that ships with scikit-learn (descriptions of its data sets) and a 2-layer pre-LN transformer."""

    length: int = 32
    source: ClassVar[Literal["package"]] = "package"

    def build(self, width: int) -> nn.Module:
        return Transformer(width, vocabulary=len(_text()[1]), length=self.length)

    def data(self) -> tuple[Tensor, Tensor]:
        return _windows(_text()[0], self.length)

    def fingerprint(self) -> str:
        return hashlib.sha256(_text()[0].numpy().tobytes()).hexdigest()[:16]

    def describe(self) -> str:
        return f"descriptions of scikit-learn's data sets, {len(_text()[0]):,} characters, a 2-layer transformer"


@dataclass(frozen=True)
class TokenFile(FileProblem, Task):
    """A text of your own as a flat file of unsigned 16-bit token ids (`.bin`), as many trainers of GPTs write it.

    Attributes:
        file: name in the data folder.
        vocabulary, length, layers, heads: of the transformer.
    """

    file: str = "mutransfer/wikitext103.bin"
    vocabulary: int = 50_304
    length: int = 256
    layers: int = 2
    heads: int = 4
    how_to_get: ClassVar[str] = (
        "WikiText-103 (CC BY-SA 3.0) encoded with the GPT-2 tokenizer, ids written as little-endian uint16 to "
        "mutransfer/wikitext103.bin in the folder that HOLDFAST_DATA names"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        return (data_folder(self.file),)

    def build(self, width: int) -> nn.Module:
        return Transformer(width, self.vocabulary, self.length, self.layers, self.heads)

    def data(self) -> tuple[Tensor, Tensor]:
        return _windows(read_tokens(self.found()[0], self.vocabulary), self.length)

    def describe(self) -> str:
        return f"WikiText-103 as token ids, {self.layers}-layer transformer, sequences of {self.length}"


@dataclass(frozen=True)
class OwnModel(Task):
    """A user's importable builder and data.

    Attributes:
        builder: "module:function", width -> nn.Module.
        examples: "module:function", () -> (inputs, targets) to train on.
        folder: where the modules are found.
    """

    builder: str = ""
    examples: str = ""
    folder: str = ""
    source: ClassVar[Literal["file"]] = "file"
    how_to_get: ClassVar[str] = "a module of yours that can be imported"

    def build(self, width: int) -> nn.Module:
        return imported(self.builder, self.folder)(width)

    def data(self) -> tuple[Tensor, Tensor]:
        if not self.examples:
            return random_batch(self.build(self.widths[0] if self.widths else 64), 512)
        return pair(imported(self.examples, self.folder, "batch")(), self.examples)

    def describe(self) -> str:
        return f"{self.builder} on {self.examples or 'random data'}"


# ------------------------------------------------------------------------------------------------------- a user's code
def imported(reference: str, folder: str = "", argument: str = "builder") -> Callable[..., Any]:
    """The function that "module:function" names, looked for in `folder` too; `argument` is what the user calls it.

    Raises:
        InputError: it does not name one.
    """
    module, colon, attribute = reference.partition(":")
    if not colon or not module or not attribute:
        raise InputError(argument, "must be module:function", reference)
    if folder and folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found = importlib.import_module(module)
    except ImportError as e:
        raise InputError(argument, f"must name a module that can be imported ({e})", reference) from e
    try:
        for name in attribute.split("."):
            found = getattr(found, name)
    except AttributeError as e:
        raise InputError(argument, f"must name a function of {module}", reference) from e
    if not callable(found):
        raise InputError(argument, "must name a function", f"{reference}, which is {type(found).__name__}")
    return found


def pair(given: Any, name: str) -> tuple[Tensor, Tensor]:
    """(inputs, targets) as tensors of one length.

    Raises:
        InputError: it is something else.
    """
    try:
        x, y = (torch.as_tensor(part) for part in given)
    except (TypeError, ValueError, RuntimeError) as e:
        raise InputError(name, "must return (inputs, targets)", type(given).__name__) from e
    if len(x) != len(y) or not len(x):
        raise InputError(name, "must return as many targets as inputs, at least one", f"{len(x)} and {len(y)}")
    return x, y


def random_batch(model: nn.Module, size: int, length: int = 32, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Inputs that fit a model's first layer and random targets that fit its output: enough for a coordinate check.

    Raises:
        InputError: the first layer is no Linear, Embedding or 2-d convolution; give data of your own.
    """
    rng = torch.Generator().manual_seed(seed)
    for layer in model.modules():
        if isinstance(layer, nn.Embedding):
            x = torch.randint(layer.num_embeddings, (size, length), generator=rng)
        elif isinstance(layer, nn.Linear):
            x = torch.randn(size, layer.in_features, generator=rng)
        elif isinstance(layer, nn.Conv2d):
            x = torch.randn(size, layer.in_channels, 16, 16, generator=rng)
        else:
            continue
        try:
            with torch.no_grad():
                out = model.eval()(x[:2])
        except (IndexError, RuntimeError, TypeError, ValueError) as error:
            rule = "is needed: random data does not fit this model; name module:function"
            raise InputError("batch", rule, f"{type(error).__name__}: {error}") from error
        out = out[0] if isinstance(out, tuple) else getattr(out, "logits", out)
        if not isinstance(out, Tensor) or out.dim() < 2:
            break
        return x, torch.randint(out.shape[-1], (size, *out.shape[1:-1]), generator=rng)
    raise InputError("batch", "is needed: no random data can be made for this model; name module:function")


def read_own(path: Path) -> tuple[OwnModel, dict[str, int]]:
    """The model and data that a JSON file names, and the budget it sets.

    `{"builder": "module:function", "batch": "module:function", "folder": ".", "widths": [...], "rates": [...],
    "steps": 100, "batch_size": 32}`, all but the builder optional.

    Raises:
        InputError: it is no such file, or the functions cannot be imported.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        made = OwnModel(
            tuple(sorted(int(width) for width in content.get("widths", ()))),
            tuple(sorted(float(rate) for rate in content.get("rates", ()))),
            None,
            str(content["builder"]),
            str(content.get("batch", "")),
            str((path.parent / content.get("folder", ".")).resolve()),
        )
        budget = {"steps": int(content.get("steps", 60)), "batch": int(content.get("batch_size", 32))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        rule = 'must be a JSON file like {"builder": "module:function", "batch": "module:function"}'
        raise InputError(str(path), rule, f"{type(e).__name__}: {e}") from e
    for name, value in (*budget.items(), *(("widths", w) for w in made.widths), *(("rates", r) for r in made.rates)):
        if not value > 0:
            raise InputError(f"{path}: {name}", "must be positive", value)
    imported(made.builder, made.folder)
    return made, budget


# ------------------------------------------------------------------------------------------------------------- reading
def read_tokens(path: Path, vocabulary: int) -> Tensor:
    """Token ids of a flat file of little-endian unsigned 16-bit numbers, (N,) int64.

    Raises:
        InputError: an odd number of bytes, fewer than two tokens, or an id beyond the vocabulary.
    """
    size = path.stat().st_size
    if size % 2 or size < 4:
        raise InputError(str(path), "must hold 16-bit token ids", f"{size} bytes")
    ids = np.fromfile(path, dtype="<u2")
    if ids.max() >= vocabulary:
        raise InputError(str(path), f"must hold ids below {vocabulary}", int(ids.max()))
    return torch.from_numpy(ids.astype(np.int64))


@functools.cache
def _digits() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return torch.from_numpy(images / 8 - 1).float(), torch.from_numpy(labels)


@functools.cache
def _text() -> tuple[Tensor, str]:
    """Characters as numbers, and the alphabet: of all descriptions of scikit-learn's data sets, in order of name."""
    files = [f for f in resources.files("sklearn.datasets.descr").iterdir() if f.name.endswith(".rst")]
    text = "\n".join(file.read_text(encoding="utf-8") for file in sorted(files, key=lambda file: file.name))
    alphabet = "".join(sorted(set(text)))
    number = {character: i for i, character in enumerate(alphabet)}
    return torch.tensor([number[character] for character in text]), alphabet


def _windows(ids: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Every stretch of `length` tokens, and the same one token later: views, no copies."""
    return ids[:-1].unfold(0, length, 1), ids[1:].unfold(0, length, 1)


__all__ = [
    "DigitsCoordinates",
    "DigitsMLP",
    "OwnModel",
    "Task",
    "TextTransformer",
    "TokenFile",
    "imported",
    "pair",
    "random_batch",
    "read_own",
    "read_tokens",
]
