"""Images with a hierarchy of classes: a generated world of 80 leaves; ImageNet with its list of 1 %."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from holdfast.data.augment import Brightness, Compose, Mirror, RandomAffine
from holdfast.data.imagenet import ImageNet
from holdfast.data.synthetic.leaves import World, leaves_world
from holdfast.experiment import Problem

VIEWS = Compose((RandomAffine(15, (1.0, 2.0), 0.1, 0.15), Brightness(), Mirror()))  # of photographs


@dataclass(frozen=True)
class Leaves(Problem):
    """Superclasses of subclasses of leaves: `leaves_world` says what the numbers are; images are counted per leaf."""

    supers: int = 5
    subs: int = 4
    leaves: int = 4
    images: int = 60
    test_images: int = 20
    code: int = 16
    noise: float = 0.25
    pixels: int = 64
    source: ClassVar[Literal["generated"]] = "generated"
    redrawn: ClassVar[bool] = True

    @property
    def counts(self) -> tuple[int, int, int]:
        """Classes per level, from fine to coarse."""
        return self.supers * self.subs * self.leaves, self.supers * self.subs, self.supers

    def draw(self, rng: np.random.Generator) -> World:
        """One replicate."""
        shape, images = (self.supers, self.subs, self.leaves), (self.images, self.test_images)
        return leaves_world(rng, shape, images, self.code, self.noise, self.pixels)

    def describe(self) -> str:
        fine, middle, coarse = self.counts
        return f"{fine} leaves in {middle} subclasses of {coarse} superclasses, {self.images} generated images of each"


@dataclass(frozen=True)
class Photographs(ImageNet):
    """ImageNet, with blocks per stage of the residual network, and prototypes per level."""

    depths: tuple[int, ...] = (3, 4, 6, 3)
    n_clusters: tuple[int, ...] = (3000, 2000, 1000)


__all__ = ["VIEWS", "Leaves", "Photographs"]
