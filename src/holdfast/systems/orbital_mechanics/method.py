"""The method in the paper's order: pairs, edge function, Newton's second and third law, loss, what the edges learned.

Bodies i and j with positions x (T, N, D); an edge per unordered pair, receiver i > sender j, d = x_j - x_i. An edge
function gives the force on the receiver, the sender gets its opposite (third law), and a_i = F_i / 10^lambda_i (second
law), with one unknown scalar lambda_i per body, its log10 mass. All of it is trained on accelerations alone.

Different from paper and reference code:
- `equivariance="central"` (default) is ours: the edge function is a scalar g(log r, lambda_i, lambda_j) along d, made
  symmetric; it is equivariant without augmentation. "augment" is the paper's function of spherical coordinates, trained
  on rotated frames, flipped edges and noise; "none" is the same without augmentation.
- Rotations are uniform on SO(3), from unit quaternions; angles of Euler drawn uniformly, as in the code, are not.
- The central edge function has a sign, tanh(s), so that bodies may repel each other.
- Rows for the formula are weighted with an edge's share of the acceleration of either end (`share_weights`); the paper
  draws them alike.
- Hidden layers are two of 32 and the learning rate of the network is 3e-3 (paper: three of 128, 1e-3).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.training import Learner
from holdfast.training.optim import warm_cosine

LOG_MASS = 12.0  # log10 masses stay within +- this
NOISE = 0.01  # of distances and masses, in augmentation


# --------------------------------------------------------------------------------------------------- pairs and angles
def pairs(bodies: int) -> tuple[np.ndarray, np.ndarray]:
    """Receivers i and senders j of all unordered pairs, i > j: two arrays (N (N - 1) / 2,)."""
    return np.tril_indices(bodies, -1)


def spherical(d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(log10 r, theta, phi) of vectors (..., 3): theta from the z axis in [0, pi], phi in the plane in [-pi, pi].

    Example:
        >>> [round(float(x), 4) for x in spherical(torch.tensor([0.0, 10.0, 0.0]))]
        [1.0, 1.5708, 1.5708]
    """
    r = d.norm(dim=-1)
    theta = (d[..., 2] / r).clamp(-1, 1).acos()
    return r.log10(), theta, torch.atan2(d[..., 1], d[..., 0])


def cartesian(log_r: Tensor, theta: Tensor, phi: Tensor) -> Tensor:
    """Vectors (..., 3) from `spherical`'s numbers."""
    flat = theta.sin()
    return 10.0 ** log_r[..., None] * torch.stack([flat * phi.cos(), flat * phi.sin(), theta.cos()], -1)


def random_rotations(count: int, rng: torch.Generator, like: Tensor) -> Tensor:
    """Rotation matrices (count, 3, 3), uniform on SO(3): from unit quaternions, which are uniform on the sphere."""
    q = torch.randn(count, 4, generator=rng, dtype=like.dtype, device=like.device)
    w, x, y, z = (q / q.norm(dim=1, keepdim=True)).unbind(1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


# ------------------------------------------------------------------------------------------------------ edge functions
def _perceptron(inputs: int, hidden: Sequence[int], outputs: int) -> nn.Sequential:
    widths = [inputs, *hidden]
    layers: list[nn.Module] = []
    for wide, narrow in pairwise(widths):
        layers += [nn.Linear(wide, narrow), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], outputs))


class CentralEdge(nn.Module):
    """Force along the line between two bodies: 10^g tanh(s), (g, s) a network of (log r, scalars of i, scalars of j).

    Args:
        log_r: least and largest log10 r, scaled to [-1, 1].
        symmetric: whether g and s are sums over both orders of the bodies.
        scalars: per body.
        hidden: widths.
    """

    def __init__(self, log_r: tuple[float, float], symmetric: bool, scalars: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.symmetric, self.net = symmetric, _perceptron(1 + 2 * scalars, hidden, 2)
        self.log_r = log_r
        last = self.net[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():  # it attracts a little at first, of whatever size
            last.bias.copy_(torch.tensor([0.0, 0.5]))

    def forward(self, log_r: Tensor, z_i: Tensor, z_j: Tensor) -> Tensor:
        """Forces (T, E) from log10 r (T, E) and scalars (T, E, K) of both ends."""
        low, high = self.log_r
        r = (2 * (log_r - low) / (high - low) - 1)[..., None]
        a, b = z_i / LOG_MASS, z_j / LOG_MASS
        out = self.net(torch.cat([r, a, b], -1))
        if self.symmetric:
            out = out + self.net(torch.cat([r, b, a], -1))
        return 10.0 ** out[..., 0] * out[..., 1].tanh()


class SphericalEdge(nn.Module):
    """The paper's edge function: (log r, theta, phi, scalars) -> (log10 |F|, theta, phi) -> F, vectors (T, E, 3)."""

    def __init__(self, log_r: tuple[float, float], scalars: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.net, self.log_r = _perceptron(3 + 2 * scalars, hidden, 3), log_r

    def forward(self, d: Tensor, z_i: Tensor, z_j: Tensor) -> Tensor:
        """Forces (T, E, 3) on the receivers."""
        low, high = self.log_r
        log_r, theta, phi = spherical(d)
        scaled = [2 * (log_r - low) / (high - low) - 1, 2 * theta / math.pi - 1, phi / math.pi]
        out = self.net(torch.cat([torch.stack(scaled, -1), z_i / LOG_MASS, z_j / LOG_MASS], -1))
        return cartesian(out[..., 0], out[..., 1], out[..., 2])


class PowerEdge(nn.Module):
    """The law C r^gamma m_i^alpha m_j^beta with exponents that are learned, as an edge function."""

    def __init__(self) -> None:
        super().__init__()
        self.exponents = nn.Parameter(torch.tensor([-1.0, 0.5, 0.5]))
        self.log_constant = nn.Parameter(torch.zeros(()))

    def forward(self, r: Tensor, m_i: Tensor, m_j: Tensor) -> Tensor:
        gamma, alpha, beta = self.exponents
        return 10.0**self.log_constant * r**gamma * m_i**alpha * m_j**beta


class PairwiseLaw(nn.Module):
    """An interaction law between bodies, and the unknown scalars of each: positions in, accelerations out.

    Args:
        bodies: N.
        edge: "mlp", "power", or a callable (r, m_i, m_j) -> force, positive where bodies attract each other.
        equivariance: of the "mlp": "central" (exact), "augment" (learned from rotated frames) or "none".
        third_law: whether the force on the sender is the opposite of that on the receiver; if not, the edge function is
            asked for each.
        node_scalars: scalars per body; the first is log10 mass.
        hidden: widths of the network.
        log_r: least and largest log10 of the distances.
        scale: of the accelerations.

    Example:
        >>> law = PairwiseLaw(3, log_r=(-1.0, 1.0))
        >>> law(torch.randn(5, 3, 3)).shape
        torch.Size([5, 3, 3])
    """

    i: Tensor
    j: Tensor

    def __init__(
        self,
        bodies: int,
        edge: str | Callable[[Tensor, Tensor, Tensor], Tensor] = "mlp",
        equivariance: str = "central",
        third_law: bool = True,
        node_scalars: int = 1,
        hidden: Sequence[int] = (32, 32),
        log_r: tuple[float, float] = (-3.0, 2.0),
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.equivariance, self.third_law, self.scale = equivariance, third_law, scale
        self.learned = edge == "mlp"
        self.scalars = nn.Parameter(torch.randn(bodies, node_scalars))
        i, j = (torch.from_numpy(index) for index in pairs(bodies))
        self.register_buffer("i", i)
        self.register_buffer("j", j)
        self.edge: Any
        if edge == "power":
            self.edge = PowerEdge()
        elif edge != "mlp":
            self.edge = edge
        elif equivariance == "central":
            self.edge = CentralEdge(log_r, third_law, node_scalars, hidden)
        else:
            self.edge = SphericalEdge(log_r, node_scalars, hidden)

    @property
    def log_mass(self) -> Tensor:
        """(N,) log10 masses, up to a constant that the edge function absorbs."""
        return self.scalars[:, 0]

    @property
    def augments(self) -> bool:
        """Whether training rotates, flips and adds noise."""
        return self.learned and self.equivariance == "augment"

    def forces(self, d: Tensor, z_i: Tensor, z_j: Tensor) -> Tensor:
        """Force (T, E, D) on the receivers of edges, in units of `scale`, from d (T, E, D) and scalars (T, E, K)."""
        if isinstance(self.edge, SphericalEdge):
            return self.edge(d, z_i, z_j)
        r = d.norm(dim=-1)
        if self.learned:
            size = self.edge(r.log10(), z_i, z_j)
        else:
            size = self.edge(r, 10.0 ** z_i[..., 0], 10.0 ** z_j[..., 0])
        return (size / r)[..., None] * d

    def forward(self, pos: Tensor, rng: torch.Generator | None = None) -> Tensor:
        """Accelerations (T, N, D) from positions (T, N, D); with `rng` in augmented frames, turned back."""
        turn = random_rotations(len(pos), rng, pos) if rng is not None and self.augments else None
        if turn is not None:
            pos = pos @ turn.transpose(1, 2)
        d = pos[:, self.j] - pos[:, self.i]
        z_i, z_j = (self.scalars[index].expand(len(pos), -1, -1) for index in (self.i, self.j))
        on_i, on_j = self._both(d, z_i, z_j) if turn is None or rng is None else self._augmented(d, z_i, z_j, rng)
        total = torch.zeros_like(pos).index_add(1, self.i, on_i).index_add(1, self.j, on_j)
        acc = self.scale * total / 10.0 ** self.log_mass[:, None]
        return acc if turn is None else acc @ turn

    def _both(self, d: Tensor, z_i: Tensor, z_j: Tensor) -> tuple[Tensor, Tensor]:
        on_i = self.forces(d, z_i, z_j)
        return on_i, -on_i if self.third_law else self.forces(-d, z_j, z_i)

    def _augmented(self, d: Tensor, z_i: Tensor, z_j: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """With each edge's direction drawn, and noise on distances and scalars."""

        def noisy(x: Tensor) -> Tensor:
            return x * (1 + NOISE * torch.randn(x.shape, generator=rng, dtype=x.dtype, device=x.device))

        flip = (torch.rand(d.shape[:2], generator=rng, device=d.device) < 0.5)[..., None]
        d, z_i, z_j = noisy(d), noisy(z_i), noisy(z_j)
        first, second = self._both(torch.where(flip, -d, d), torch.where(flip, z_j, z_i), torch.where(flip, z_i, z_j))
        return torch.where(flip, second, first), torch.where(flip, first, second)


# ------------------------------------------------------------------------------------------------------------ training
def acceleration_loss(predicted: Tensor, acc: Tensor) -> Tensor:
    """Sum over bodies of their relative squared error, so that Moon and Sun count alike: (T, N, D) twice -> scalar."""
    return ((predicted - acc).square().sum((0, 2)) / acc.square().sum((0, 2))).sum()


class LawLearner(Learner):
    """Trains edge function and scalars together, with Adam at two learning rates that fall on a cosine.

    Args:
        law: trained in place.
        lr: of the edge function.
        scalar_lr: of the bodies' scalars.
    """

    def __init__(self, law: PairwiseLaw, lr: float = 3e-3, scalar_lr: float = 0.1) -> None:
        super().__init__()
        self.law, self.lr, self.scalar_lr = law, lr, scalar_lr
        self.optimizer: torch.optim.Adam | None = None

    def optimizers(self) -> list[torch.optim.Optimizer]:
        edge = [p for name, p in self.law.named_parameters() if name != "scalars"]
        groups = [{"params": edge, "lr": self.lr}] if edge else []
        self.optimizer = torch.optim.Adam([*groups, {"params": [self.law.scalars], "lr": self.scalar_lr}])
        for group in self.optimizer.param_groups:
            group["peak"] = group["lr"]
        return [self.optimizer]

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        assert self.optimizer is not None
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * warm_cosine(self.progress)
        return acceleration_loss(self.law(batch["pos"], rng), batch["acc"]), {}

    @torch.no_grad()
    def after_step(self) -> None:
        self.law.scalars.clamp_(-LOG_MASS, LOG_MASS)


# ---------------------------------------------------------------------------------------------- what the edges learned
def share_weights(force: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """The larger of the shares that each edge has in the accelerations of its two ends: sizes (T, E) -> (T, E).

    The share of edge e in body i's acceleration is |F_e| / m_i over the sum of |F| / m_i of all its edges.

    Args:
        force: sizes of the forces on the edges of `pairs`.
        masses: (N,), positive.
    """
    i, j = pairs(len(masses))
    size = np.abs(force)
    ends = np.eye(len(masses))
    total = size / masses[i] @ ends[i] + size / masses[j] @ ends[j]
    return np.maximum(size / masses[i] / total[:, i], size / masses[j] / total[:, j])


def exponents(
    log_r: np.ndarray, log_m_i: np.ndarray, log_m_j: np.ndarray, log_f: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Exponents (r, m_i, m_j) of the power law nearest to forces, by (weighted) least squares of logarithms.

    Args:
        log_r, log_m_i, log_m_j, log_f: (K,) log10.
        weights: (K,), None = all rows count the same.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(3, 20))
        >>> exponents(*x, 1.0 - 2 * x[0] + x[1] + x[2]).round(6).tolist()
        [-2.0, 1.0, 1.0]
    """
    rows = np.stack([log_r, log_m_i, log_m_j, np.ones_like(log_r)], 1)
    root = np.ones(len(rows)) if weights is None else np.sqrt(weights)
    return np.linalg.lstsq(rows * root[:, None], log_f * root, rcond=None)[0][:3]


__all__ = [
    "CentralEdge", "LawLearner", "PairwiseLaw", "PowerEdge", "SphericalEdge", "acceleration_loss", "cartesian",
    "exponents", "pairs", "random_rotations", "share_weights", "spherical",
]  # fmt: skip
