"""Data with a shortcut: something easy agrees with the label in training, and does not in the test.

Groups are pairs of label and shortcut: 2 * label + shortcut. Sentences are in `biased_text`, photographs in
`shortcut_photos`.
"""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.data.digits import Mnist5k, mnist5k, resize
from holdfast.data.splits import content_rng, fixed_test, stratified, training_rows
from holdfast.experiment import DataSource, Problem
from holdfast.layers.perceptron import Perceptron
from holdfast.validation import check_fraction, check_integer

CLASSES, GROUPS = 2, 4


@dataclass(frozen=True, eq=False)
class Part:
    """Inputs x (N, ...), labels y and groups g (N,) int64: for measuring, and for arms that may know groups."""

    x: Tensor
    y: Tensor
    g: Tensor


@dataclass(frozen=True, eq=False)
class Grouped:
    """One replicate: parts, and ids of the test's cases."""

    train: Part
    validation: Part
    test: Part
    test_id: Sequence[int]


class Shortcut(Problem):
    """Two classes and a shortcut of two values. Subclasses are frozen dataclasses."""

    fixed_test: ClassVar[bool] = True

    @abstractmethod
    def load(self, rng: np.random.Generator) -> Grouped:
        """The data of one replicate, drawn from its stream "split"."""

    @abstractmethod
    def backbone(self, data: Grouped) -> nn.Module:
        """A fresh network from inputs to features, the same kind for both players."""


@dataclass(frozen=True)
class BiasedMNIST(Shortcut):
    """MNIST digits {3, 4, 5, 7, 8, 9} at 14x14, "is it 3, 5 or 9?", with a white 3x3 patch in one of two corners.

    Of the 3,000 images the same 780 are the test, with the same patches: top right on half of each label's, top left on
    the others. A replicate draws, of the rest, what to train on and what to validate with; there the patch agrees with
    the label (1 = top left) with probability p.

    Args:
        p: agreement in training and validation.
        train, validation, test: numbers of images.
    """

    p: float = 0.95
    train: int = 1500
    validation: int = 600
    test: int = 780

    source: ClassVar[DataSource] = "package"
    how_to_get: ClassVar[str] = Mnist5k.how_to_get

    def __post_init__(self) -> None:
        check_fraction(self.p, "p")
        check_integer(self.train, "train", low=1)
        check_integer(self.validation, "validation", low=1)

    def load(self, rng: np.random.Generator) -> Grouped:
        x, digit, y = _six_digits()
        _, tested, others = fixed_test(digit, self.test)
        chosen = training_rows(digit, others, self.train + self.validation, rng)
        agree = torch.from_numpy(rng.random(len(chosen)) < self.p)
        patch = torch.where(agree, y[chosen], 1 - y[chosen])
        half = stratified(y[tested], 0.5, content_rng(y[tested], "patches")).long()
        seen, measured = _patched(x[chosen], y[chosen], patch), _patched(x[tested], y[tested], half)
        train, validation = _rows(seen, slice(self.train)), _rows(seen, slice(self.train, None))
        return Grouped(train, validation, measured, tested.tolist())

    def backbone(self, data: Grouped) -> nn.Module:
        return Perceptron(196, 64)

    def describe(self) -> str:
        sizes = f"{self.train} images to train, {self.validation} to validate, {self.test} fixed ones to test"
        return f"MNIST digits 3, 5, 9 against 4, 7, 8, a patch that agrees with the label at {self.p:.0%}: {sizes}"

    def available(self) -> bool:
        return Mnist5k().available()


@functools.cache
def _six_digits() -> tuple[Tensor, Tensor, Tensor]:
    images, digits = mnist5k()
    kept = torch.isin(digits, torch.tensor([3, 4, 5, 7, 8, 9]))
    digits = digits[kept]
    return resize(images[kept], 14), digits, torch.isin(digits, torch.tensor([3, 5, 9])).long()


def _patched(x: Tensor, y: Tensor, patch: Tensor) -> Part:
    """Images with their patch: 1 = top left, 0 = top right."""
    x = x.clone()
    left = patch.bool()
    x[left, :, :3, :3] = 1.0
    x[~left, :, :3, -3:] = 1.0
    return Part(x, y, 2 * y + patch)


def _rows(part: Part, rows: slice | Tensor) -> Part:
    return Part(part.x[rows], part.y[rows], part.g[rows])


__all__ = ["CLASSES", "GROUPS", "BiasedMNIST", "Grouped", "Part", "Shortcut"]
