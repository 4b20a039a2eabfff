"""Ways to levels of clusters: the method's tree, and what it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.retrieval.kmeans import kmeans
from holdfast.systems.hcsc.method.prototypes import PrototypeTree, concentration, hierarchical_kmeans

T = 0.2


def tree_levels(x: Tensor, counts: Sequence[int], seed: int) -> PrototypeTree:
    """The method's tree."""
    return hierarchical_kmeans(x, counts, seed=seed, temperature=T)


def one_level(x: Tensor, counts: Sequence[int], seed: int) -> PrototypeTree:
    """The finest clusters, used for every level."""
    fine = hierarchical_kmeans(x, counts[:1], seed=seed, temperature=T)
    same = torch.arange(counts[0])
    return PrototypeTree(fine.assign * 3, fine.prototypes * 3, fine.temperatures * 3, [same, same])


def independent_levels(x: Tensor, counts: Sequence[int], seed: int) -> PrototypeTree:
    """Each level by k-means of the images' own features; above a prototype stands the nearest one."""
    each = [hierarchical_kmeans(x, (k,), seed=seed + i, temperature=T) for i, k in enumerate(counts)]
    prototypes = [tree.prototypes[0] for tree in each]
    parent = [(a @ b.T).argmax(1) for a, b in pairwise(prototypes)]
    return PrototypeTree([t.assign[0] for t in each], prototypes, [t.temperatures[0] for t in each], parent)


def random_parents(x: Tensor, counts: Sequence[int], seed: int) -> PrototypeTree:
    """Broken: the finest level is the tree's; prototypes above have children drawn at random, equally many."""
    generator = torch.Generator().manual_seed(seed)
    means, index = kmeans(x, counts[0], seed=seed)
    assign, prototypes, parent = [index], [F.normalize(means, dim=1)], []
    temperatures = [concentration(x, means, index, T)]
    for k in counts[1:]:
        below = prototypes[-1]
        up = torch.randperm(len(below), generator=generator) % k
        means = torch.zeros(k, x.shape[1]).index_add_(0, up, below) / torch.bincount(up, minlength=k)[:, None]
        temperatures.append(concentration(below, means, up, T))
        prototypes.append(F.normalize(means, dim=1))
        parent.append(up)
        assign.append(up[assign[-1]])
    return PrototypeTree(assign, prototypes, temperatures, parent)


__all__ = ["T", "independent_levels", "one_level", "random_parents", "tree_levels"]
