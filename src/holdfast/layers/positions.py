"""How attention knows where things are: sinusoids added to the input, ALiBi, or learnt scores of distances.

`Positions` are settings that transformers take; the modules that they build plug into `holdfast.layers.attention` as
its `scores`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

LONGEST_WAVE = 10_000.0  # of the sinusoids, in positions / 2 pi


def sinusoids(positions: Tensor, width: int) -> Tensor:
    """Sines and cosines of positions `(T,)` at geometric wavelengths, float32 `(T, width)` (Vaswani et al. 2017).

    Example:
        >>> sinusoids(torch.tensor([0, 5]), 4)[0].tolist()
        [0.0, 1.0, 0.0, 1.0]
    """
    half = (width + 1) // 2
    rates = torch.exp(torch.arange(half, device=positions.device) * (-2 * math.log(LONGEST_WAVE) / width))
    angles = positions[:, None].float() * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width]


def distances(queries: int, keys: int, device: torch.device | None = None) -> Tensor:
    """How far before its query each key stands, int64 `(Q, K)`; negative after it.

    The last query stands at the last key.

    Example:
        >>> distances(2, 3).tolist()
        [[1, 0, -1], [2, 1, 0]]
    """
    at = torch.arange(keys, device=device)
    return at[keys - queries :, None] - at


class LinearBias(nn.Module):
    """ALiBi: -m_h |distance|, with slopes m_h = 2^(-8 h / H), h = 1 ... H (Press et al. 2022)."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.register_buffer("slopes", 2.0 ** (-8.0 * torch.arange(1, heads + 1) / heads), persistent=False)

    def forward(self, q: Tensor, keys: int) -> tuple[Tensor, Tensor]:
        """Queries `(B, H, Q, d)` unchanged, and a bias `(H, Q, K)` of their scores with K keys."""
        away = distances(q.shape[2], keys, q.device).abs()
        return q, -self.slopes[:, None, None].to(q.dtype) * away  # type: ignore[index]


class RelativeScores(nn.Module):
    """(q + u) . k + (q + v) . r(distance): content and position, each with a bias of its own (Dai et al. 2019)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.width = width
        self.distances = nn.Linear(width, width, bias=False)
        self.u = nn.Parameter(torch.zeros(heads, 1, width // heads))
        self.v = nn.Parameter(torch.zeros(heads, 1, width // heads))

    def forward(self, q: Tensor, keys: int) -> tuple[Tensor, Tensor]:
        """q + u for queries q `(B, H, Q, d)`, and a bias `(B, H, Q, K)`, scaled as the content's scores will be."""
        heads, ahead = q.shape[1], q.shape[2] - 1  # a query sees as far as the last key stands after the first query
        table = sinusoids(torch.arange(-ahead, keys, device=q.device), self.width).to(q.dtype)
        r = self.distances(table).unflatten(1, (heads, -1)).transpose(0, 1)  # (H, D, d)
        by_distance = (q + self.v) @ r.transpose(1, 2)  # (B, H, Q, D)
        index = (distances(q.shape[2], keys, q.device) + ahead).expand(*q.shape[:2], -1, -1)
        return q + self.u, by_distance.gather(3, index) / math.sqrt(q.shape[-1])


@dataclass(frozen=True)
class Positions:
    """How positions are encoded: not at all in this class, which leaves a causal mask as the only hint."""

    def added(self, positions: Tensor, width: int) -> Tensor | None:
        """What is added to the embeddings at positions `(T,)`: `(T, width)`, or None."""
        return None

    def build(self, width: int, heads: int) -> nn.Module | None:
        """The module that makes scores from queries and distances, or None."""
        return None


@dataclass(frozen=True)
class SinCos(Positions):
    """Absolute positions, added to the embeddings."""

    def added(self, positions: Tensor, width: int) -> Tensor | None:
        return sinusoids(positions, width)


@dataclass(frozen=True)
class ALiBi(Positions):
    """Scores fall linearly with distance, at a rate of each head's own (`LinearBias`)."""

    def build(self, width: int, heads: int) -> nn.Module | None:
        return LinearBias(heads)


@dataclass(frozen=True)
class Relative(Positions):
    """Scores depend on distance through learnt maps of sinusoids (`RelativeScores`)."""

    def build(self, width: int, heads: int) -> nn.Module | None:
        return RelativeScores(width, heads)


ALIBI = ALiBi()

__all__ = [
    "ALIBI",
    "ALiBi",
    "LinearBias",
    "Positions",
    "Relative",
    "RelativeScores",
    "SinCos",
    "distances",
    "sinusoids",
]
