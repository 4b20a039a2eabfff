"""Problems whose test domains are unseen: rotated digits, a graph of domains, a made-up climate, spirals."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.data.digits import MNIST_FILE, Mnist5k, mnist5k, resize
from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.readers.arrays import read_named
from holdfast.data.splits import fixed_test, stratified
from holdfast.data.unseen_domains.worlds import DomainsProblem, Part, World, joined
from holdfast.errors import InputError
from holdfast.experiment import DataSource


def rotate(images: Tensor, degrees: float) -> Tensor:
    """Images (N, 1, H, H) turned counter-clockwise about their centre, bilinearly, black outside.

    Example:
        >>> image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
        >>> rotate(image, 90).round().squeeze().tolist()
        [[2.0, 4.0], [1.0, 3.0]]
    """
    angle = np.deg2rad(degrees)
    matrix = torch.tensor([[np.cos(angle), -np.sin(angle), 0.0], [np.sin(angle), np.cos(angle), 0.0]]).float()
    grid = F.affine_grid(matrix.expand(len(images), 2, 3), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def on_circle(degrees: Sequence[float]) -> Tensor:
    """(cos, sin) of angles: (N, 2) float32."""
    angle = np.deg2rad(np.asarray(degrees, float))
    return torch.from_numpy(np.stack([np.cos(angle), np.sin(angle)], 1)).float()


TEST, VALIDATION = 400, 100  # images of the pool of 1,000 sixes and nines


@functools.cache
def _sixes_and_nines() -> tuple[Tensor, Tensor]:
    """(1000, 1, 14, 14) images and (1000,) labels, 1 for a nine."""
    images, labels = mnist5k()
    chosen = (labels == 6) | (labels == 9)
    return resize(images[chosen], 14), (labels[chosen] == 9).long()


@dataclass(frozen=True)
class RotatedDigits(DomainsProblem):
    """Sixes and nines at 24 angles: a nine upside down looks like a six, so the right answer depends on the angle.

    Training domains are every second angle, test domains those between; domains for validation lie between both. A
    replicate draws the training images; test and validation images are fixed and never trained on.

    Attributes:
        images: of each class in a training domain.
        few: of each class in every second training domain; None = as many.
    """

    images: int = 40
    few: int | None = None

    source: ClassVar[DataSource] = "package"
    how_to_get: ClassVar[str] = Mnist5k.how_to_get
    fixed_test: ClassVar[bool] = True
    step: ClassVar[float] = 15.0

    def available(self) -> bool:
        return Mnist5k().available()

    def fingerprint(self) -> str:
        return MNIST_FILE[1]

    def describe(self) -> str:
        rare = "" if self.few is None else f", {self.few} in every second of them"
        return f"MNIST 6 or 9 as 14x14, 12 angles to train ({self.images} images a class{rare}), 12 others to test"

    def world(self, rng: np.random.Generator) -> World:
        images, labels = _sixes_and_nines()
        held, tested, pool = fixed_test(labels, TEST, VALIDATION)
        degrees = [self.step * i for i in range(24)] + [self.step * (2 * i + 0.5) for i in range(12)]
        parts = []
        for place, i in enumerate(range(0, 24, 2)):
            count = self.few if self.few is not None and place % 2 else self.images
            parts.append(_turned(images, labels, _drawn(labels, pool, count, rng), i, degrees[i]))
        test = [_turned(images, labels, tested, i, degrees[i]) for i in range(1, 24, 2)]
        validation = [_turned(images, labels, held, i, degrees[i]) for i in range(24, 36)]
        known = torch.arange(0, 24, 2)
        cases = tuple(tested.tolist())
        return World(joined(parts), joined(validation), joined(test), known, on_circle(degrees), None, 2, cases)


def _drawn(labels: Tensor, pool: Tensor, per_class: int, rng: np.random.Generator) -> Tensor:
    rows = [pool[labels[pool] == k].numpy() for k in (0, 1)]
    return torch.from_numpy(np.concatenate([rng.choice(found, per_class, replace=False) for found in rows]))


def _turned(images: Tensor, labels: Tensor, rows: Tensor, domain: int, degrees: float) -> Part:
    x = rotate(images[rows], degrees).flatten(1)
    return Part(x, labels[rows], torch.full((len(rows),), domain))


@dataclass(frozen=True)
class GraphOfDomains(DomainsProblem):
    """Domains known by a graph alone: each is labelled by a direction that changes smoothly along its edges.

    Domains are points of a square, joined where they are close (a random geometric graph); where they lie is told to
    nobody. The label is the side of a line through 0, turned by an angle that is a smooth function of the place.

    Attributes:
        domains: D; of 10 of them 6 are for training, 1 for validation and 3 to test.
        radius: largest distance of neighbours in the unit square.
        examples: of a training domain; others have `tests`.
        features: of an example, of which two matter.
    """

    domains: int = 40
    radius: float = 0.25
    examples: int = 40
    tests: int = 200
    features: int = 8

    source: ClassVar[DataSource] = "generated"

    def describe(self) -> str:
        return f"{self.domains} domains on a random geometric graph, which alone is known; each with a direction"

    def angles(self, places: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The direction at places (D, 2), radians: a slope and a wave over the square."""
        slope, wave = (np.array([np.cos(a), np.sin(a)]) for a in rng.uniform(0, 2 * np.pi, 2))
        phase = rng.uniform(0, 2 * np.pi, 2)
        return phase[0] + 1.5 * np.pi * places @ slope + np.sin(2 * np.pi * places @ wave + phase[1])

    def world(self, rng: np.random.Generator) -> World:
        places = rng.random((self.domains, 2))
        distance = np.linalg.norm(places[:, None] - places[None], axis=-1)
        adjacency = ((distance < self.radius) & ~np.eye(self.domains, dtype=bool)).astype(np.float32)
        angles = self.angles(places, rng)
        order = rng.permutation(self.domains)
        first, second = round(0.6 * self.domains), round(0.7 * self.domains)
        groups = (np.sort(order[:first]), order[first:second], order[second:])
        counts = (self.examples, self.tests, self.tests)
        parts = [
            joined([self._examples(int(d), angles[d], count, rng) for d in group])
            for group, count in zip(groups, counts, strict=True)
        ]
        return World(parts[0], parts[1], parts[2], torch.from_numpy(groups[0]), None, torch.from_numpy(adjacency), 2)

    def _examples(self, domain: int, angle: float, count: int, rng: np.random.Generator) -> Part:
        x = rng.standard_normal((count, self.features)).astype(np.float32)
        y = (x[:, 0] * np.cos(angle) + x[:, 1] * np.sin(angle) > 0).astype(np.int64)
        return Part(torch.from_numpy(x), torch.from_numpy(y), torch.full((count,), domain))


@dataclass(frozen=True)
class Temperatures(DomainsProblem):
    """A made-up climate: 48 places, the second half of a year's monthly temperatures from the first half.

    A stand-in for TPT-48 with a generator in its place; training, validation and test places are drawn.

    Attributes:
        places: D.
        years: examples of each.
    """

    places: int = 48
    years: int = 12

    source: ClassVar[DataSource] = "generated"

    def describe(self) -> str:
        return f"generated monthly temperatures of {self.places} places: July-December from January-June (synthetic)"

    def world(self, rng: np.random.Generator) -> World:
        latitude, longitude = rng.uniform(27, 48, self.places), rng.uniform(-122, -70, self.places)
        north = latitude - 25
        month = np.arange(12)
        # Summers come later, and winters are colder, in the east of the same latitude.
        phase = 6 + 0.8 * (longitude + 96) / 26
        wave = np.cos(2 * np.pi * (month - phase[:, None]) / 12)
        mean = (27 - 0.75 * north)[:, None] + (4 + 0.45 * north + 2 * (longitude + 96) / 26)[:, None] * wave
        noise = np.zeros((self.places, self.years, 12))
        shock = rng.standard_normal(noise.shape)
        noise[..., 0] = shock[..., 0]
        for m in range(1, 12):
            noise[..., m] = 0.6 * noise[..., m - 1] + 0.8 * shock[..., m]
        series = torch.from_numpy((mean[:, None] + 1.2 * noise - 12) / 10).float()
        domain = torch.arange(self.places)[:, None].expand(-1, self.years)
        order = torch.from_numpy(rng.permutation(self.places))
        first, second = round(0.6 * self.places), round(0.7 * self.places)
        groups = (order[:first].sort().values, order[first:second], order[second:])
        parts = [
            Part(series[g, :, :6].flatten(0, 1), series[g, :, 6:].flatten(0, 1), domain[g].flatten()) for g in groups
        ]
        metadata = torch.from_numpy(np.stack([(latitude - 37.5) / 6, (longitude + 96) / 15], 1)).float()
        return World(parts[0], parts[1], parts[2], groups[0], metadata, None, 0)


PUBLISHED_15 = (0, 3, 4, 8, 12, 14)


@dataclass(frozen=True)
class Spiral(FileProblem, DomainsProblem):
    """DG-15 or DG-60: domains along an arc, two classes on opposite sides of it, at an angle that is the domain's own.

    Attributes:
        file: npz with data (N, 2), label, domain (N,), A (D, D) and angle (D,).
        known: training domains; the others are tested.
    """

    file: str = "d3g/dg15.npz"
    known: tuple[int, ...] = PUBLISHED_15

    how_to_get: ClassVar[str] = (
        "data/toy_d15_spiral_tight_boundary.pkl of github.com/Wang-ML-Lab/GRDA, converted to HOLDFAST_DATA/d3g/dg15.npz"
    )
    fixed_test: ClassVar[bool] = True

    @property
    def paths(self) -> tuple[Path, ...]:
        return (data_folder(self.file),)

    def describe(self) -> str:
        return f"{Path(self.file).stem}: points on a spiral of domains, {len(self.known)} of them to train"

    def world(self, rng: np.random.Generator) -> World:
        data = load_spiral(self.found()[0])
        domain = data["domain"].long()
        trained = torch.isin(domain, torch.tensor(self.known))
        scale = data["data"][trained].std(0)
        whole = Part((data["data"] / scale).float(), data["label"].long(), domain)
        held = stratified(domain[trained], 0.2, np.random.default_rng(0))
        rows = torch.nonzero(trained).squeeze(1)
        parts = [
            Part(whole.x[chosen], whole.y[chosen], domain[chosen])
            for chosen in (rows[~held], rows[held], torch.nonzero(~trained).squeeze(1))
        ]
        metadata = on_circle(np.rad2deg(data["angle"].numpy()).tolist())
        return World(parts[0], parts[1], parts[2], torch.tensor(sorted(self.known)), metadata, data["A"].float(), 2)


def load_spiral(path: Path) -> dict[str, Tensor]:
    """data (N, 2), label, domain (N,), A (D, D), angle (D,) of a DG-15 or DG-60 file, float64.

    Raises:
        InputError: an array is missing, or their shapes do not fit together.
    """
    arrays = read_named(path, ("data", "label", "domain", "A", "angle"))
    found = {name: torch.from_numpy(array.astype(np.float64)) for name, array in arrays.items()}
    count, domains = len(found["label"]), len(found["angle"])
    wanted = {"data": (count, 2), "label": (count,), "domain": (count,), "A": (domains, domains), "angle": (domains,)}
    for name, shape in wanted.items():
        if tuple(found[name].shape) != shape:
            raise InputError(f"{path}: {name}", f"must have shape {shape}", tuple(found[name].shape))
    if count == 0 or bool((found["domain"] < 0).any()) or bool((found["domain"] >= domains).any()):
        raise InputError(f"{path}: domain", f"must be in [0, {domains})", f"{count} rows")
    return found


__all__ = [
    "GraphOfDomains",
    "RotatedDigits",
    "Spiral",
    "Temperatures",
    "load_spiral",
    "on_circle",
    "rotate",
]
