"""The nineteen operations of CTAugment, as tensor operations on a batch in which every image has its own level.

Names, ranges and definitions follow the published ones (Berthelot et al., "ReMixMatch", arXiv 1911.09785, table in the
appendix; code google-research/adamatch shared/data/augment/ctaugment.py, Apache-2.0), which are those of Pillow on
8-bit images. Each is a function `op(x, *levels)` with x `(N, C, H, W)` in [0, 1] and levels `(N,)` in [0, 1]; values
stay in [0, 1]. Differences from the published code:
- values are not rounded to 8 bits between operations;
- filters repeat the edge pixels, where Pillow leaves the outermost ring unfiltered;
- `rescale` has six resampling methods there; when magnifying, Lanczos acts like bicubic, Hamming like bilinear and box
  like nearest, and these three kinds are what is implemented, in the same six bins;
- `translate_x/y` move by up to 0.3 of the side, as the paper has it; the published code passes 0.3 pixels, which does
  nothing;
- grey values use the weights 0.299, 0.587, 0.114 for three channels and the mean for any other number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.data.augment import warp


@dataclass(frozen=True)
class Operation:
    """An operation and the number of bins of each of its levels."""

    apply: Callable[..., Tensor]
    bins: tuple[int, ...]


def _per_image(level: Tensor) -> Tensor:
    return level.view(-1, 1, 1, 1)


def _blend(x: Tensor, other: Tensor, level: Tensor) -> Tensor:
    """`x` at level 0, `other` at level 1."""
    return torch.lerp(x, other, _per_image(level)).clamp(0, 1)


def _enhance(x: Tensor, degenerate: Tensor, level: Tensor) -> Tensor:
    """From nearly the degenerate image (level 0) through the image itself (level 9/19) to twice the difference (1)."""
    return torch.lerp(degenerate, x, _per_image(0.1 + 1.9 * level)).clamp(0, 1)


def _grey(x: Tensor) -> Tensor:
    """`(N, 1, H, W)`."""
    if x.shape[1] != 3:
        return x.mean(1, keepdim=True)
    return 0.299 * x[:, 0:1] + 0.587 * x[:, 1:2] + 0.114 * x[:, 2:3]


def _window_sum(x: Tensor, size: int) -> Tensor:
    """Sum over the odd window of `size` x `size` pixels around every pixel; edge pixels are repeated outside."""
    padded = F.pad(x, (size // 2,) * 4, mode="replicate")
    return F.avg_pool2d(padded, size, stride=1, divisor_override=1)


def _smoothed(x: Tensor) -> Tensor:
    """Weighted mean over 3x3: 5 in the middle, 1 around, over 13."""
    return (_window_sum(x, 3) + 4 * x) / 13


def autocontrast(x: Tensor, level: Tensor) -> Tensor:
    """Blend with the image whose channels are stretched to [0, 1] each."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    flat = high <= low
    stretched = (x - low) / (high - low).masked_fill(flat, 1)
    return _blend(x, torch.where(flat, x, stretched), level)


def blur(x: Tensor, level: Tensor) -> Tensor:
    """Blend with the mean over the border of a 5x5 window."""
    return _blend(x, (_window_sum(x, 5) - _window_sum(x, 3)) / 16, level)


def brightness(x: Tensor, level: Tensor) -> Tensor:
    """Scale by a factor in [0.1, 2]."""
    return _enhance(x, torch.zeros_like(x), level)


def color(x: Tensor, level: Tensor) -> Tensor:
    """Saturation: from grey to twice the distance from grey. Nothing changes where there is one channel."""
    return _enhance(x, _grey(x).expand_as(x), level)


def contrast(x: Tensor, level: Tensor) -> Tensor:
    """From nearly uniform at the mean grey value to twice the distance from it."""
    return _enhance(x, _grey(x).mean((2, 3), keepdim=True).expand_as(x), level)


def cutout(x: Tensor, level: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Paint a grey square of side up to half the image's, centred anywhere.

    Args:
        x: images.
        level: side = 1 + floor(0.499 * level * shorter side), rounded down to an even number, as published.
        row, column: where the centre is, as a share of height and width.
    """
    h, w = x.shape[2:]
    half = (1 + (level * (min(h, w) * 0.499)).floor()).div(2, rounding_mode="floor").unsqueeze(1)
    inside = []
    for u, side in ((row, h), (column, w)):
        centre = (u * side).floor().unsqueeze(1)
        place = torch.arange(side, device=x.device)
        inside.append((place >= centre - half) & (place < centre + half))
    return x.masked_fill(inside[0][:, None, :, None] & inside[1][:, None, None, :], 127 / 255)


def equalize(x: Tensor, level: Tensor) -> Tensor:
    """Blend with the image whose channels have flat histograms (256 bins, the rule of Pillow's ImageOps.equalize)."""
    n, c, h, w = x.shape
    values = (x * 255).round().long().view(n * c, h * w)
    histogram = torch.zeros(n * c, 256, dtype=torch.int64, device=x.device)
    histogram.scatter_add_(1, values, torch.ones_like(values))
    brightest = histogram.gather(1, values.amax(1, keepdim=True))
    step = (h * w - brightest).div(255, rounding_mode="floor")
    before = histogram.cumsum(1) - histogram
    table = (step.div(2, rounding_mode="floor") + before).div(step.clamp(min=1), rounding_mode="floor").clamp(0, 255)
    equal = (table.gather(1, values).to(x.dtype) / 255).view_as(x)
    return _blend(x, torch.where((step > 0).view(n, c, 1, 1), equal, x), level)


def invert(x: Tensor, level: Tensor) -> Tensor:
    """Blend with the negative."""
    return _blend(x, 1 - x, level)


def identity(x: Tensor) -> Tensor:
    """The image itself."""
    return x


def posterize(x: Tensor, level: Tensor) -> Tensor:
    """Keep the upper 1 to 8 bits of 8."""
    dropped = 7 - (level * 7.999).floor().clamp(0, 7)
    unit = _per_image(torch.exp2(dropped))
    return (x * 255).round().div(unit, rounding_mode="floor") * unit / 255


def rescale(x: Tensor, level: Tensor, method: Tensor) -> Tensor:
    """Magnify the centre: crop up to a quarter of each side off every edge and resample to the old size."""
    keep = 1 - 0.5 * level
    zero = torch.zeros_like(keep)
    matrix = torch.stack([keep, zero, zero, zero, keep, zero], 1).view(-1, 2, 3)
    kind = _per_image((method * 5.99).floor())  # lanczos, bicubic, bilinear, box, hamming, nearest
    bicubic, bilinear, nearest = (warp(x, matrix, mode) for mode in ("bicubic", "bilinear", "nearest"))
    smooth = torch.where(kind <= 1, bicubic.clamp(0, 1), bilinear)
    return torch.where((kind == 3) | (kind == 5), nearest, smooth)


def _affine(x: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor, e: Tensor, f: Tensor) -> Tensor:
    """Output pixel (u, v), from the centre in units of pixels, shows input (a u + b v + c, d u + e v + f); nearest."""
    h, w = x.shape[2:]
    matrix = torch.stack([a, b * (h / w), c * (2 / w), d * (w / h), e, f * (2 / h)], 1).view(-1, 2, 3)
    return warp(x, matrix, "nearest")


def rotate(x: Tensor, level: Tensor) -> Tensor:
    """Turn counter-clockwise by a whole number of degrees in [-45, 45]."""
    angle = ((2 * level - 1) * 45).round() * (math.pi / 180)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(level)
    return _affine(x, cos, -sin, zero, sin, cos, zero)


def sharpness(x: Tensor, level: Tensor) -> Tensor:
    """From nearly smoothed to twice the difference from smoothed."""
    return _enhance(x, _smoothed(x), level)


def shear_x(x: Tensor, level: Tensor) -> Tensor:
    """Move rows by up to 0.3 pixels per row, the top row staying where it is."""
    slope, zero, one = (2 * level - 1) * 0.3, torch.zeros_like(level), torch.ones_like(level)
    return _affine(x, one, slope, slope * (x.shape[2] / 2), zero, one, zero)


def shear_y(x: Tensor, level: Tensor) -> Tensor:
    """Move columns by up to 0.3 pixels per column, the left column staying where it is."""
    slope, zero, one = (2 * level - 1) * 0.3, torch.zeros_like(level), torch.ones_like(level)
    return _affine(x, one, zero, zero, slope, one, slope * (x.shape[3] / 2))


def smooth(x: Tensor, level: Tensor) -> Tensor:
    """Blend with the image smoothed over 3x3."""
    return _blend(x, _smoothed(x), level)


def solarize(x: Tensor, level: Tensor) -> Tensor:
    """Invert what is at least as bright as the level."""
    threshold = _per_image((level * 255.999).floor())
    # The slack makes 8-bit values that went through float32 compare as the integers they were.
    return torch.where(x * 255 >= threshold - 1e-3, 1 - x, x)


def translate_x(x: Tensor, level: Tensor) -> Tensor:
    """Move left (level > 1/2) or right by up to 0.3 of the width."""
    move, zero, one = (2 * level - 1) * 0.3 * x.shape[3], torch.zeros_like(level), torch.ones_like(level)
    return _affine(x, one, zero, move, zero, one, zero)


def translate_y(x: Tensor, level: Tensor) -> Tensor:
    """Move up (level > 1/2) or down by up to 0.3 of the height."""
    move, zero, one = (2 * level - 1) * 0.3 * x.shape[2], torch.zeros_like(level), torch.ones_like(level)
    return _affine(x, one, zero, zero, zero, one, move)


# One level has as many bins as published; the two of 1 bin place the square of the cutout and have nothing to learn.
OPERATIONS = MappingProxyType(
    {
        "autocontrast": Operation(autocontrast, (17,)),
        "blur": Operation(blur, (17,)),
        "brightness": Operation(brightness, (17,)),
        "color": Operation(color, (17,)),
        "contrast": Operation(contrast, (17,)),
        "cutout": Operation(cutout, (17, 1, 1)),
        "equalize": Operation(equalize, (17,)),
        "invert": Operation(invert, (17,)),
        "identity": Operation(identity, ()),
        "posterize": Operation(posterize, (8,)),
        "rescale": Operation(rescale, (17, 6)),
        "rotate": Operation(rotate, (17,)),
        "sharpness": Operation(sharpness, (17,)),
        "shear_x": Operation(shear_x, (17,)),
        "shear_y": Operation(shear_y, (17,)),
        "smooth": Operation(smooth, (17,)),
        "solarize": Operation(solarize, (17,)),
        "translate_x": Operation(translate_x, (17,)),
        "translate_y": Operation(translate_y, (17,)),
    }
)
