"""One replicate of a fixed set of labelled images: a fixed test, and of the other images those that are drawn."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from holdfast.data.cifar import read_cifar10
from holdfast.data.digits import mnist5k, resize
from holdfast.data.splits import fixed_test, training_rows

MEAN, SPREAD = 0.1307, 0.3081  # of MNIST's pixels, as everywhere


@dataclass(frozen=True, eq=False)
class DrawnImages:
    """Images (., C, H, W) float32 and labels (.,) int64 to train on, to tune with and to test; ids of the test's."""

    x: Tensor
    y: Tensor
    validation_x: Tensor
    validation_y: Tensor
    test_x: Tensor
    test_y: Tensor
    test_id: tuple[int, ...]


def pooled_mnist(rng: np.random.Generator, train: int, validation: int, test: int) -> DrawnImages:
    """MNIST-5k at 14x14 (means of 2x2 pixels), normalised. The test is the same whatever the generator.

    Raises:
        MissingExtra, InputError: as in `mnist5k`; more images than there are.
    """
    x, y = _pooled()
    _, tested, others = fixed_test(y, test)
    drawn = training_rows(y, others, train + validation, rng)
    rows, held = drawn[:train], drawn[train:]
    return DrawnImages(x[rows], y[rows], x[held], y[held], x[tested], y[tested], tuple(tested.tolist()))


@functools.cache
def _pooled() -> tuple[Tensor, Tensor]:
    images, labels = mnist5k()
    return (resize(images, 14) - MEAN) / SPREAD, labels


def drawn_cifar10(folder: Path, rng: np.random.Generator) -> DrawnImages:
    """CIFAR-10, every channel standardised by the training images; a tenth of these is drawn to tune with.

    Raises:
        InputError: as in `read_cifar10`.
    """
    train, test = read_cifar10(folder), read_cifar10(folder, "test")
    mean, spread = (f(train.pixels, (0, 2, 3), keepdim=True) for f in (torch.mean, torch.std))
    x, tested = ((part.pixels - mean) / spread for part in (train, test))
    order, count, y = torch.from_numpy(rng.permutation(len(train))), max(1, len(train) // 10), train.labels
    rows, held = order[count:], order[:count]
    return DrawnImages(x[rows], y[rows], x[held], y[held], tested, test.labels, tuple(range(len(tested))))


__all__ = ["DrawnImages", "drawn_cifar10", "pooled_mnist"]
