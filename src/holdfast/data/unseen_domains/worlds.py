"""A world of domains: some to train, others unseen; of these no more is known than metadata or a place in a graph."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from holdfast.experiment import Problem


@dataclass(frozen=True, eq=False)
class Part:
    """Examples.

    Attributes:
        x: (N, ...) float32.
        y: (N,) int64 classes, or (N, C) float32 numbers.
        domain: (N,) int64, of the world's domains.
    """

    x: Tensor
    y: Tensor
    domain: Tensor

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, eq=False)
class World:
    """Training, validation and test domains.

    Attributes:
        train, validation, test: examples; their domains do not meet.
        known: (K,) the training domains, ascending.
        metadata: (D, m) float32 of every domain, or None where there is a graph only.
        adjacency: (D, D) float32, or None where there is metadata only.
        num_classes: 0 = numbers are predicted.
        cases: where the test part shows the same cases in each of its domains, in the same order: their ids.
    """

    train: Part
    validation: Part
    test: Part
    known: Tensor
    metadata: Tensor | None
    adjacency: Tensor | None
    num_classes: int
    cases: tuple[int, ...] | None = None


class DomainsProblem(Problem):
    """A problem that draws a world per replicate."""

    @abstractmethod
    def world(self, rng: np.random.Generator) -> World:
        """The world of a replicate."""


def joined(parts: Sequence[Part]) -> Part:
    """Parts one after the other."""
    return Part(*(torch.cat([getattr(part, name) for part in parts]) for name in ("x", "y", "domain")))


def balanced_rows(domain: Tensor) -> Tensor:
    """Rows of domains (N,), those of smaller domains several times, so that each has as many as the largest.

    Example:
        >>> balanced_rows(torch.tensor([0, 0, 0, 1])).tolist()
        [0, 1, 2, 3, 3, 3]
    """
    groups = [torch.nonzero(domain == d).squeeze(1) for d in domain.unique()]
    most = max(map(len, groups))
    return torch.cat([rows.repeat(-(-most // len(rows)))[:most] for rows in groups])


def by_domain(values: Tensor, domain: Tensor) -> Tensor:
    """Mean of the values (N,) in each domain that occurs, ascending.

    Example:
        >>> by_domain(torch.tensor([1.0, 0.0, 1.0]), torch.tensor([4, 4, 7])).tolist()
        [0.5, 1.0]
    """
    _, place, count = domain.unique(return_inverse=True, return_counts=True)
    return torch.zeros(len(count)).index_add(0, place, values) / count


__all__ = ["DomainsProblem", "Part", "World", "balanced_rows", "by_domain", "joined"]
