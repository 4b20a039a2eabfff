"""What is trained at several widths: digits, text, a user's own model."""

from __future__ import annotations

import functools
import hashlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from holdfast.data.characters import next_token_windows, shipped_text
from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.own_batches import random_batch, rows_to_train_on
from holdfast.data.readers.tokens import read_tokens
from holdfast.experiment import Problem
from holdfast.own_model import built, called, own_function
from holdfast.systems.mutransfer.net import MLP, Transformer
from holdfast.training.batch_loss import Batch


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
    def data(self) -> Batch:
        """All inputs and targets; integer targets are classes, (N, T) of them for sequences. Or a dict of arguments."""


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
        return Transformer(width, vocabulary=len(shipped_text()[1]), length=self.length)

    def data(self) -> tuple[Tensor, Tensor]:
        return next_token_windows(shipped_text()[0], self.length)

    def fingerprint(self) -> str:
        return hashlib.sha256(shipped_text()[0].numpy().tobytes()).hexdigest()[:16]

    def describe(self) -> str:
        return f"descriptions of scikit-learn's data sets, {len(shipped_text()[0]):,} characters, a 2-layer transformer"


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
        return next_token_windows(read_tokens(self.found()[0], self.vocabulary), self.length)

    def describe(self) -> str:
        return f"WikiText-103 as token ids, {self.layers}-layer transformer, sequences of {self.length}"


@dataclass(frozen=True)
class OwnModel(Task):
    """A user's importable builder and data.

    Attributes:
        builder: "module:function" or "file.py:function", width -> nn.Module.
        examples: likewise, () -> (inputs, targets) or a dict of the model's arguments, to train on.
        folder: where the modules are found.
    """

    builder: str = ""
    examples: str = ""
    folder: str = ""
    source: ClassVar[Literal["file"]] = "file"
    how_to_get: ClassVar[str] = "a module of yours that can be imported"

    def build(self, width: int) -> nn.Module:
        return built(own_function(self.builder, self.folder), width, argument="builder")

    def data(self) -> Batch:
        if not self.examples:
            return random_batch(self.build(self.widths[0] if self.widths else 64), 512)
        given = called(own_function(self.examples, self.folder, "batch"), argument="batch")
        return rows_to_train_on(given, self.examples)

    def describe(self) -> str:
        return f"{self.builder} on {self.examples or 'random data'}"


@functools.cache
def _digits() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return torch.from_numpy(images / 8 - 1).float(), torch.from_numpy(labels)


__all__ = ["DigitsCoordinates", "DigitsMLP", "OwnModel", "Task", "TextTransformer", "TokenFile"]
