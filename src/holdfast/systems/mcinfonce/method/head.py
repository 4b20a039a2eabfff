"""Networks that give a direction mu and a concentration kappa for every row."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.validation import check_choice, check_integer, check_positive

Mode = Literal["norm", "network"]


def layers(features: int, width: int, out: int, hidden: int) -> nn.Sequential:
    """A perceptron with LeakyReLU between `hidden` layers."""
    sizes = [features, *[width] * hidden]
    blocks = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.LeakyReLU())]
    return nn.Sequential(*blocks, nn.Linear(sizes[-1], out))


class ProbabilisticHead(nn.Module):
    """mu (B, dim), a unit vector, and kappa (B, 1) from features (B, in_features).

    "norm": one linear map e without bias; mu = e / |e|, kappa = |e|, scaled to about `kappa_init` by `calibrate`.
    "network": two perceptrons; kappa = exp(a softplus(net) + c), a and c set once, by `calibrate`.

    Args:
        in_features: of a row.
        dim: p of the sphere, at least 2.
        mode: "norm" or "network".
        kappa_init: kappa at the start; "network": kappas start between it and its double.
        width, hidden: of the perceptrons.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> head = ProbabilisticHead(5, 3, mode="network").calibrate(torch.randn(100, 5))
        >>> mu, kappa = head(torch.randn(2, 5))
        >>> mu.shape, kappa.shape, bool((kappa > 10).all())
        (torch.Size([2, 3]), torch.Size([2, 1]), True)
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        in_features: int,
        dim: int,
        mode: Mode = "norm",
        kappa_init: float = 16.0,
        width: int = 64,
        hidden: int = 3,
    ) -> None:
        super().__init__()
        check_integer(in_features, "in_features", low=1)
        check_integer(dim, "dim", low=2)
        self.mode = check_choice(mode, ("norm", "network"), "mode")
        self.kappa_init = check_positive(kappa_init, "kappa_init")
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("shift", torch.zeros(()))
        if mode == "norm":
            self.mu_net: nn.Module = nn.Linear(in_features, dim, bias=False)
            self.kappa_net = None
        else:
            self.mu_net = layers(in_features, width, dim, hidden)
            self.kappa_net = layers(in_features, width, 1, hidden)

    @torch.no_grad()
    def calibrate(self, x: Tensor) -> ProbabilisticHead:
        """Set the fixed constants of kappa by rows x (N, in_features), N at least 2."""
        if self.kappa_net is None:
            self.scale.copy_(self.kappa_init / self.mu_net(x).norm(dim=1).mean().clamp(min=1e-12))
            return self
        value = F.softplus(self.kappa_net(x))
        low, high = value.min(), value.max()
        if not bool(high > low):
            raise InputError("x", "must hold at least two different rows", f"{len(x)} rows")
        self.scale.copy_(torch.log(torch.tensor(2.0)) / (high - low))
        self.shift.copy_(torch.log(torch.tensor(self.kappa_init)) - self.scale * low)
        return self

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.direction(x), self.kappa(x)

    def direction(self, x: Tensor) -> Tensor:
        """mu (..., dim)."""
        return F.normalize(self.mu_net(x), dim=-1)

    def kappa(self, x: Tensor) -> Tensor:
        """kappa (..., 1)."""
        if self.kappa_net is None:
            return self.scale * self.mu_net(x).norm(dim=-1, keepdim=True).clamp(min=1e-6)
        return torch.exp(self.scale * F.softplus(self.kappa_net(x)) + self.shift)


__all__ = ["Mode", "ProbabilisticHead", "layers"]
