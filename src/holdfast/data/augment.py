"""Random augmentation of whole image batches, as tensor operations on the images' own device.

Every transform is a frozen dataclass (so experiments can declare it) called as `transform(images, generator)` with
images `(N, C, H, W)` in [0, 1] and an explicit generator on the same device. Each image gets its own draw; nothing
loops over images and nothing waits for the device. A transform that learns while training (CTAugment) is a module of
its own; its settings object has `build()`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.layers.modes import evaluating


class Transform(Protocol):
    """Anything that maps `(N, C, H, W)` images to images of the same shape, drawing from `generator`."""

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor: ...


class LearntTransform(Protocol):
    """Settings of a transform that has state: `build()` makes the module."""

    def build(self) -> nn.Module: ...


@runtime_checkable
class Learns(Protocol):
    """A transform that adapts to how the network answers augmented labelled images."""

    def propose(self, images: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Probe images and the choices that made them."""

    def learn(self, choices: Tensor, probabilities: Tensor, labels: Tensor) -> None:
        """Update from the network's answers `(N, K)` to the probe images with labels `(N,)`."""


def uniform(images: Tensor, low: float, high: float, generator: torch.Generator | None) -> Tensor:
    """One uniform draw per image, `(N,)`, in the images' type and on their device."""
    draw = torch.rand(images.shape[0], generator=generator, device=images.device, dtype=images.dtype)
    return draw * (high - low) + low


def warp(images: Tensor, matrix: Tensor, mode: str = "bilinear") -> Tensor:
    """Resample images through affine maps; what comes from outside is 0.

    Args:
        images: `(N, C, H, W)`.
        matrix: `(N, 2, 3)`; maps an output position to the input position it shows, both in [-1, 1] from one outer
            edge of the image to the other, x first.
        mode: "bilinear", "bicubic" or "nearest".
    """
    grid = F.affine_grid(matrix, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode=mode, padding_mode="zeros", align_corners=False)


@dataclass(frozen=True)
class Identity:
    """No augmentation."""

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return images


@dataclass(frozen=True)
class Shift:
    """Move each image by a whole number of pixels, uniform in {-pixels, ..., pixels} per axis; edges are mirrored in
    (without repeating the edge pixel), as after reflection padding and a random crop.

    Args:
        pixels: largest move; must be smaller than the image.

    Example:
        >>> import torch
        >>> from holdfast.data.augment import Shift
        >>> Shift(1)(torch.rand(4, 1, 16, 16), torch.Generator().manual_seed(0)).shape
        torch.Size([4, 1, 16, 16])
    """

    pixels: int = 1

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        n, c, h, w = images.shape
        if not 0 <= self.pixels < min(h, w):
            raise InputError("pixels", f"must be at least 0 and less than the image's side {min(h, w)}", self.pixels)
        p = self.pixels
        move = torch.randint(-p, p + 1, (2, n, 1), generator=generator, device=images.device)
        rows = _reflect(torch.arange(h, device=images.device) + move[0], h)  # (N, H)
        columns = _reflect(torch.arange(w, device=images.device) + move[1], w)  # (N, W)
        flat = (rows[:, :, None] * w + columns[:, None, :]).view(n, 1, h * w).expand(n, c, h * w)
        return images.flatten(2).gather(2, flat).view(n, c, h, w)


def _reflect(index: Tensor, size: int) -> Tensor:
    index = index.abs()
    return torch.minimum(index, 2 * (size - 1) - index)


@dataclass(frozen=True)
class Mirror:
    """Flip each image left to right with probability `p`. Not for digits or text."""

    p: float = 0.5

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        flip = uniform(images, 0, 1, generator) < self.p
        return torch.where(flip[:, None, None, None], images.flip(3), images)


@dataclass(frozen=True)
class RandomAffine:
    """Rotate, scale, shear and move each image about its centre; bilinear, outside is 0.

    An output position u (pixels from the centre, x to the right, y down) shows the input at `A (u - t)` with
    `A = R(angle) Shear / scale`, so scale > 1 enlarges.

    Args:
        degrees: rotation is uniform in [-degrees, degrees].
        scale: range of the magnification.
        shear: horizontal shear is uniform in [-shear, shear] (a slope, not an angle).
        translate: move per axis, uniform in [-translate, translate] of the side.
    """

    degrees: float = 12.5
    scale: tuple[float, float] = (0.75, 1.25)
    shear: float = 0.2
    translate: float = 0.2

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        n, _, h, w = images.shape
        draw = torch.rand(5, n, generator=generator, device=images.device, dtype=images.dtype)
        sign = draw * 2 - 1
        angle = sign[0] * math.radians(self.degrees)
        zoom = 1 / (draw[1] * (self.scale[1] - self.scale[0]) + self.scale[0])
        shear = sign[2] * self.shear
        cos, sin = angle.cos() * zoom, angle.sin() * zoom
        # Pixel coordinates; (a b; d e) = R Shear / scale
        a, b, d, e = cos, cos * shear - sin, sin, sin * shear + cos
        tx, ty = sign[3] * (2 * self.translate), sign[4] * (2 * self.translate)  # a full side is 2 units long
        # In units of half sides the off-diagonal terms are rescaled by the aspect ratio.
        b, d = b * (h / w), d * (w / h)
        matrix = torch.stack([a, b, -(a * tx + b * ty), d, e, -(d * tx + e * ty)], 1).view(n, 2, 3)
        return warp(images, matrix)


@dataclass(frozen=True)
class Brightness:
    """Multiply each image by a factor uniform in [low, high] and clip to [0, 1]."""

    low: float = 0.6
    high: float = 1.4

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        factor = uniform(images, self.low, self.high, generator)
        return (images * factor[:, None, None, None]).clamp_(0, 1)


@dataclass(frozen=True)
class Invert:
    """Turn light into dark and dark into light, `1 - x`, in an image with probability `p`."""

    p: float = 0.5

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        turn = uniform(images, 0, 1, generator) < self.p
        return torch.where(turn[:, None, None, None], 1 - images, images)


@dataclass(frozen=True)
class Cutout:
    """Paint one square per image, placed uniformly, wholly inside. DeVries and Taylor 2017, arXiv 1708.04552.

    Args:
        size: side in pixels; larger than the image paints all of it.
        value: what it is painted with.
    """

    size: int = 5
    value: float = 0.5

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        n, _, h, w = images.shape
        draw = torch.rand(2, n, 1, generator=generator, device=images.device)
        inside = []
        for u, side in zip(draw, (h, w), strict=True):
            start = (u * (max(side - self.size, 0) + 1)).floor()
            place = torch.arange(side, device=images.device)
            inside.append((place >= start) & (place < start + self.size))
        square = inside[0][:, None, :, None] & inside[1][:, None, None, :]
        return images.masked_fill(square, self.value)


@dataclass(frozen=True)
class Noise:
    """Adds normal noise of a standard deviation to every pixel; the result may leave [0, 1]."""

    deviation: float = 0.1

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        draw = torch.randn(images.shape, generator=generator, device=images.device, dtype=images.dtype)
        return images + self.deviation * draw


@dataclass(frozen=True)
class Compose:
    """Apply transforms one after the other."""

    parts: tuple[Transform, ...]

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        for part in self.parts:
            images = part(images, generator)
        return images


# For 16x16 digits in [0, 1]: no mirroring (a mirrored digit is no digit). STRONG is meant for the weak view.
DIGITS_WEAK = Shift(1)
DIGITS_STRONG = Compose((RandomAffine(), Brightness(), Cutout(5, 0.5)))


class TwoViews(nn.Module):
    """Two augmentations of each image: `weak(x)` and `strong(weak'(x))`, where the two weak draws are independent.

    Args:
        weak: a transform.
        strong: a transform, or settings with `build()` of one that learns; the built module becomes part of the
            state_dict.

    Example:
        >>> import torch
        >>> from holdfast.data.augment import DIGITS_STRONG, DIGITS_WEAK, TwoViews
        >>> w, s = TwoViews(DIGITS_WEAK, DIGITS_STRONG)(torch.rand(2, 1, 16, 16))
        >>> w.shape == s.shape == (2, 1, 16, 16)
        True
    """

    def __init__(self, weak: Transform, strong: Transform | LearntTransform) -> None:
        super().__init__()
        self.weak = weak
        self.strong: Transform = strong.build() if hasattr(strong, "build") else strong

    @torch.no_grad()
    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """`(N, C, H, W)` in [0, 1] to the weak and the strong view, each of that shape."""
        return self.weak(images, generator), self.strong(self.weak(images, generator), generator)

    @torch.no_grad()
    def learn(self, net: nn.Module, images: Tensor, labels: Tensor, generator: torch.Generator | None = None) -> None:
        """Let a strong transform that learns see how `net` answers probe images. No work for one that does not.

        Args:
            net: images to logits `(N, K)`; run in evaluation mode, its modes are restored.
            images, labels: a labelled batch, `(N, C, H, W)` and `(N,)`.
            generator: source of randomness on the images' device.
        """
        if isinstance(self.strong, Learns):
            probe, choices = self.strong.propose(self.weak(images, generator), generator)
            with evaluating(net):
                self.strong.learn(choices, net(probe).float().softmax(1), labels)
