"""How wrong each migrated row is expected to be, where no head was trained: neighbours' residuals, an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.layers.standardise import spread
from holdfast.systems.fct.tool.maps import FittedMap
from holdfast.validation import check_integer


class ResidualNeighbours(nn.Module):
    """The mean squared residual of the k known pairs whose inputs are nearest.

    Distances are Euclidean between standardised inputs [old, side]. The pairs should be ones the map was not fitted
    to: their residuals are the size that others' will be.

    Args:
        rows: number of known pairs.
        dim: d_old + d_side.
        k: neighbours.
    """

    points: Tensor
    errors: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, rows: int, dim: int, k: int = 10) -> None:
        super().__init__()
        self.k = min(check_integer(k, "k", low=1), rows)
        self.register_buffer("points", torch.zeros(rows, dim))
        self.register_buffer("errors", torch.zeros(rows))
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(dim))

    @classmethod
    def of(cls, inputs: Tensor, errors: Tensor, k: int = 10) -> ResidualNeighbours:
        """From the inputs (M, D) and squared residuals (M,) of known pairs.

        Example:
            >>> known = ResidualNeighbours.of(torch.tensor([[0.0], [1.0], [9.0]]), torch.tensor([1.0, 3.0, 50.0]), k=2)
            >>> known(torch.tensor([[0.4]])).tolist()
            [2.0]
        """
        made = cls(len(inputs), inputs.shape[1], k)
        made.mean.copy_(inputs.mean(0))
        made.scale.copy_(torch.from_numpy(spread(inputs.double().numpy())))
        made.points.copy_((inputs - made.mean) / made.scale)
        made.errors.copy_(errors)
        return made.eval()

    def nearest(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Distances to, and numbers of, the nearest k pairs: (N, D) -> (N, k), (N, k)."""
        found = torch.cdist((inputs - self.mean) / self.scale, self.points).topk(self.k, largest=False)
        return found.values, found.indices

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, D) -> (N,)"""
        return self.errors[self.nearest(inputs)[1]].mean(1)


class Ensemble(FittedMap):
    """The mean of several maps; where they disagree, none of them is to be trusted.

    Args:
        members: maps between the same spaces, at least two.

    Example:
        >>> from holdfast.systems.fct.tool.maps import Affine
        >>> both = Ensemble([Affine(2, 2), Affine(2, 2)])
        >>> both.expected_error(torch.ones(3, 2)).tolist()
        [0.0, 0.0, 0.0]
    """

    def __init__(self, members: Sequence[FittedMap]) -> None:
        super().__init__()
        if len(members) < 2:
            raise InputError("members", "must be at least 2", len(members))
        first = members[0]
        self.old_dim, self.new_dim, self.side_dim = first.old_dim, first.new_dim, first.side_dim
        self.members = nn.ModuleList(members)

    def each(self, old: Tensor, side: Tensor | None = None) -> Tensor:
        """What each member says: (members, N, d_new)."""
        return torch.stack([cast(Tensor, member(old, side)) for member in self.members])

    def forward(self, old: Tensor, side: Tensor | None = None) -> Tensor:
        return self.each(old, side).mean(0)

    def expected_error(self, old: Tensor, side: Tensor | None = None) -> Tensor:
        """Variance of the members, summed over dimensions: (N,)."""
        return self.each(old, side).var(0, correction=1).sum(1)


__all__ = ["Ensemble", "ResidualNeighbours"]
