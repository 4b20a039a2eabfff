"""The tree of prototypes: k-means of features, then k-means of its centroids, level by level (section 3.2)."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.errors import InputError
from holdfast.files import write_text
from holdfast.retrieval.kmeans import Backend, kmeans
from holdfast.validation import check_array, check_integer, check_positive

FORMAT = "holdfast.hcsc.tree/1"
SMOOTH = 10  # added to the size of a cluster in its temperature


@dataclass(frozen=True, eq=False)
class PrototypeTree:
    """Prototypes of L levels, from fine to coarse, and where every row belongs.

    Attributes:
        assign: per level (N,) int64, the prototype of each row.
        prototypes: per level (M_l, D) float32 of length 1.
        temperatures: per level (M_l,) float32, phi.
        parent: for all levels but the last (M_l,) int64, the prototype above each prototype.

    Example:
        >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
        >>> tree = hierarchical_kmeans(x, (3, 2))
        >>> tree.path(0)[1] == tree.path(1)[1], len(tree.to_newick()) > 0
        (True, True)
    """

    assign: list[Tensor]
    prototypes: list[Tensor]
    temperatures: list[Tensor]
    parent: list[Tensor]

    def __len__(self) -> int:
        return len(self.prototypes)

    @property
    def parts(self) -> tuple[list[Tensor], ...]:
        """The four lists."""
        return self.assign, self.prototypes, self.temperatures, self.parent

    def path(self, i: int) -> tuple[int, ...]:
        """The prototypes of row i, from fine to coarse."""
        check_integer(i, "i", low=0, high=len(self.assign[0]) - 1)
        return tuple(int(a[i]) for a in self.assign)

    def paths(self) -> np.ndarray:
        """(N, L) int64: `path` of all rows."""
        return torch.stack(self.assign, 1).cpu().numpy()

    def sizes(self, level: int) -> np.ndarray:
        """(M_l,) rows of every prototype of a level, counted from 0."""
        return torch.bincount(self.assign[level], minlength=len(self.prototypes[level])).cpu().numpy()

    def children(self, level: int) -> list[list[int]]:
        """For every prototype of a level above 0, those of the level below that it is the parent of."""
        found: list[list[int]] = [[] for _ in self.prototypes[level]]
        for child, parent in enumerate(self.parent[level - 1].tolist()):
            found[parent].append(child)
        return found

    def place(self, x: Tensor) -> Tensor:
        """(n, L) int64: the path of new rows (n, D), by the nearest finest prototype."""
        rows = [(F.normalize(x.float(), dim=1) @ self.prototypes[0].T).argmax(1)]
        for up in self.parent:
            rows.append(up[rows[-1]])
        return torch.stack(rows, 1)

    def to(self, device: Any) -> Self:
        """The tree on a device."""
        return type(self)(*([t.to(device) for t in part] for part in self.parts))

    def to_newick(self) -> str:
        """The tree as Newick text: "<level>.<prototype>[<rows>]:<length>", levels from 1 (fine) to L (coarse).

        The number of rows is a comment there; lengths are cosine distances between a prototype and its parent.
        """
        below: list[str] = []
        for level, c in enumerate(self.prototypes):
            far = torch.zeros(len(c))
            if level < len(self) - 1:
                far = (1 - (c * self.prototypes[level + 1][self.parent[level]]).sum(1)).clamp_min(0)
            inside = [",".join(below[k] for k in group) for group in self.children(level)] if level else [""] * len(c)
            rows = zip(inside, self.sizes(level), far.tolist(), strict=True)
            below = [
                f"{f'({text})' if text else ''}{level + 1}.{i}[{size}]:{length:.6g}"
                for i, (text, size, length) in enumerate(rows)
            ]
        return f"({','.join(below)});\n"

    def save(self, path: str | Path) -> None:
        """Write all of it as one JSON file, whole or not at all."""
        levels: list[dict[str, Any]] = []
        for c, phi in zip(self.prototypes, self.temperatures, strict=True):
            texts = [[float(str(v)) for v in row] for row in c.cpu().numpy()]  # the shortest that float32 reads back
            levels.append({"prototypes": texts, "temperatures": [float(str(v)) for v in phi.cpu().numpy()]})
        for level, up in zip(levels, self.parent, strict=False):
            level["parent"] = up.tolist()
        whole = {"format": FORMAT, "levels": levels, "assign": self.assign[0].tolist()}
        write_text(Path(path), json.dumps(whole, separators=(",", ":")) + "\n")


def hierarchical_kmeans(
    features: Any,
    n_clusters: Sequence[int] = (3000, 2000, 1000),
    n_iter: int = 20,
    n_init: int = 5,
    seed: int = 0,
    backend: Backend = "torch",
    temperature: float = 0.2,
) -> PrototypeTree:
    """The tree of features: level 1 clusters rows, each further level the unit centroids of the one before.

    Args:
        features: (N, D); scaled to length 1 here.
        n_clusters: prototypes per level, falling, at most N.
        n_iter, n_init: rounds and restarts of each k-means.
        seed: level l, from 0, uses seed + l.
        backend: "torch" (on the features' device), "faiss" or "sklearn" (mini-batch).
        temperature: the mean of the temperatures of each level.

    Raises:
        InputError: clusters that do not fall, or more than rows; a row without direction. Warns of collapsed features.
    """
    x = torch.as_tensor(check_array(features, "N D", name="features", dtype="float32")).detach()
    counts = check_clusters(n_clusters, len(x))
    check_integer(seed, "seed", low=0)
    check_positive(temperature, "temperature")
    lengths = x.norm(dim=1)
    if wrong := ((lengths == 0) | ~lengths.isfinite()).nonzero().flatten().tolist():
        raise InputError("features", "must have rows whose length is above 0 and finite", f"row {wrong[0]}")
    below = x / lengths[:, None]
    assign: list[Tensor] = []
    prototypes, temperatures, parent = [], [], []
    for level, k in enumerate(counts):
        means, index = kmeans(below, k, n_iter=n_iter, n_init=n_init, seed=seed + level, backend=backend)
        temperatures.append(concentration(below, means, index, temperature))
        if level:
            parent.append(index)
        assign.append(index[assign[-1]] if level else index)
        below = F.normalize(means, dim=1)
        prototypes.append(below)
    share = float(torch.bincount(assign[0]).max()) / len(x)
    if counts[0] > 1 and share > 0.9:
        warnings.warn(f"one cluster holds {share:.0%} of the rows: the features have collapsed", stacklevel=2)
    return PrototypeTree(assign, prototypes, temperatures, parent)


def concentration(members: Tensor, centroids: Tensor, index: Tensor, temperature: float) -> Tensor:
    """phi (M,): mean distance of a cluster's members to its centroid (before scaling) over log(members + 10).

    Clusters of at most one member have the largest phi; then clipped to the 10th and 90th percentile, and scaled to
    the mean `temperature`.
    """
    k = len(centroids)
    apart = (members - centroids[index]).norm(dim=1)
    counts = torch.bincount(index, minlength=k)
    sums = torch.zeros(k, device=apart.device, dtype=apart.dtype).index_add_(0, index, apart)
    phi = sums / counts.clamp_min(1) / torch.log(counts + float(SMOOTH))
    phi = torch.where(counts > 1, phi, phi.max())
    low, high = torch.quantile(phi, torch.tensor([0.1, 0.9], device=phi.device, dtype=phi.dtype))
    phi = phi.clamp(low, high)
    mean = phi.mean()
    # All members at their centroids: nothing tells clusters apart.
    return torch.where(mean > 0, temperature * phi / mean.clamp_min(1e-12), temperature)


def check_clusters(n_clusters: Any, rows: int) -> tuple[int, ...]:
    """The numbers of clusters, once they fall and there are rows for them."""
    if isinstance(n_clusters, int | str) or not len(n_clusters):
        raise InputError("n_clusters", "must be whole numbers, one per level", n_clusters)
    counts = tuple(check_integer(k, "n_clusters", low=1) for k in n_clusters)
    if any(a <= b for a, b in pairwise(counts)):
        raise InputError("n_clusters", "must fall from level to level", counts)
    if counts[0] > rows:
        raise InputError("n_clusters", f"must be at most the number of rows, {rows}", counts[0])
    return counts


__all__ = ["PrototypeTree", "check_clusters", "concentration", "hierarchical_kmeans"]
