"""How attention knows where things are: sinusoids added to the input, ALiBi, or learnt scores of distances."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Positions:
    """How positions are encoded: not at all in this class, which leaves the causal mask as the only hint."""

    def added(self, positions: Tensor, width: int) -> Tensor | None:
        """What is added to the embeddings, `(T, width)`, or None."""
        return None

    def build(self, width: int, heads: int) -> nn.Module:
        """The module that makes scores from queries and distances (`NoBias`: none)."""
        return NoBias()


def sinusoids(positions: Tensor, width: int) -> Tensor:
    """Sines and cosines of positions `(T,)` at geometric wavelengths, float32 `(T, width)` (Vaswani et al. 2017)."""
    half = (width + 1) // 2
    rates = torch.exp(torch.arange(half, device=positions.device) * (-2 * math.log(10_000.0) / width))
    angles = positions[:, None].float() * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width]


@dataclass(frozen=True)
class SinCos(Positions):
    """Absolute positions, added to the embeddings."""

    def added(self, positions: Tensor, width: int) -> Tensor | None:
        return sinusoids(positions, width)


@dataclass(frozen=True)
class ALiBi(Positions):
    """Scores fall linearly with distance, at a rate of each head's own (Press et al. 2022)."""

    def build(self, width: int, heads: int) -> nn.Module:
        return LinearBias(heads)


ALIBI = ALiBi()


@dataclass(frozen=True)
class Relative(Positions):
    """Scores depend on distance through learnt maps of sinusoids (Dai et al. 2019)."""

    def build(self, width: int, heads: int) -> nn.Module:
        return RelativeScores(width, heads)


class NoBias(nn.Module):
    """Queries as they are, no further scores."""

    def forward(self, q: Tensor, distance: Tensor) -> tuple[Tensor, Tensor | None]:
        return q, None


class LinearBias(nn.Module):
    """-m_h * distance, with slopes m_h = 2^(-8 h / H), h = 1 ... H."""

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.register_buffer("slopes", 2.0 ** (-8.0 * torch.arange(1, heads + 1) / heads), persistent=False)

    def forward(self, q: Tensor, distance: Tensor) -> tuple[Tensor, Tensor | None]:
        """q `(B, H, Q, d)` unchanged, and scores `(H, Q, K)` for distances `(Q, K)`."""
        return q, -self.slopes[:, None, None].to(q.dtype) * distance  # type: ignore[index]


class RelativeScores(nn.Module):
    """(q + u) . k + (q + v) . r(distance): content and position, each with a bias of its own."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.width = width
        self.distances = nn.Linear(width, width, bias=False)
        self.u = nn.Parameter(torch.zeros(heads, 1, width // heads))
        self.v = nn.Parameter(torch.zeros(heads, 1, width // heads))

    def forward(self, q: Tensor, distance: Tensor) -> tuple[Tensor, Tensor | None]:
        """q + u, and scores `(B, H, Q, K)`, scaled as those of the content will be."""
        heads = q.shape[1]
        furthest = distance.shape[1]  # keys reach back that far at most, as positions are consecutive
        table = sinusoids(torch.arange(furthest, device=q.device), self.width).to(q.dtype)
        r = self.distances(table).unflatten(1, (heads, -1)).transpose(0, 1)  # (H, D, d)
        by_distance = (q + self.v) @ r.transpose(1, 2)  # (B, H, Q, D)
        index = distance.clamp(0, furthest - 1).expand(*q.shape[:2], *distance.shape)
        return q + self.u, by_distance.gather(3, index) / math.sqrt(q.shape[-1])


__all__ = ["ALIBI", "ALiBi", "Positions", "Relative", "SinCos", "sinusoids"]
