"""What the nearest points of the same set have on average: the plain way to predict a number per point."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from holdfast.data.point_sets import PointSets
from holdfast.errors import InputError
from holdfast.graphs.neighbours import distances

COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
TOGETHER = 2**24  # distances that are formed at a time


class NeighbourMeans:
    """Least squares on a point's numbers and their means over the k nearest points of its set, itself included.

    Args:
        counts: values of k to choose from, on every fifth set, which is left out for that.

    Attributes:
        k: the one chosen.

    Example:
        >>> from holdfast.data.point_sets import pad_sets
        >>> pos, x = torch.rand(60, 2), torch.randn(60, 1)
        >>> sets, _, _ = pad_sets([i // 6 for i in range(60)], pos, x, 3 * x[:, 0] + 1)
        >>> bool((NeighbourMeans().fit(sets).predict(sets) - sets.y).abs().max() < 1e-3)
        True
    """

    def __init__(self, counts: Sequence[int] = COUNTS) -> None:
        self.counts = tuple(counts)

    def fit(self, sets: PointSets) -> NeighbourMeans:
        """Choose k and the weights. Raises InputError without a set of two points."""
        most = int(sets.real.sum(1).max())
        counts = [k for k in self.counts if k <= most]
        if most < 2:
            raise InputError("sets", "must have a set of at least two points", f"largest: {most}")
        left_out = torch.arange(len(sets)) % 5 == 4
        found = neighbour_means(sets, counts)
        errors = []
        for means in found:
            rows = self._rows(sets, means)
            weights = self._solve(rows[~left_out], sets[~left_out])
            judged = left_out if bool(left_out.any()) else ~left_out
            wrong = (rows[judged] @ weights - sets.y[judged])[sets.real[judged]]
            errors.append(float(wrong.square().mean()))
        best = min(range(len(counts)), key=errors.__getitem__)
        self.k = counts[best]
        self.weights = self._solve(self._rows(sets, found[best]), sets)
        return self

    def predict(self, sets: PointSets) -> Tensor:
        """(S, N)."""
        (means,) = neighbour_means(sets, [self.k])
        return self._rows(sets, means) @ self.weights

    def _rows(self, sets: PointSets, means: Tensor) -> Tensor:
        return torch.cat([sets.x, means, torch.ones_like(means[..., :1])], 2)

    def _solve(self, rows: Tensor, sets: PointSets) -> Tensor:
        a, y = rows[sets.real].double(), sets.y[sets.real].double()
        small = 1e-6 * torch.eye(a.shape[1], dtype=a.dtype) * len(a)
        return torch.linalg.solve(a.T @ a + small, a.T @ y).float()


def neighbour_means(sets: PointSets, counts: Sequence[int]) -> list[Tensor]:
    """For each k the mean of x over the k nearest points of the set (of all, where it has fewer), (S, N, F + d).

    The last d columns are the mean positions less the point's own: on which side its neighbours are.
    """
    out: list[list[Tensor]] = [[] for _ in counts]
    together = max(1, TOGETHER // sets.pos.shape[1] ** 2)
    for start in range(0, len(sets), together):
        part = sets[start : start + together]
        away = torch.stack([distances(p, p) for p in part.pos]).masked_fill(~part.real[:, None], torch.inf)
        near = away.topk(min(max(counts), away.shape[2]), largest=False, sorted=True)
        values = torch.cat([part.x, part.pos], 2)
        taken = torch.stack([v[i] for v, i in zip(values, near.indices, strict=True)])
        there = near.values.isfinite()[..., None]
        sums, number = (taken * there).cumsum(2), there.cumsum(2)
        own = torch.cat([torch.zeros_like(part.x), part.pos], 2)
        for into, k in zip(out, counts, strict=True):
            last = min(k, sums.shape[2]) - 1
            into.append(sums[:, :, last] / number[:, :, last].clamp(min=1) - own)
    return [torch.cat(parts) for parts in out]


__all__ = ["NeighbourMeans", "neighbour_means"]
