"""How wrong each migrated row is expected to be, where no head was trained: neighbours' residuals, an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.regressors.residual_neighbours import ResidualNeighbours
from holdfast.systems.fct.tool.maps import FittedMap


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


# With the other way: the names that users of this system look for.
__all__ = ["Ensemble", "ResidualNeighbours"]
