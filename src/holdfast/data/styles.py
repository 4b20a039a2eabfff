"""How machines and cameras make the same thing look different: tone curves, few shades, stripes, dark corners.

Shifts as in `holdfast.data.shifts`: same contract, images (N, C, H, W) in [0, 1], one generator. `device_style` draws a
device, which then treats every image alike, as one scanner or camera does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from holdfast.data.shifts import Blur, Compose, Shift
from holdfast.errors import InputError
from holdfast.validation import check_fraction, check_integer, check_number


@dataclass(frozen=True)
class Gamma(Shift):
    """A tone curve: y = x^power. Below 1 it lifts shadows, above 1 it deepens them; black and white stay.

    Example:
        >>> y, _ = Gamma(2)(torch.full((1, 1, 1, 1), 0.5), torch.tensor([0]), np.random.default_rng(0))
        >>> float(y)
        0.25
    """

    power: float

    def __post_init__(self) -> None:
        if check_number(self.power, "power", low=0) == 0:
            raise InputError("power", "must be above 0", self.power)

    def apply(self, images: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        return (images, labels) if self.power == 1 else (images**self.power, labels)


@dataclass(frozen=True)
class Palette(Shift):
    """Few shades: y = floor(x levels) / (levels - 1), at most 1; all shades are equally wide."""

    levels: int

    def __post_init__(self) -> None:
        check_integer(self.levels, "levels", low=2)

    def apply(self, images: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        return (images * self.levels).floor_().clamp_(max=self.levels - 1).div_(self.levels - 1), labels


@dataclass(frozen=True)
class ColumnNoise(Shift):
    """Stripes of a line sensor: clip(x (1 + gain e) + offset f, 0, 1), e and f standard normal per column.

    The columns' errors are the sensor's: one draw for all images and channels of a call.
    """

    gain: float = 0.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        check_number(self.gain, "gain", low=0)
        check_number(self.offset, "offset", low=0)

    def apply(self, images: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        if self.gain == 0 and self.offset == 0:
            return images, labels
        gain, offset = torch.from_numpy(rng.standard_normal((2, images.shape[-1]))).to(images)
        return (images * (1 + self.gain * gain) + self.offset * offset).clamp_(0, 1), labels


@dataclass(frozen=True)
class Vignette(Shift):
    """Dark corners: y = x (1 - strength r^2), r the distance from the centre as a share of that of the corners.

    `strength` is what the corners lose.
    """

    strength: float

    def __post_init__(self) -> None:
        check_fraction(self.strength, "strength")

    def apply(self, images: Tensor, labels: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        if self.strength == 0:
            return images, labels
        height, width = images.shape[-2:]
        rows = torch.arange(height, dtype=torch.float64) - (height - 1) / 2
        cols = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
        square = rows[:, None] ** 2 + cols[None, :] ** 2
        share = square / square[0, 0] if square[0, 0] > 0 else square
        return images * (1 - self.strength * share).to(images), labels


def device_style(rng: np.random.Generator, strength: float = 1.0) -> Compose:
    """A machine or camera drawn at random: a tone curve, a blur, dark corners, stripes and a number of shades.

    Args:
        rng: of the draw; the stripes themselves are drawn when the style is applied.
        strength: 0 = a perfect device, 1 = clearly visible, in [0, 1].

    Returns:
        Gamma with log2 of its power uniform in +-strength, Blur of up to .8 strength pixels, Vignette of up to half
        the strength, ColumnNoise of up to .05 strength, and from 256 shades (strength 0) down to 8 to 64.

    Example:
        >>> style = device_style(np.random.default_rng(0))
        >>> [type(part).__name__ for part in style.shifts]
        ['Gamma', 'Blur', 'Vignette', 'ColumnNoise', 'Palette']
    """
    check_fraction(strength, "strength")
    tone, blur, corners, stripes, shades = rng.uniform(size=5)
    return Compose(
        (
            Gamma(float(2 ** (strength * (2 * tone - 1)))),
            Blur(float(0.8 * strength * blur)),
            Vignette(float(0.5 * strength * corners)),
            ColumnNoise(float(0.05 * strength * stripes), float(0.05 * strength * stripes)),
            Palette(round(2 ** (8 - strength * (2 + 3 * shades)))),
        )
    )


__all__ = ["ColumnNoise", "Gamma", "Palette", "Vignette", "device_style"]
