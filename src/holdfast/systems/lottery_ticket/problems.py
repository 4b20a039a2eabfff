"""Images to prune networks on: 5,000 digits inside a package, and CIFAR-10 as it is published."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.data.cifar import read_cifar10
from holdfast.data.digits import Mnist5k, mnist5k, resize
from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.splits import fixed_test, training_rows
from holdfast.experiment import DataSource, Problem
from holdfast.layers.resnet20 import ResNet20
from holdfast.systems.lottery_ticket.net import Perceptron
from holdfast.validation import check_integer

MEAN, SPREAD = 0.1307, 0.3081  # of MNIST's pixels, as everywhere


@dataclass(frozen=True, eq=False)
class Images:
    """One replicate: x (N, ...) float32, y (N,) int64 to train on, to tune with, to test; ids of the test's cases."""

    x: Tensor
    y: Tensor
    validation_x: Tensor
    validation_y: Tensor
    test_x: Tensor
    test_y: Tensor
    test_id: Sequence[int]


class Classified(Problem):
    """Images of ten classes. Subclasses are frozen dataclasses; `unpruned` names tensors that are never pruned."""

    fixed_test: ClassVar[bool] = True
    unpruned: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def load(self, rng: np.random.Generator) -> Images:
        """The data of one replicate, drawn from its stream "split"."""

    @abstractmethod
    def network(self) -> nn.Module:
        """A fresh dense network."""


@dataclass(frozen=True)
class PooledDigits(Classified):
    """MNIST-5k at 14x14 (means of 2x2 pixels), normalised; 1,000 fixed images to test, of the others the rest is drawn.

    The network is a perceptron 196-100-50-10; its last layer is not pruned.
    """

    train: int = 3000
    validation: int = 500
    test: int = 1000

    unpruned: ClassVar[tuple[str, ...]] = ("layers.2.weight",)
    source: ClassVar[DataSource] = "package"
    how_to_get: ClassVar[str] = Mnist5k.how_to_get

    def __post_init__(self) -> None:
        check_integer(self.train, "train", low=1)
        check_integer(self.validation, "validation", low=1)

    def load(self, rng: np.random.Generator) -> Images:
        x, y = _pooled()
        _, tested, others = fixed_test(y, self.test)
        rows = training_rows(y, others, self.train + self.validation, rng)
        rows, held = rows[: self.train], rows[self.train :]
        return Images(x[rows], y[rows], x[held], y[held], x[tested], y[tested], tested.tolist())

    def network(self) -> nn.Module:
        return Perceptron((196, 100, 50, 10))

    def describe(self) -> str:
        return f"MNIST digits at 14x14, {self.train} drawn of 4000, {self.test} fixed to test; perceptron 196-100-50-10"

    def available(self) -> bool:
        return Mnist5k().available()


@functools.cache
def _pooled() -> tuple[Tensor, Tensor]:
    images, labels = mnist5k()
    return ((resize(images, 14) - MEAN) / SPREAD).flatten(1), labels


@dataclass(frozen=True)
class Cifar10(FileProblem, Classified):
    """CIFAR-10 with ResNet-20: 45,000 images to train, 5,000 drawn to tune with, the official test."""

    folder: str = "cifar-10-batches-py"

    how_to_get: ClassVar[str] = "cifar-10-python.tar.gz from www.cs.toronto.edu/~kriz/cifar.html (Krizhevsky, 2009)"

    @property
    def paths(self) -> tuple[Path, ...]:
        return (data_folder(self.folder) / "test_batch",)

    def load(self, rng: np.random.Generator) -> Images:
        folder = self.found()[0].parent
        train, test = read_cifar10(folder), read_cifar10(folder, "test")
        mean = train.pixels.mean((0, 2, 3), keepdim=True)
        spread = train.pixels.std((0, 2, 3), keepdim=True)
        x, tested = ((part.pixels - mean) / spread for part in (train, test))
        y, count = train.labels, max(1, len(train) // 10)
        order = torch.from_numpy(rng.permutation(len(train)))
        rows, held = order[count:], order[:count]
        return Images(x[rows], y[rows], x[held], y[held], tested, test.labels, list(range(len(tested))))

    def network(self) -> nn.Module:
        return ResNet20()

    def describe(self) -> str:
        return "CIFAR-10, ResNet-20"


__all__ = ["Cifar10", "Classified", "Images", "PooledDigits"]
