"""Images with a hierarchy of classes: a generated world of 80 leaves; ImageNet with its list of 1 %."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.data.augment import Brightness, Compose, Mirror, RandomAffine
from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.readers.listings import list_folder
from holdfast.errors import InputError
from holdfast.experiment import Problem

LEVELS = ("leaf", "sub", "super")


@dataclass(frozen=True, eq=False)
class World:
    """One replicate of the leaves.

    Attributes:
        train, test: (N, 2 c) float32: an image's code and its nuisance; `render` makes the pixels of it.
        y, test_y: (N, 3) int64, class at the levels leaf, sub, super.
        render: the fixed network that makes (N, D) pixels.
    """

    train: Tensor
    test: Tensor
    y: Tensor
    test_y: Tensor
    render: Render


@dataclass(frozen=True)
class Leaves(Problem):
    """Superclasses of subclasses of leaves in a space of codes, seen through a fixed random network.

    A leaf's code is u_super + .7 u_sub + .5 u_leaf with normal u; an image's is that plus normal noise. Pixels are
    tanh(W2 relu(W1 [code; nuisance])), whose weights have the deviation 1 / sqrt(inputs).

    Attributes:
        supers, subs, leaves: classes at the top, in each of them, and in each of these.
        images, test_images: per leaf.
        code: numbers in a code, and in a nuisance.
        noise: deviation of images about their leaf.
        pixels: of an image.
    """

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
        fine, middle, coarse = self.counts
        codes = rng.normal(size=(coarse, self.code)).repeat(fine // coarse, 0)
        codes = codes + 0.7 * rng.normal(size=(middle, self.code)).repeat(self.leaves, 0)
        codes = codes + 0.5 * rng.normal(size=(fine, self.code))
        parts = []
        for each in (self.images, self.test_images):
            leaf = np.arange(fine).repeat(each)
            seen = codes[leaf] + self.noise * rng.normal(size=(len(leaf), self.code))
            x = np.concatenate([seen, rng.normal(size=seen.shape)], 1)
            classes = np.stack([leaf, leaf // self.leaves, leaf // (self.leaves * self.subs)], 1)
            parts.append((torch.from_numpy(x).float(), torch.from_numpy(classes)))
        (train, y), (test, test_y) = parts
        return World(train, test, y, test_y, Render(2 * self.code, self.pixels, rng))

    def describe(self) -> str:
        fine, middle, coarse = self.counts
        return f"{fine} leaves in {middle} subclasses of {coarse} superclasses, {self.images} generated images of each"


class Render(nn.Module):
    """Latent numbers (N, L) to pixels (N, D), tanh(W2 relu(W1 x)), with weights that stay as they were drawn."""

    w1: Tensor
    w2: Tensor

    def __init__(self, latent: int, pixels: int, rng: np.random.Generator) -> None:
        super().__init__()
        for name, rows in (("w1", latent), ("w2", pixels)):
            w = rng.normal(size=(rows, pixels)) / np.sqrt(rows)
            self.register_buffer(name, torch.from_numpy(w).float())

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(torch.relu(x @ self.w1) @ self.w2)


@dataclass(frozen=True)
class Redraw:
    """A view of latent numbers: the nuisance is drawn anew, the code gets a little noise."""

    noise: float = 0.1

    def __call__(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        draw = torch.randn(images.shape, generator=generator, device=images.device)
        code = images.shape[1] // 2
        return torch.cat([images[:, :code] + self.noise * draw[:, :code], draw[:, code:]], 1)


# ------------------------------------------------------------------------------------------------------------ ImageNet
VIEWS = Compose((RandomAffine(15, (1.0, 2.0), 0.1, 0.15), Brightness(), Mirror()))


@dataclass(frozen=True)
class ImageNet(FileProblem):
    """ImageNet's training images, and the 1 % of them whose labels semi-supervised papers use.

    Attributes:
        folder: that holds `<wnid>/*.JPEG`; None = `hcsc/imagenet/train` under HOLDFAST_DATA.
        names: the list of the 1 %; None = `hcsc/1percent.txt` there.
        side: of an image in pixels; depths: blocks of the residual network's stages.
        n_clusters: prototypes per level.
    """

    folder: Path | None = None
    names: Path | None = None
    side: int = 224
    depths: tuple[int, ...] = (3, 4, 6, 3)
    n_clusters: tuple[int, ...] = (3000, 2000, 1000)
    how_to_get: ClassVar[str] = (
        "<wnid>/*.JPEG of ILSVRC 2012 (image-net.org, non-commercial) in hcsc/imagenet/train under HOLDFAST_DATA, and "
        "1percent.txt of github.com/gyfastas/HCSC (MIT) in hcsc"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        return self.folder or data_folder("hcsc/imagenet/train"), self.names or data_folder("hcsc/1percent.txt")

    def images(self) -> tuple[list[Path], list[Path]]:
        """All training images, and those of the list."""
        folder, names = self.found()
        return list(list_folder(folder, "train").paths), listed_images(names, folder)

    def describe(self) -> str:
        return "ImageNet, 1.28 million photographs in 1,000 classes"


def listed_images(names: Path, folder: Path) -> list[Path]:
    """The images that a list of the 1 % names: one `<wnid>_<number>.JPEG` a line, in `folder/<wnid>/`.

    Raises:
        InputError: a line that is no such name, or names an image that is not there; no line at all.
    """
    found = []
    for number, line in enumerate(names.read_text(encoding="utf-8").splitlines(), start=1):
        if not (name := line.strip()):
            continue
        wnid, _, rest = name.partition("_")
        if not rest or Path(name).name != name:
            raise InputError(f"{names}, line {number}", "must be a file name such as n01440764_18.JPEG", name)
        if not (path := folder / wnid / name).is_file():
            raise InputError(f"{names}, line {number}", f"must name an image in {folder / wnid}", name)
        found.append(path)
    if not found:
        raise InputError(str(names), "must name at least one image", "none")
    return found


__all__ = ["LEVELS", "VIEWS", "ImageNet", "Leaves", "Redraw", "World", "listed_images"]
