"""Captioned drawings: what a tiny joint encoder of images and texts can be trained on in a minute.

36 kinds of objects (shape and colour) in 4 styles on 4 backgrounds, 16 x 16 pixels, alone or two side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from holdfast.data.synthetic.captions import caption, drawn_forms
from holdfast.data.synthetic.shapes import BACKGROUNDS, COLOURS, SHAPES, STYLES, Objects, beside, one_object, render

PIXELS, NOISE = 16, 0.05
KINDS = len(SHAPES) * len(COLOURS)  # of objects: shape and colour
PHOTO = STYLES.index("photo")


@dataclass(frozen=True, eq=False)
class Drawn:
    """Images with what they show.

    Attributes:
        image: (N, 3, 16, 16).
        captions: N texts.
        single: (N,) bool, one object; photo: (N,) bool, in the style of a photo.
    """

    image: Tensor
    captions: list[str]
    single: Tensor
    photo: Tensor


def training_images(number: int, rng: np.random.Generator) -> Drawn:
    """Half with one object in any style, half with two objects side by side as photos; captions of several lengths."""
    half = number // 2
    one = moved(one_object(*(_whole(rng, len(v), half) for v in (SHAPES, COLOURS, STYLES))), rng)
    left, right = (drawn_kinds(_whole(rng, KINDS, half), rng) for _ in range(2))
    two = beside(left, right)
    behind = [_whole(rng, len(BACKGROUNDS), half) for _ in range(2)]
    images = [draw(objects, b, rng) for objects, b in zip((one, two), behind, strict=True)]
    texts = caption(one, behind[0].tolist(), drawn_forms(half, rng))
    texts += caption(two, behind[1].tolist(), ["coloured shape"] * half)
    single = torch.arange(2 * half) < half
    photo = torch.cat([one.style[:, 0] == PHOTO, torch.ones(half, dtype=torch.bool)])
    return Drawn(torch.cat(images), texts, single, photo)


def moved(objects: Objects, rng: np.random.Generator) -> Objects:
    """The objects at places up to .2 from the middle, at .8 to 1.15 of their sizes."""
    size = objects.x.shape

    def real(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, size)).float()

    places = real(-0.2, 0.2), real(-0.2, 0.2), real(0.8, 1.15)
    return Objects(objects.shape, objects.colour, objects.style, *places, objects.angle, objects.present)


def draw(objects: Objects, background: Tensor, rng: np.random.Generator) -> Tensor:
    """(N, 3, 16, 16) with noise."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    return render(objects, background, PIXELS, noise=NOISE, generator=generator).image


def _whole(rng: np.random.Generator, high: int, number: int) -> Tensor:
    return torch.from_numpy(rng.integers(0, high, number))


def kind_words(kind: int) -> str:
    """ "red circle" of 0: kinds are numbered shape by shape.

    Example:
        >>> kind_words(7)
        'green square'
    """
    return f"{list(COLOURS)[kind % len(COLOURS)]} {SHAPES[kind // len(COLOURS)]}"


def drawn_kinds(kinds: Tensor, rng: np.random.Generator, style: Tensor | None = None) -> Objects:
    """One object of each kind (N,) a little off the middle; without a style (N,) all are photos."""
    return moved(one_object(kinds // len(COLOURS), kinds % len(COLOURS), style), rng)


__all__ = [
    "KINDS", "PHOTO", "PIXELS", "Drawn", "draw", "drawn_kinds", "kind_words", "moved", "training_images",
]  # fmt: skip
