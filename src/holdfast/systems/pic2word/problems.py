"""Drawn worlds: a CLIP of shapes, one object to be found beside another, and a style to be changed."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from holdfast.data.batches import Batches
from holdfast.data.synthetic.captioned import KINDS, PHOTO, PIXELS, Drawn, draw, drawn_kinds, kind_words
from holdfast.data.synthetic.captions import WORDS
from holdfast.data.synthetic.shapes import BACKGROUNDS, STYLES, beside
from holdfast.encoders.clip import ClipLearner, ConvTower, TinyCLIP
from holdfast.experiment import Problem
from holdfast.randomness import seeded
from holdfast.training import fit
from holdfast.training.optim import warm_cosine


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

    The gallery has an image of every ordered pair of the 36 kinds; 70 others share the picture's object, 70 the text's,
    and the pair in the other order counts as wrong.
    """

    def draw(self, rng: np.random.Generator) -> Queries:
        left, right = torch.arange(KINDS).repeat_interleave(KINDS), torch.arange(KINDS).repeat(KINDS)
        pairs = beside(drawn_kinds(left, rng), drawn_kinds(right, rng))
        gallery = draw(pairs, torch.from_numpy(rng.integers(0, len(BACKGROUNDS), len(left))), rng)
        target = torch.from_numpy(rng.permutation(len(left))[: self.queries])
        a, b = left[target], right[target]
        image = draw(drawn_kinds(a, rng), torch.zeros_like(a), rng)
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
        gallery = torch.cat([draw(drawn_kinds(kind, rng, style), behind, rng) for _ in range(2)])
        others = torch.nonzero(style != PHOTO).squeeze(1)
        target = others[torch.from_numpy(rng.permutation(len(others))[: self.queries])]
        image = draw(drawn_kinds(kind[target], rng), behind[target], rng)
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


__all__ = ["Beside", "Queries", "Style", "World", "fresh_clip", "train_clip"]
