"""Losses of pairs of distributions: MCInfoNCE, the expected likelihood kernel (ELK), hedged instances (HIB).

All take the same arguments: mu_ref (B, p), kappa_ref (B, 1), mu_pos (B, 1, p), kappa_pos (B, 1, 1), and mu_neg
(B, M, p), kappa_neg (B, M, 1), or None: then each row's negative is the positive of the row before it in the batch.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from holdfast.distributions.vmf_normaliser import log_vmf_normalizer
from holdfast.distributions.von_mises_fisher import Gradient, VonMisesFisher
from holdfast.errors import InputError
from holdfast.losses.contrastive import contrast
from holdfast.validation import check_choice, check_integer, check_positive

Negatives = Literal["sum", "mean"]
Part = tuple[Tensor, Tensor]  # mu, kappa


class PairLoss(nn.Module):
    """What these losses share: the arguments and their shapes."""

    @abstractmethod
    def of_parts(self, ref: Part, pos: Part, neg: Part | None, generator: torch.Generator | None) -> Tensor:
        """The loss of parts of the shapes that the module names."""

    def forward(
        self,
        mu_ref: Tensor,
        kappa_ref: Tensor,
        mu_pos: Tensor,
        kappa_pos: Tensor,
        mu_neg: Tensor | None = None,
        kappa_neg: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The loss, a scalar. Values are not looked at, so that nothing waits for the device.

        Raises:
            InputError: shapes that do not fit; no negatives in a batch of one.
        """
        if mu_ref.ndim != 2:
            raise InputError("mu_ref", "must have shape (B, p)", tuple(mu_ref.shape))
        rows, p = mu_ref.shape
        if (mu_neg is None) != (kappa_neg is None):
            raise InputError("kappa_neg", "must be given with mu_neg", "one of the two alone")
        if mu_neg is None and rows < 2:
            raise InputError("mu_neg", "must be given for a batch of one", "none")
        many = 0 if mu_neg is None or mu_neg.ndim != 3 else mu_neg.shape[1]
        shapes: dict[str, tuple[Tensor | None, tuple[int, ...]]] = {
            "kappa_ref": (kappa_ref, (rows, 1)),
            "mu_pos": (mu_pos, (rows, 1, p)),
            "kappa_pos": (kappa_pos, (rows, 1, 1)),
            "mu_neg": (mu_neg, (rows, many, p)),
            "kappa_neg": (kappa_neg, (rows, many, 1)),
        }
        for name, (tensor, shape) in shapes.items():
            if tensor is not None and (tensor.shape != shape or 0 in shape):
                raise InputError(name, f"must have shape {shape}, M at least 1", tuple(tensor.shape))
        neg = None if mu_neg is None or kappa_neg is None else (mu_neg, kappa_neg)
        return self.of_parts((mu_ref, kappa_ref), (mu_pos, kappa_pos), neg, generator)


def _drawn(
    ref: Part, pos: Part, neg: Part | None, draws: int, grad: Gradient, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """z_ref.z_pos (S, B) and z_ref.z_neg (S, B, M) of samples."""
    many = [(ref[0][:, None], ref[1][:, None]), pos, *([] if neg is None else [neg])]
    mu, kappa = (torch.cat([part[i] for part in many], 1) for i in (0, 1))
    z = VonMisesFisher(mu, kappa, grad, validate_args=False).rsample((draws,), generator)
    first, second, others = z[:, :, 0], z[:, :, 1], z[:, :, 2:]
    if neg is None:
        others = second.roll(1, dims=1)[:, :, None]
    return (first * second).sum(-1), (first[:, :, None] * others).sum(-1)


class MCInfoNCE(PairLoss):
    """-mean_b log mean_s [e^{k z.z+} / (e^{k z.z+} + sum_m e^{k z.z-})]: InfoNCE of samples, averaged inside the log.

    Args:
        kappa_pos: k, how sharply the true process tells pairs; the temperature of InfoNCE is 1 / k.
        n_samples: S.
        negatives: "sum" as in InfoNCE, or "mean", the reference code: it divides them by M, but not the positive.
        grad: of samples, see `VonMisesFisher`.
        chunk: so many samples at a time, computed again for the gradient: memory grows with the chunk, not with S.
            None = all at once.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> mu = torch.eye(4)
        >>> k, sharp = torch.full((4, 1), 20.0), torch.full((4, 1), torch.inf)
        >>> loss = MCInfoNCE(kappa_pos=5.0)
        >>> round(float(loss(mu, sharp, mu[:, None], sharp[:, None])), 4)  # log(1 + e^-5)
        0.0067
        >>> bool(loss(mu, k, mu[:, None], k[:, None]) > 0.0067)
        True
    """

    def __init__(
        self,
        kappa_pos: float = 16.0,
        n_samples: int = 16,
        negatives: Negatives = "sum",
        grad: Gradient = "implicit",
        chunk: int | None = None,
    ) -> None:
        super().__init__()
        self.kappa_pos = check_positive(kappa_pos, "kappa_pos")
        self.n_samples = check_integer(n_samples, "n_samples", low=1)
        self.negatives = check_choice(negatives, ("sum", "mean"), "negatives")
        self.grad: Gradient = grad
        check_choice(grad, ("implicit", "pathwise"), "grad")
        self.chunk = None if chunk is None else check_integer(chunk, "chunk", low=1)

    def of_parts(self, ref: Part, pos: Part, neg: Part | None, generator: torch.Generator | None) -> Tensor:
        total = self.n_samples
        if self.chunk is None or self.chunk >= total:
            found = self._log_mean(ref, pos, neg, total, generator)
        else:
            sizes = [min(self.chunk, total - start) for start in range(0, total, self.chunk)]
            place = ref[0].device if generator is None else generator.device
            seeds = torch.randint(2**62, (len(sizes),), generator=generator, device=place).tolist()
            parts = [
                checkpoint(
                    partial(self._again, ref, pos, neg, size), seed, use_reentrant=False, preserve_rng_state=False
                )
                for size, seed in zip(sizes, seeds, strict=True)
            ]
            found = torch.logsumexp(torch.stack(parts), 0)
        return -(found - math.log(total)).mean()

    def _again(self, ref: Part, pos: Part, neg: Part | None, draws: int, seed: int) -> Tensor:
        return self._log_mean(ref, pos, neg, draws, torch.Generator(ref[0].device).manual_seed(seed))

    def _log_mean(
        self, ref: Part, pos: Part, neg: Part | None, draws: int, generator: torch.Generator | None
    ) -> Tensor:
        """log sum_s of the likelihood of the pair, (B,)."""
        positive, others = _drawn(ref, pos, neg, draws, self.grad, generator)
        shift = math.log(others.shape[-1]) if self.negatives == "mean" else 0.0
        return torch.logsumexp(-contrast(self.kappa_pos * positive, self.kappa_pos * others - shift), 0)


def log_elk(one: Part, other: Part) -> Tensor:
    """log of the integral of the product of two densities: C(k1) C(k2) / C(|k1 mu1 + k2 mu2|), broadcast, (...)."""
    p = one[0].shape[-1]
    both = (one[1] * one[0] + other[1] * other[0]).norm(dim=-1)
    return log_vmf_normalizer(one[1][..., 0], p) + log_vmf_normalizer(other[1][..., 0], p) - log_vmf_normalizer(both, p)


class ELKLoss(PairLoss):
    """InfoNCE with the log expected likelihood kernel, times a scale, as similarity; nothing is sampled.

    Args:
        scale: of the log kernel.
        negatives: "sum" or "mean", as in `MCInfoNCE`.
    """

    def __init__(self, scale: float = 1.0, negatives: Negatives = "sum") -> None:
        super().__init__()
        self.scale = check_positive(scale, "scale")
        self.negatives = check_choice(negatives, ("sum", "mean"), "negatives")

    def of_parts(self, ref: Part, pos: Part, neg: Part | None, generator: torch.Generator | None) -> Tensor:
        if neg is None:
            neg = pos[0].roll(1, dims=0), pos[1].roll(1, dims=0)
        given = ref[0][:, None], ref[1][:, None]
        shift = math.log(neg[0].shape[1]) if self.negatives == "mean" else 0.0
        positive, others = log_elk(given, pos)[:, 0], log_elk(given, neg)
        return contrast(self.scale * positive, self.scale * others - shift).mean()


class HedgedInstanceLoss(PairLoss):
    """Cross-entropy of "is this a pair" with p = mean_s sigmoid(a z.z' + b); Oh et al., ICLR 2019, arXiv 1810.00319.

    a > 0 and b are learned; they start where the generative process of MCInfoNCE has them: a = kappa_pos,
    b = log C_p(kappa_pos) - log C_p(0). The mean of the positives' and the negatives' part.

    Args:
        dim: p of the sphere.
        kappa_pos: see `MCInfoNCE`.
        n_samples: S.
        grad: of samples.
    """

    def __init__(self, dim: int, kappa_pos: float = 16.0, n_samples: int = 16, grad: Gradient = "implicit") -> None:
        super().__init__()
        ends = torch.tensor([check_positive(kappa_pos, "kappa_pos"), 0.0], dtype=torch.float64)
        self.n_samples, self.grad = check_integer(n_samples, "n_samples", low=1), grad
        self.log_a = nn.Parameter(ends[:1].log().float())
        at, uniform = log_vmf_normalizer(ends, dim)
        self.b = nn.Parameter((at - uniform).float()[None])

    def of_parts(self, ref: Part, pos: Part, neg: Part | None, generator: torch.Generator | None) -> Tensor:
        positive, others = _drawn(ref, pos, neg, self.n_samples, self.grad, generator)
        scores = [self.log_a.exp() * cosine + self.b for cosine in (positive, others)]
        match = torch.logsumexp(F.logsigmoid(scores[0]), 0) - math.log(self.n_samples)
        apart = torch.logsumexp(F.logsigmoid(-scores[1]), 0) - math.log(self.n_samples)
        return -(match.mean() + apart.mean()) / 2


__all__ = ["ELKLoss", "HedgedInstanceLoss", "MCInfoNCE", "PairLoss", "log_elk"]
