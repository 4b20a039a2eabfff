"""Shifts of distribution as composable, seeded transforms with exact definitions (formulas: docs/data.md).

A shift is a frozen dataclass called as `shift(images, labels, rng) -> (images, labels)`:

- images (N, C, H, W), float32 or float64 in [0, 1], on any device; never changed in place; values stay in [0, 1];
- labels (N,) int64;
- rng: a numpy generator, the only source of randomness: the same generator state gives the same result.

All shifts keep shape, type and device, except `Colour` (C becomes 3) and `LabelShift` (N shrinks). A shift whose
parameters make it the identity returns its input itself and draws nothing.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.errors import InputError
from holdfast.validation import check_array, check_fraction, check_integer, check_number

LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as in the readers
GOLDEN = (math.sqrt(5) - 1) / 2  # hues of successive classes are this far apart: spread out for any number of classes


class Shift(ABC):
    """A change of distribution; `corrupts_labels` says that labels are no longer true afterwards."""

    corrupts_labels: ClassVar[bool] = False

    def __call__(self, images: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Check the input, then apply the shift.

        Raises:
            InputError: images not (N, C, H, W) floating-point in [0, 1], labels not (N,) whole numbers.
        """
        sizes: dict[str, int] = {}
        check_array(images, "N C H W", name="images", dtype="floating", low=0, high=1, sizes=sizes)
        check_array(labels, "N", name="labels", dtype="integer", sizes=sizes)
        return self.apply(images, labels, rng)

    @abstractmethod
    def apply(self, images: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """The shift of checked input."""


@dataclass(frozen=True)
class Rotate(Shift):
    """Rotation about the centre, counterclockwise as displayed; bilinear, zeros outside.

    Image i turns by `degrees + spread * u_i`, u_i uniform in [-1, 1).

    Example:
        >>> x = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]])
        >>> turned, _ = Rotate(90)(x, torch.tensor([0]), np.random.default_rng(0))
        >>> turned[0, 0].round().tolist()
        [[0.0, 0.0], [1.0, 0.0]]
    """

    degrees: float
    spread: float = 0.0

    def __post_init__(self) -> None:
        check_number(self.degrees, "degrees")
        check_number(self.spread, "spread", low=0)

    def apply(self, images: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        if self.spread == 0 and self.degrees % 360 == 0:
            return images, labels
        angles = np.full(len(images), self.degrees, np.float64)
        if self.spread:
            angles += self.spread * rng.uniform(-1, 1, len(images))
        return _rotated(images, torch.from_numpy(np.deg2rad(angles))), labels


def _rotated(images: Tensor, radians: Tensor) -> Tensor:
    height, width = images.shape[-2:]
    # In float64 on the CPU: angle tables are tiny, and multiples of 90 degrees then hit pixel centres.
    rows = torch.arange(height, dtype=torch.float64) - (height - 1) / 2  # (H,)
    cols = torch.arange(width, dtype=torch.float64) - (width - 1) / 2  # (W,)
    cos, sin = radians.cos()[:, None, None], radians.sin()[:, None, None]  # (N, 1, 1)
    # Where each output pixel comes from: the output grid turned back (rows grow downwards).
    from_cols = cos * cols[None, None, :] - sin * rows[None, :, None]  # (N, H, W)
    from_rows = sin * cols[None, None, :] + cos * rows[None, :, None]
    # grid_sample counts from -1 to 1 between the outer edges of the border pixels (align_corners=False).
    grid = torch.stack([2 * from_cols / width, 2 * from_rows / height], dim=-1).to(images)
    sampled = F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return sampled.clamp_(0, 1)


@dataclass(frozen=True)
class Invert(Shift):
    """The negative: 1 - x."""

    def apply(self, images: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        return 1 - images, labels


@dataclass(frozen=True)
class Colour(Shift):
    """Shades of grey become shades of a random hue: black stays black, white becomes the pure colour. C becomes 3.

    `y_i = g_i * rgb(h_i, saturation, 1)`, g the luma of the image (the image itself if C = 1), rgb the HSV colour.
    With probability `correlation` the hue of image i is that of its class, frac(label * 0.618...), else uniform in
    [0, 1): 0 makes colour say nothing about the class, 1 makes it say everything.

    Raises:
        InputError: parameters outside [0, 1]; C neither 1 nor 3.
    """

    saturation: float = 1.0
    correlation: float = 0.0

    def __post_init__(self) -> None:
        check_fraction(self.saturation, "saturation")
        check_fraction(self.correlation, "correlation")

    def apply(self, images: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        if images.shape[1] not in (1, 3):
            raise InputError("images", "must have 1 or 3 channels to be coloured", f"{images.shape[1]} channels")
        grey = images
        if images.shape[1] == 3:
            grey = (images * images.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True).clamp_(0, 1)
        free, use_class = rng.random(len(images)), rng.random(len(images)) < self.correlation
        hue = np.where(use_class, labels.cpu().numpy() * GOLDEN % 1.0, free)
        rgb = torch.from_numpy(_rgb(hue, self.saturation)).to(images)  # (N, 3)
        return grey * rgb[:, :, None, None], labels


def _rgb(hue: np.ndarray, saturation: float) -> np.ndarray:
    """HSV to RGB at value 1: hue (N,) in [0, 1) -> (N, 3)."""
    sector = (hue[:, None] * 6 + np.array([5.0, 3.0, 1.0])) % 6
    return 1 - saturation * np.clip(np.minimum(sector, 4 - sector), 0, 1)


@dataclass(frozen=True)
class Blur(Shift):
    """Gaussian blur of standard deviation `sigma` pixels, kernel cut at round(4 sigma), border pixels repeated."""

    sigma: float

    def __post_init__(self) -> None:
        check_number(self.sigma, "sigma", low=0)

    def apply(self, images: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        radius = int(4 * self.sigma + 0.5)
        if radius == 0:
            return images, labels
        offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
        kernel = torch.exp(-0.5 * (offsets / self.sigma) ** 2)
        kernel = (kernel / kernel.sum()).to(images)
        n, c, h, w = images.shape
        flat = images.reshape(n * c, 1, h, w)
        flat = F.conv2d(F.pad(flat, (0, 0, radius, radius), mode="replicate"), kernel.view(1, 1, -1, 1))
        flat = F.conv2d(F.pad(flat, (radius, radius, 0, 0), mode="replicate"), kernel.view(1, 1, 1, -1))
        return flat.reshape(n, c, h, w).clamp_(0, 1), labels


@dataclass(frozen=True)
class GaussianNoise(Shift):
    """Independent noise per pixel and channel: clip(x + sd * e, 0, 1), e standard normal."""

    sd: float

    def __post_init__(self) -> None:
        check_number(self.sd, "sd", low=0)

    def apply(self, images: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        if self.sd == 0:
            return images, labels
        noise = torch.from_numpy(rng.standard_normal(tuple(images.shape))).to(images)
        return torch.add(images, noise, alpha=self.sd).clamp_(0, 1), labels


@dataclass(frozen=True)
class Background(Shift):
    """A random smooth texture behind the image, blended as MNIST-M blends digits over photographs: |x - strength * b|.

    b is, per image and channel, a `cells` x `cells` grid of uniform [0, 1) values enlarged bilinearly to H x W
    (align_corners=False). Source of the blend: Ganin et al. 2016, "Domain-adversarial training of neural networks",
    section 5.2.4 (their b is a crop of a BSDS500 photograph).
    """

    strength: float = 1.0
    cells: int = 4

    def __post_init__(self) -> None:
        check_fraction(self.strength, "strength")
        check_integer(self.cells, "cells", low=1)

    def apply(self, images: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        if self.strength == 0:
            return images, labels
        n, c, h, w = images.shape
        coarse = torch.from_numpy(rng.random((n, c, self.cells, self.cells))).to(images)
        texture = F.interpolate(coarse, size=(h, w), mode="bilinear", align_corners=False)
        return torch.sub(images, texture, alpha=self.strength).abs_(), labels


@dataclass(frozen=True)
class LabelShift(Shift):
    """Fewer images of some classes: of each class c in `classes`, floor(keep * n_c + 1/2) images drawn at random stay.

    All images of other classes stay; the order is kept.
    """

    classes: tuple[int, ...]
    keep: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(check_integer(c, "classes", low=0) for c in self.classes))
        check_fraction(self.keep, "keep")

    def apply(self, images: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        if self.keep == 1 or not self.classes:
            return images, labels
        y = labels.cpu().numpy()
        stays = np.ones(len(y), bool)
        for c in self.classes:
            rows = np.flatnonzero(y == c)
            gone = len(rows) - math.floor(self.keep * len(rows) + 0.5)
            stays[rng.choice(rows, size=gone, replace=False)] = False
        if not stays.any():
            raise InputError("keep", "must leave at least one image", self.keep)
        chosen = torch.from_numpy(np.flatnonzero(stays)).to(labels.device)
        return images[chosen], labels[chosen]


@dataclass(frozen=True)
class LabelNoise(Shift):
    """Symmetric label noise: floor(rate * N + 1/2) labels drawn at random become one of the other classes, uniformly.

    There are K = `classes` classes; None = largest label + 1.

    Raises:
        InputError: rate outside [0, 1]; fewer than 2 classes; a label outside [0, K).
    """

    rate: float
    classes: int | None = None

    corrupts_labels: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_fraction(self.rate, "rate")
        if self.classes is not None:
            check_integer(self.classes, "classes", low=2)

    def apply(self, images: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        if self.rate == 0:
            return images, labels
        count = int(labels.max()) + 1 if self.classes is None else self.classes
        if count < 2:
            raise InputError("labels", "must have at least 2 classes for label noise", f"{count}")
        check_array(labels, "N", name="labels", low=0, high=count - 1)
        y = labels.cpu().numpy().copy()
        rows = rng.choice(len(y), size=math.floor(self.rate * len(y) + 0.5), replace=False)
        y[rows] = (y[rows] + rng.integers(1, count, len(rows))) % count  # a step of 1 .. K-1 never ends where it began
        return images, torch.from_numpy(y).to(labels.device)


@dataclass(frozen=True)
class Compose(Shift):
    """Shifts one after the other, in the given order, all drawing from the same generator.

    Example:
        >>> both = Compose((Invert(), Blur(1.0)))
        >>> x, y = both(torch.zeros(1, 1, 4, 4), torch.tensor([0]), np.random.default_rng(0))
        >>> round(float(x.min()), 4)
        1.0
    """

    shifts: tuple[Shift, ...]

    def __post_init__(self) -> None:
        for shift in self.shifts:
            if not isinstance(shift, Shift):
                raise InputError("shifts", "must hold shifts", type(shift).__name__)
        object.__setattr__(self, "shifts", tuple(self.shifts))

    @property
    def corrupts_labels(self) -> bool:  # type: ignore[override]
        """Whether any of its shifts does."""
        return any(shift.corrupts_labels for shift in self.shifts)

    def apply(self, images: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        for shift in self.shifts:
            images, labels = shift(images, labels, rng)
        return images, labels


__all__ = [
    "Background",
    "Blur",
    "Colour",
    "Compose",
    "GaussianNoise",
    "Invert",
    "LabelNoise",
    "LabelShift",
    "Rotate",
    "Shift",
]
