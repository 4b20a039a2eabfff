"""Images to prune networks on: 5,000 digits inside a package, and CIFAR-10 as it is published."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from torch import nn

from holdfast.data.digits import Mnist5k
from holdfast.data.drawn_images import DrawnImages, drawn_cifar10, pooled_mnist
from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.experiment import DataSource, Problem
from holdfast.layers.resnet20 import ResNet20
from holdfast.systems.lottery_ticket.net import Perceptron
from holdfast.validation import check_integer


class Classified(Problem):
    """Images of ten classes. Subclasses are frozen dataclasses; `unpruned` names tensors that are never pruned."""

    fixed_test: ClassVar[bool] = True
    unpruned: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def load(self, rng: np.random.Generator) -> DrawnImages:
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

    def load(self, rng: np.random.Generator) -> DrawnImages:
        return pooled_mnist(rng, self.train, self.validation, self.test)

    def network(self) -> nn.Module:
        return Perceptron((196, 100, 50, 10))

    def describe(self) -> str:
        return f"MNIST digits at 14x14, {self.train} drawn of 4000, {self.test} fixed to test; perceptron 196-100-50-10"

    def available(self) -> bool:
        return Mnist5k().available()


@dataclass(frozen=True)
class Cifar10(FileProblem, Classified):
    """CIFAR-10 with ResNet-20: 45,000 images to train, 5,000 drawn to tune with, the official test."""

    folder: str = "cifar-10-batches-py"

    how_to_get: ClassVar[str] = "cifar-10-python.tar.gz from www.cs.toronto.edu/~kriz/cifar.html (Krizhevsky, 2009)"

    @property
    def paths(self) -> tuple[Path, ...]:
        return (data_folder(self.folder) / "test_batch",)

    def load(self, rng: np.random.Generator) -> DrawnImages:
        return drawn_cifar10(self.found()[0].parent, rng)

    def network(self) -> nn.Module:
        return ResNet20()

    def describe(self) -> str:
        return "CIFAR-10, ResNet-20"


__all__ = ["Cifar10", "Classified", "PooledDigits"]
