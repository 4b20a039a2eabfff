"""Worlds in which rates are compared: sparse regression, a ReLU teacher, pooled digits, and CIFAR-10 as published."""

from __future__ import annotations

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
from holdfast.layers.resnet18 import ResNet18
from holdfast.systems.large_step_sgd.method import relu
from holdfast.validation import check_integer

Parts = dict[str, tuple[np.ndarray, np.ndarray]]  # rows and targets: "train", "validation", "test"


def _drawn(rng: np.random.Generator, d: int, n: int, held: int) -> dict[str, np.ndarray]:
    sizes = {"train": n, "validation": held, "test": 5 * held}
    return {part: rng.standard_normal((size, d)) for part, size in sizes.items()}


@dataclass(frozen=True)
class SparseRegression(Problem):
    """y = <theta, x>, x standard normal in d dimensions, theta with k positive coordinates and norm 1, no noise.

    There are n rows to train on, `held` to tune with, and as many times five to test.
    """

    n: int = 80
    d: int = 200
    k: int = 20
    held: int = 200

    source: ClassVar[DataSource] = "generated"
    redrawn: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_integer(self.n, "n", low=2)
        check_integer(self.k, "k", low=1, high=self.d)

    def load(self, rng: np.random.Generator) -> Parts:
        theta = np.abs(rng.standard_normal(self.d)) * (np.arange(self.d) < self.k)
        theta /= np.linalg.norm(theta)
        return {part: (x, x @ theta) for part, x in _drawn(rng, self.d, self.n, self.held).items()}

    def describe(self) -> str:
        return f"{self.n} rows of {self.d} normal coordinates, of which {self.k} count; no noise"


@dataclass(frozen=True)
class ReluTeacher(Problem):
    """A ReLU network of 3 units teaches one of 20, on 15 inputs of norm 1 in the plane; `held` as above."""

    n: int = 15
    d: int = 2
    teacher: int = 3
    student: int = 20
    held: int = 200

    source: ClassVar[DataSource] = "generated"
    redrawn: ClassVar[bool] = True

    def load(self, rng: np.random.Generator) -> Parts:
        W, a = rng.standard_normal((self.teacher, self.d)), rng.standard_normal(self.teacher)
        drawn = _drawn(rng, self.d, self.n, self.held)
        parts = {part: x / np.linalg.norm(x, axis=1, keepdims=True) for part, x in drawn.items()}
        return {part: (x, relu.predict(W, a, x)) for part, x in parts.items()}

    def describe(self) -> str:
        return f"{self.n} inputs of norm 1 in {self.d} dimensions, teacher of {self.teacher}, student of {self.student}"


@dataclass(frozen=True)
class PooledDigits(Problem):
    """MNIST-5k at 14x14 (means of 2x2 pixels); 1,000 fixed images to test, from the others the rest is drawn."""

    train: int = 1000
    validation: int = 200
    test: int = 1000

    source: ClassVar[DataSource] = "package"
    how_to_get: ClassVar[str] = Mnist5k.how_to_get
    fixed_test: ClassVar[bool] = True
    block: ClassVar[str] = "4"  # whose output is measured

    def load(self, rng: np.random.Generator) -> DrawnImages:
        return pooled_mnist(rng, self.train, self.validation, self.test)

    def network(self) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(16 * 9, 10),
        )  # fmt: skip

    def available(self) -> bool:
        return Mnist5k().available()

    def describe(self) -> str:
        return f"MNIST digits at 14x14, {self.train} drawn of {5000 - self.test}, {self.test} fixed to test; small CNN"


@dataclass(frozen=True)
class Cifar10(FileProblem):
    """CIFAR-10 with ResNet-18, no augmentation: nine tenths to train, one to tune with, the official test."""

    folder: str = "cifar-10-batches-py"
    width: int = 64

    fixed_test: ClassVar[bool] = True
    block: ClassVar[str] = "stages.3"
    how_to_get: ClassVar[str] = "cifar-10-python.tar.gz from www.cs.toronto.edu/~kriz/cifar.html (Krizhevsky, 2009)"

    @property
    def paths(self) -> tuple[Path, ...]:
        return (data_folder(self.folder) / "test_batch",)

    def load(self, rng: np.random.Generator) -> DrawnImages:
        return drawn_cifar10(self.found()[0].parent, rng)

    def network(self) -> nn.Module:
        return ResNet18(width=self.width)

    def describe(self) -> str:
        return "CIFAR-10, ResNet-18, no augmentation"


__all__ = ["Cifar10", "Parts", "PooledDigits", "ReluTeacher", "SparseRegression"]
