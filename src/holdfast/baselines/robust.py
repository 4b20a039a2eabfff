"""Training for the cases that an average forgets: weights of the losses of a batch, and of a training set.

- CVaR: the mean over the worst share alpha of the cases (Rockafellar and Uryasev 2000; Levy et al., arXiv 2010.05893).
- KL ball, chi2 ball: the worst distribution within a divergence of the uniform one (Namkoong and Duchi 2016).
- Group DRO: weights of known groups rise with their losses (Sagawa et al., arXiv 1911.08731).
- JTT: a second training in which the mistakes of a first one count more (Liu et al., arXiv 2107.09044).
- Class-balanced: every class counts the same.

Weights sum to 1 over the batch; nothing is differentiated through them.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.validation import check_fraction, check_integer, check_labels, check_number, check_positive

TIED = 1e-12  # of the range of losses: closer ones are the same


def cvar_weights(losses: Tensor, alpha: float) -> Tensor:
    """1 / (alpha n) on the largest floor(alpha n) losses, and what is left on the next one.

    Args:
        losses: (n,) of a batch.
        alpha: share of the cases that count, in (0, 1]; 1 = the mean.

    Returns:
        (n,) weights that sum to 1.

    Raises:
        InputError: losses that are reduced, not finite, none; alpha outside (0, 1].

    Example:
        >>> cvar_weights(torch.tensor([1.0, 3.0, 2.0, 0.0]), 0.375)
        tensor([0.0000, 0.6667, 0.3333, 0.0000])
    """
    values = _losses(losses)
    mass = check_fraction(alpha, "alpha", zero=False) * len(values)
    whole = math.floor(mass + 1e-9)  # .3 * 10 is 3 less a little in floats
    weights = torch.zeros_like(values)
    order = torch.argsort(values, descending=True, stable=True)
    weights[order[:whole]] = 1 / mass
    if whole < len(values):
        weights[order[whole]] = max(0.0, 1 - whole / mass)
    return weights


def kl_ball_weights(losses: Tensor, kappa: float) -> Tensor:
    """The q with the largest sum of q_i l_i among those with KL(q || uniform) <= kappa: q ~ exp(l / tau).

    tau is found by bisection. Where the ball holds the uniform distribution over the largest losses, it is that.

    Args:
        losses: (n,) of a batch.
        kappa: radius in nats, at least 0.

    Returns:
        (n,) weights that sum to 1, float64 inside, of the losses' type.

    Example:
        >>> q = kl_ball_weights(torch.tensor([0.0, 1.0, 2.0]), 0.2)
        >>> round(float((q * (3 * q).log()).sum()), 6)
        0.2
    """
    values = _losses(losses).double()
    radius = check_number(kappa, "kappa", low=0)
    top = _largest(values)
    if radius >= math.log(len(values) / int(top.sum())) - 1e-12:
        return (top / top.sum()).to(losses.dtype)
    if radius == 0:
        return torch.full_like(losses, 1 / len(losses))
    low, high = -12.0, 12.0  # log10 of tau over the range of losses
    scaled = (values - values.max()) / (values.max() - values.min())
    for _ in range(100):
        middle = (low + high) / 2
        log_q = torch.log_softmax(scaled / 10**middle, 0)
        divergence = float((log_q.exp() * log_q).sum()) + math.log(len(values))
        low, high = (middle, high) if divergence > radius else (low, middle)
    return torch.softmax(scaled / 10**high, 0).to(losses.dtype)


def chi2_ball_weights(losses: Tensor, rho: float) -> Tensor:
    """The q with the largest sum of q_i l_i among those with mean((n q - 1)^2) / 2 <= rho: q ~ relu(l - eta).

    eta is exact: for every number m of losses above it there is one candidate, and the one that lies between the m-th
    loss and the next is right. Where the ball holds the uniform distribution over the largest losses, it is that.

    Args:
        losses: (n,) of a batch.
        rho: radius, at least 0.

    Returns:
        (n,) weights that sum to 1.

    Example:
        >>> q = chi2_ball_weights(torch.tensor([0.0, 1.0, 2.0]), 0.1)
        >>> round(float(((3 * q - 1) ** 2).mean() / 2), 6)
        0.1
    """
    values = _losses(losses).double()
    n, radius = len(values), check_number(rho, "rho", low=0)
    top = _largest(values)
    if radius >= (n / int(top.sum()) - 1) / 2 - 1e-12:
        return (top / top.sum()).to(losses.dtype)
    if radius == 0:
        return torch.full_like(losses, 1 / n)
    falling = values.sort(descending=True).values - values.mean()
    m = torch.arange(1, n + 1, dtype=torch.float64, device=values.device)
    mean = falling.cumsum(0) / m
    variance = (falling.square().cumsum(0) / m - mean.square()).clamp(min=0)
    excess = m * (2 * radius + 1) / n - 1  # variance over (mean - eta)^2
    eta = torch.where(excess > 0, mean - (variance / excess.clamp(min=1e-300)).sqrt(), -torch.inf)
    below = torch.cat([falling[1:], torch.full_like(falling[:1], -torch.inf)])
    slack = 1e-12 * (falling[0] - falling[-1])
    fits = (excess > 0) & (eta <= falling + slack) & (eta >= below - slack)
    chosen = eta[int(fits.int().argmax())]
    above = (values - values.mean() - chosen).clamp(min=0)
    return (above / above.sum()).to(losses.dtype)


class GroupDROLoss(nn.Module):
    """Group DRO: q_g <- q_g exp(eta * mean loss of g), normalised; the loss is the sum of q_g and the group's mean.

    Groups that a batch does not hold keep their q up to the normalisation and add nothing to the loss. Difference from
    the reference code, which averages over samples with the q from before the update: as the paper writes it.

    Args:
        num_groups: G.
        eta: step of the groups' weights, above 0.

    Attributes:
        q: (G,) weights that sum to 1; starts uniform, part of the state.

    Example:
        >>> loss = GroupDROLoss(2, eta=1.0)
        >>> value = loss(torch.tensor([1.0, 3.0]), torch.tensor([0, 1]))
        >>> loss.q, round(float(value), 4)
        (tensor([0.1192, 0.8808]), 2.7616)
    """

    q: Tensor

    def __init__(self, num_groups: int, eta: float = 0.1) -> None:
        super().__init__()
        self.num_groups = check_integer(num_groups, "num_groups", low=1)
        self.eta = check_positive(eta, "eta")
        self.register_buffer("q", torch.full((self.num_groups,), 1 / self.num_groups))

    def forward(self, losses: Tensor, groups: Tensor) -> Tensor:
        """The weighted loss of a batch, of shape (); updates q in training mode.

        Args:
            losses: (n,) with gradient.
            groups: (n,) int64 in [0, G).
        """
        _losses(losses)
        index = check_labels(groups, self.num_groups, "groups")
        count = torch.zeros_like(self.q).index_add(0, index, torch.ones_like(losses, dtype=self.q.dtype))
        total = torch.zeros_like(self.q).index_add(0, index, losses.to(self.q.dtype))
        mean = total / count.clamp(min=1)
        if self.training:
            with torch.no_grad():
                self.q.copy_(torch.softmax(self.q.log() + self.eta * mean.detach(), 0))
        return (self.q * mean).sum()


def class_balanced_weights(y: Any, num_classes: int) -> Tensor:
    """Weights with which every class that occurs has the same sum.

    Args:
        y: (n,) int64 in [0, num_classes).

    Returns:
        (n,) float32 weights that sum to 1.

    Example:
        >>> class_balanced_weights(torch.tensor([0, 0, 0, 1]), 2)
        tensor([0.1667, 0.1667, 0.1667, 0.5000])
    """
    index = torch.as_tensor(check_labels(y, num_classes))
    count = torch.bincount(index, minlength=num_classes)
    return 1 / (count[index] * (count > 0).sum())


def jtt_weights(wrong: Tensor, factor: float) -> Tensor:
    """Just train twice: weights of the training set for the second training.

    Args:
        wrong: (N,) booleans: what the first model gets wrong on its own training set.
        factor: how often such a case counts, at least 1.

    Returns:
        (N,) float32 weights that sum to 1.

    Example:
        >>> jtt_weights(torch.tensor([True, False, False]), 2.0)
        tensor([0.5000, 0.2500, 0.2500])
    """
    if wrong.ndim != 1 or wrong.dtype != torch.bool or not len(wrong):
        raise InputError("wrong", "must hold a boolean per case", f"{wrong.dtype} of shape {tuple(wrong.shape)}")
    weights = torch.where(wrong, check_number(factor, "factor", low=1), 1.0)
    return weights / weights.sum()


def _losses(losses: Tensor) -> Tensor:
    if losses.ndim != 1:
        rule = "must have one value per case, shape (n); compute the loss with reduction='none'"
        raise InputError("losses", rule, f"shape {tuple(losses.shape)}")
    if not len(losses):
        raise InputError("losses", "must not be empty", "shape (0,)")
    if not bool(losses.isfinite().all()):
        first = int((~losses.isfinite()).int().argmax())
        raise InputError("losses", "must be finite", f"{float(losses[first])} in row {first}")
    return losses.detach()


def _largest(values: Tensor) -> Tensor:
    """Which losses are the largest, ties included."""
    return values >= values.max() - TIED * (values.max() - values.min())


__all__ = [
    "GroupDROLoss",
    "chi2_ball_weights",
    "class_balanced_weights",
    "cvar_weights",
    "jtt_weights",
    "kl_ball_weights",
]
