"""Which places are near each other, and how near neighbours usually are."""

from __future__ import annotations

import torch
from torch import Tensor


def distances(one: Tensor, other: Tensor) -> Tensor:
    """(N, m) and (K, m) -> (N, K), without the products of large numbers that lose digits of small distances."""
    return torch.cdist(one, other, compute_mode="donot_use_mm_for_euclid_dist")


def nearest(places: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Of each row of places (N, m) the nearest of the known ones (K, m): its number (N,) and the distance (N,)."""
    distance, index = distances(places, known).min(1)
    return index, distance


def nearest_spacing(places: Tensor) -> float:
    """Median over places (K, m) of the distance to the nearest other: 1 where there is none."""
    distance = distances(places, places)
    distance.fill_diagonal_(torch.inf)
    nearest = distance.min(1).values
    apart = nearest[(nearest > 0) & nearest.isfinite()]
    return float(apart.median()) if len(apart) else 1.0


__all__ = ["distances", "nearest", "nearest_spacing"]
