"""Drawn worlds: a CLIP of shapes, one object to be found beside another, and a style to be changed."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from holdfast.data.batches import Batches
from holdfast.data.synthetic.captions import WORDS, caption, drawn_forms
from holdfast.data.synthetic.shapes import BACKGROUNDS, COLOURS, SHAPES, STYLES, Objects, beside, one_object, render
from holdfast.encoders.clip import ClipLearner, ConvTower, TinyCLIP
from holdfast.experiment import Problem
from holdfast.randomness import seeded
from holdfast.training import fit
from holdfast.training.optim import warm_cosine

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


@dataclass(frozen=True, eq=False)
class Queries:
    """What is searched for, and among what.

    Attributes:
        image: (Q, 3, 16, 16), the pictures of the queries.
        composed: Q texts with "*"; alone: the same without the picture; full: what the target shows, said in full.
        gallery: (G, 3, 16, 16).
        relevant: (Q, G) bool.
    """

    image: Tensor
    composed: list[str]
    alone: list[str]
    full: list[str]
    gallery: Tensor
    relevant: Tensor


def training_images(number: int, rng: np.random.Generator) -> Drawn:
    """Half with one object in any style, half with two objects side by side as photos; captions of several lengths."""
    half = number // 2
    one = moved(one_object(*(_whole(rng, len(v), half) for v in (SHAPES, COLOURS, STYLES))), rng)
    left, right = (_objects(_whole(rng, KINDS, half), rng) for _ in range(2))
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


def fresh_clip() -> TinyCLIP:
    """Untrained: convolutions on images, a text tower of one layer, all words of the grammar and "*"."""
    return TinyCLIP([*WORDS, "*"], ConvTower(PIXELS))


def train_clip(drawn: Drawn, steps: int, batch: int, seed: int) -> TinyCLIP:
    """A CLIP of the drawings, frozen."""
    with seeded(seed):
        clip = fresh_clip()
    data = Batches({"pixels": drawn.image, "tokens": clip.tokens(drawn.captions)}, batch, seed)
    fit(ClipLearner(clip), data, steps=steps, seed=seed, schedule=lambda done: warm_cosine(done, 0.1))
    return clip.eval().requires_grad_(False)


def kind_words(kind: int) -> str:
    """ "red circle" of 0: kinds are numbered shape by shape.

    Example:
        >>> kind_words(7)
        'green square'
    """
    return f"{list(COLOURS)[kind % len(COLOURS)]} {SHAPES[kind // len(COLOURS)]}"


def _objects(kinds: Tensor, rng: np.random.Generator, style: Tensor | None = None) -> Objects:
    return moved(one_object(kinds // len(COLOURS), kinds % len(COLOURS), style), rng)


@dataclass(frozen=True)
class World(Problem):
    """Queries of a drawn world.

    Attributes:
        queries: Q.
    """

    queries: int = 300
    source: ClassVar[Literal["generated"]] = "generated"
    redrawn: ClassVar[bool] = True

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Queries:
        """One replicate."""


@dataclass(frozen=True)
class Beside(World):
    """Object composition: the picture shows one object on white, the text names another, the target shows both.

    The gallery has an image of every ordered pair of the 36 kinds: 35 others share the picture's object, 35 the text's.
    """

    def draw(self, rng: np.random.Generator) -> Queries:
        left, right = (k.flatten() for k in torch.meshgrid(*(torch.arange(KINDS),) * 2, indexing="ij"))
        gallery = draw(beside(_objects(left, rng), _objects(right, rng)), _whole(rng, len(BACKGROUNDS), len(left)), rng)
        target = torch.from_numpy(rng.permutation(len(left))[: self.queries])
        a, b = left[target], right[target]
        image = draw(_objects(a, rng), torch.zeros_like(a), rng)
        said = [(kind_words(int(i)), kind_words(int(j))) for i, j in zip(a, b, strict=True)]
        return Queries(
            image,
            [f"a photo of * and a {second}" for _, second in said],
            [f"a photo of a {second}" for _, second in said],
            [f"a photo of a {first} and a {second}" for first, second in said],
            gallery,
            target[:, None] == torch.arange(len(left)),
        )

    def describe(self) -> str:
        return "one object in the picture, one in the text, both in the target; 1,296 images of pairs"


@dataclass(frozen=True)
class Style(World):
    """Attribute: the picture is a photo, the text names another style, the target is the same in that style.

    The gallery has two images of each of the 576 combinations of kind, style and background.
    """

    def draw(self, rng: np.random.Generator) -> Queries:
        cells = torch.arange(KINDS * len(STYLES) * len(BACKGROUNDS))
        kind, style, behind = cells // 16, cells // 4 % 4, cells % 4
        gallery = torch.cat([draw(_objects(kind, rng, style), behind, rng) for _ in range(2)])
        others = torch.nonzero(style != PHOTO).squeeze(1)
        target = others[torch.from_numpy(rng.permutation(len(others))[: self.queries])]
        image = draw(_objects(kind[target], rng), behind[target], rng)
        names = [STYLES[int(s)] for s in style[target]]
        backs = list(BACKGROUNDS)
        full = [
            f"a {name} of a {kind_words(int(k))} on {backs[int(b)]}"
            for name, k, b in zip(names, kind[target], behind[target], strict=True)
        ]
        return Queries(
            image,
            [f"a {name} of *" for name in names],
            [f"a {name}" for name in names],
            full,
            gallery,
            target[:, None] == cells.repeat(2),
        )

    def describe(self) -> str:
        return "a photo in the picture, another style in the text; 1,152 images"


__all__ = [
    "Beside", "Drawn", "Queries", "Style", "World", "draw", "fresh_clip", "kind_words", "moved", "train_clip",
    "training_images",
]  # fmt: skip
