"""Problems: points with charges in a cube, and molecules (OC20).

OC20's LMDB files hold pickles, which holdfast does not read. The user converts them, with the OCP project's own reader,
to a table with a row per atom: columns `sid, x, y, z, atomic_number, y_relaxed` (the energy, the same in every row of a
system), as `train.parquet` and `val_id.parquet`; docs/systems/flt.md has the script.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.point_problems import Parts, PointProblem, scaled_sets
from holdfast.data.point_sets import PointSets
from holdfast.experiment import DataSource


@dataclass(frozen=True)
class KernelMeans(PointProblem):
    """N points uniform in the unit cube with charges -1 or +1: predict sum_j K(r_i - r_j) c_j / sum_j K(r_i - r_j).

    K(z) = exp(-|z|^2 / (2 length^2)), the point itself included. Every replicate draws sets of its own.

    Attributes:
        size: N.
        length: of K.
        larger: side of the cube of the sets that measure whether what was learned carries over; N is the same.
    """

    size: int = 64
    length: float = 0.25
    larger: float = 1.5
    source: ClassVar[DataSource] = "generated"
    redrawn: ClassVar[bool] = True

    def describe(self) -> str:
        return f"{self.size} charges in a cube; predict their mean under a Gaussian of length {self.length:g}"

    def sets(self, rng: np.random.Generator, count: int, side: float = 1.0) -> PointSets:
        """`count` sets, targets included."""
        r = torch.from_numpy(rng.random((count, self.size, 3))).float() * side
        c = torch.from_numpy(rng.choice([-1.0, 1.0], (count, self.size))).float()
        y = [kernel_mean(a, b, self.length) for a, b in zip(r.split(256), c.split(256), strict=True)]
        real = torch.ones(count, self.size, dtype=torch.bool)
        return PointSets(r - r.mean(1, keepdim=True), c[..., None], torch.cat(y), real)

    def load(self, rng: np.random.Generator, train: int, held: int) -> Parts:
        learned, tuned, tested = (self.sets(rng, count) for count in (train, held, held))
        return Parts(learned, tuned, tested, tuple(map(str, range(held))), self.sets(rng, held, self.larger))


def kernel_mean(r: Tensor, c: Tensor, length: float) -> Tensor:
    """(S, N) from positions (S, N, d) and charges (S, N)."""
    weights = (-torch.cdist(r, r).square() / (2 * length**2)).exp()
    return (weights @ c[..., None])[..., 0] / weights.sum(2)


@dataclass(frozen=True)
class Molecules(FileProblem, PointProblem):
    """OC20 IS2RE after its conversion: the relaxed energy of a system, predicted at every atom of it."""

    folder: str = "oc20_is2re"
    how_to_get: ClassVar[str] = (
        "convert the LMDB files of OC20 IS2RE (CC BY 4.0, opencatalystproject.org) as docs/systems/flt.md says, into "
        "oc20_is2re/train.parquet and oc20_is2re/val_id.parquet in the folder that HOLDFAST_DATA names"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(data_folder(f"{self.folder}/{name}.parquet") for name in ("train", "val_id"))

    def describe(self) -> str:
        return "OC20 IS2RE: relaxed energies of adsorbates on surfaces"

    def load(self, rng: np.random.Generator, train: int, held: int) -> Parts:
        columns: tuple[Any, ...] = ("sid", ("x", "y", "z"), "y_relaxed")
        (sets, _), (test, names) = (scaled_sets(str(path), *columns) for path in self.found())
        order = rng.permutation(len(sets))
        tuning = max(1, len(sets) // 20)
        return Parts(sets[order[tuning:]], sets[order[:tuning]], test, tuple(names.astype(str)))


__all__ = ["KernelMeans", "Molecules", "kernel_mean"]
