"""A model against an adversary that reweights the training set (Michel, Hashimoto and Neubig, arXiv 2204.06340).

An adversary gives every example a likelihood ratio r(x, y) = q(x, y) / p(x, y). The model minimises the reweighted
loss, the adversary maximises it less tau times KL(q || p). As r is a parametric function of the example, it upweights
what examples have in common, not single hard ones. Three ideas make that train: ratios are normalised over the
mini-batch, the divergence is a penalty and no constraint, and both players step at once, from the same forward passes.

Differences from the authors' code (pmichel31415/P-DRO):

- The model's loss is the mean over the batch of r_i l_i, as in the paper; there it is the sum, n times as much. With
  Adam only the clipping of gradients notices.
- The head of the adversary starts at zero, so that the first ratios are all 1 (`init="random"`: as there).
- A ratio of x alone (`joint=False`) has a head of its own; there it fails for labels above 0.
- Over several processes the ratios are normalised over the whole batch, not over each process's share.

Left out: P-DRO's generative adversary and Topic-CVaR, with which the paper compares (one needs a language model of the
data, the other topics of texts), and the code's option `beta`, which mixes -mean(log r) into the adversary's loss.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.systems.rp_dro.method.selection import MinMaxValidation
from holdfast.training.distributed import gather_rows
from holdfast.training.learner import Learner, Minimise
from holdfast.validation import check_choice, check_fraction, check_integer, check_positive


# ------------------------------------------------------------------------------------------------- likelihood ratios
def batch_log_ratios(s: Tensor, dim: int = 0) -> Tensor:
    """log r_i = s_i - logsumexp_j s_j + log n: ratios with mean 1 over the batch, whatever its size n.

    Args:
        s: raw log-ratios, (n,) or with the batch along `dim`.
        dim: of the batch.

    Returns:
        log r of the shape of s; r is in (0, n).

    Example:
        >>> batch_log_ratios(torch.tensor([5.0, 5.0])).tolist()
        [0.0, 0.0]
    """
    return s - s.logsumexp(dim, keepdim=True) + math.log(s.shape[dim])


class Normalise(Protocol):
    """How raw log-ratios become log-ratios, and what is added to the adversary's loss."""

    def __call__(self, raw: Tensor) -> tuple[Tensor, Tensor | float]: ...


@dataclass(frozen=True)
class BatchNormalised:
    """The paper's: mean 1 over the batch."""

    def __call__(self, raw: Tensor) -> tuple[Tensor, Tensor | float]:
        return batch_log_ratios(raw), 0.0


@dataclass(frozen=True)
class SelfNormalised:
    """The alternative: r = exp(s), kept near mean 1 by lam (log mean r)^2 in the adversary's loss.

    Attributes:
        lam: weight of that penalty, above 0.
    """

    lam: float = 1.0

    def __post_init__(self) -> None:
        check_positive(self.lam, "lam")

    def __call__(self, raw: Tensor) -> tuple[Tensor, Tensor | float]:
        return raw, self.lam * (raw.logsumexp(0) - math.log(len(raw))).square()


BATCH_NORMALISED = BatchNormalised()


# ----------------------------------------------------------------------------------------------------- the two losses
def rp_dro_losses(
    losses: Tensor, raw: Tensor, tau: float, detach: bool = True, normalise: Normalise = BATCH_NORMALISED
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """What the model and the adversary minimise, of one batch.

        model:     mean(sg[r] l)
        adversary: - mean(r sg[l]) + tau mean(r log r)

    For fixed losses the best r is that of softmax(l / tau): tau -> infinity is the mean, tau -> 0 the worst example.
    tau is on the scale of the losses.

    Args:
        losses: (n,), each example's own (`reduction="none"`).
        raw: (n,) raw log-ratios.
        tau: weight of the KL penalty, above 0.
        detach: False leaves out both stop-gradients sg.
        normalise: `BatchNormalised()` or `SelfNormalised(lam)`.

    Returns:
        (model's loss, adversary's loss, info): scalars, and without gradient "kl" (mean(r log r), in [0, log n]), "ess"
        (effective number of examples, 1 / sum((r / n)^2)), "max_ratio", and the ratios themselves as "ratios" (n,).

    Raises:
        InputError: losses that are reduced, not finite (found on the CPU), or of another length; tau at most 0.

    Example:
        >>> l, s = torch.tensor([1.0, 3.0]), torch.tensor([0.0, math.log(3.0)])
        >>> model, adversary, info = rp_dro_losses(l, s, tau=0.1)
        >>> [round(float(v), 4) for v in (model, adversary, info["kl"], info["ess"])]
        [2.5, -2.4869, 0.1308, 1.6]
    """
    check_positive(tau, "tau")
    if losses.ndim != 1:
        rule = "must have one value per example, shape (n); pass reduction='none'"
        raise InputError("losses", rule, f"shape {tuple(losses.shape)}")
    if not len(losses):
        raise InputError("losses", "must not be empty", "shape (0,)")
    if raw.shape != losses.shape:
        raise InputError("raw", f"must have the shape of losses {tuple(losses.shape)}", tuple(raw.shape))
    if losses.device.type == "cpu" and not bool(losses.isfinite().all()):
        first = int((~losses.isfinite()).int().argmax())
        raise InputError("losses", "must be finite", f"{float(losses[first])} in row {first}")
    if len(losses) == 1 and isinstance(normalise, BatchNormalised):
        warnings.warn("a batch of one example: its ratio is 1 whatever the adversary does", stacklevel=2)
    adversary_loss, r, info = adversary_objective(losses.detach() if detach else losses, raw, tau, normalise)
    return ((r.detach() if detach else r) * losses).mean(), adversary_loss, info


def adversary_objective(
    losses: Tensor, raw: Tensor, tau: float, normalise: Normalise
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """The adversary's loss, the ratios (n,) with gradient, and info as `rp_dro_losses` has it; checks nothing."""
    log_r, penalty = normalise(raw)
    r = log_r.exp()
    kl = (r * log_r).mean()
    seen = r.detach()
    ess = seen.sum().square() / seen.square().sum()
    info = {"kl": kl.detach(), "ess": ess, "max_ratio": seen.max(), "ratios": seen}
    return -(r * losses).mean() + tau * kl + penalty, r, info


# ------------------------------------------------------------------------------------------------------ the adversary
class RatioAdversary(nn.Module):
    """Raw log-ratios s = a(x)[y]: the output for the TRUE class of a network with a linear head, no log-softmax.

    Args:
        backbone: inputs to features (n, D); usually of the same kind as the model.
        num_classes: K, outputs of the head.
        joint: False = one output, a ratio of x that does not depend on y.
        init: "zero" = the head starts at zero, so all ratios at 1; "random" = as torch initialises it.
        dim: D; None = the attribute `dim` of the backbone.

    Raises:
        InputError: another init, a backbone without `dim`; on use a label outside [0, K) (found on the CPU).

    Example:
        >>> adversary = RatioAdversary(nn.Identity(), 3, dim=2)
        >>> adversary(torch.ones(4, 2), torch.tensor([0, 1, 2, 0])).tolist()
        [0.0, 0.0, 0.0, 0.0]
    """

    def __init__(
        self, backbone: nn.Module, num_classes: int, joint: bool = True, init: str = "zero", dim: int | None = None
    ) -> None:
        super().__init__()
        check_choice(init, ("zero", "random"), "init")
        self.num_classes, self.joint = check_integer(num_classes, "num_classes", low=1), joint
        size = getattr(backbone, "dim", None) if dim is None else dim
        if size is None:
            raise InputError("backbone", "must have an attribute dim, or dim must be given", type(backbone).__name__)
        self.backbone = backbone
        self.head = nn.Linear(check_integer(size, "dim", low=1), num_classes if joint else 1)
        if init == "zero":
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(n,) raw log-ratios of inputs x and labels y (n,) int64."""
        scores = self.head(self.backbone(x))
        if not self.joint:
            return scores.squeeze(1)
        try:
            return scores.gather(1, y.unsqueeze(1)).squeeze(1)
        except RuntimeError as error:
            if y.shape == scores.shape[:1] and not 0 <= int(y.min()) <= int(y.max()) < self.num_classes:
                outside = int(y.max()) if int(y.max()) >= self.num_classes else int(y.min())
                rule = f"must lie in [0, {self.num_classes}), the outputs of the adversary"
                raise InputError("y", rule, outside) from error
            raise


# -------------------------------------------------------------------------------------------------------- the learner
def case_cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """(n,) cross-entropies of logits (n, K) and labels (n,)."""
    return F.cross_entropy(logits, y, reduction="none")


class RPDRO(Learner):
    """Model and adversary on batches of "x" and "y". Train with `fit(learner, ..., clip=10)`: each player is clipped.

    The model's learning rate falls linearly to 0, the adversary's stays: leave `schedule` of `fit` out. The adversary
    is in evaluation mode all the time (no dropout).

    Args:
        model: x to logits (n, K), or to whatever `case_loss` takes.
        adversary: (x, y) to raw log-ratios (n,).
        tau: weight of the KL penalty, on the scale of the losses.
        alpha: share of the reweighted loss in the model's; the rest is the plain mean.
        normalise: `BatchNormalised()` or `SelfNormalised(lam)`.
        lr, adversary_lr, weight_decay: of the two AdamW.
        validation: looks for the best checkpoint on the way; None = nothing does.
        case_loss: (outputs, y) to losses (n,): for regression, another than the cross-entropy.

    Example:
        >>> learner = RPDRO(nn.Linear(2, 3), RatioAdversary(nn.Identity(), 3, dim=2), tau=0.1)
        >>> batch = {"x": torch.zeros(4, 2), "y": torch.tensor([0, 1, 2, 0])}
        >>> model_loss, adversary_loss, parts = learner.losses(batch, torch.Generator())
        >>> sorted(parts)
        ['ess', 'kl', 'max_ratio', 'mean loss']
    """

    def __init__(
        self,
        model: nn.Module,
        adversary: nn.Module,
        tau: float = 0.01,
        alpha: float = 1.0,
        normalise: Normalise = BATCH_NORMALISED,
        *,
        lr: float = 1e-3,
        adversary_lr: float = 3e-4,
        weight_decay: float = 0.0,
        validation: MinMaxValidation | None = None,
        case_loss: Callable[[Tensor, Tensor], Tensor] = case_cross_entropy,
    ) -> None:
        super().__init__()
        self.model, self.adversary, self.validation = model, adversary, validation
        self.tau, self.alpha = check_positive(tau, "tau"), check_fraction(alpha, "alpha")
        self.lr, self.adversary_lr = check_positive(lr, "lr"), check_positive(adversary_lr, "adversary_lr")
        self.weight_decay, self.normalise, self.case_loss = weight_decay, normalise, case_loss
        self._model_optimizer: torch.optim.Optimizer | None = None

    def optimizers(self) -> list[torch.optim.Optimizer]:
        """The model's, then the adversary's."""
        players = ((self.model, self.lr), (self.adversary, self.adversary_lr))
        made = [torch.optim.AdamW(p.parameters(), lr=lr, weight_decay=self.weight_decay) for p, lr in players]
        self._model_optimizer = made[0]
        return [*made]

    def train(self, mode: bool = True) -> RPDRO:
        super().train(mode)
        self.adversary.eval()
        return self

    def losses(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """The model's loss, the adversary's, and numbers to record, of the batch over all processes."""
        x, y = batch["x"], batch["y"]
        losses = gather_rows(self.case_loss(self.model(x), y))
        raw = gather_rows(self.adversary(x, y))
        adversary_loss, _, info = adversary_objective(losses.detach(), raw, self.tau, self.normalise)
        weights = self.weights(info.pop("ratios"), rng)
        if self.alpha < 1:
            weights = self.alpha * weights + (1 - self.alpha)
        parts = {**info, "mean loss": losses.detach().mean()}
        return (weights * losses).mean(), adversary_loss, parts

    def weights(self, ratios: Tensor, rng: torch.Generator) -> Tensor:
        """What the model's losses are weighted with, of the ratios (n,) without gradient; variants may differ here."""
        return ratios

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum of both losses: as neither has a gradient in the other player, its gradients are those of both."""
        model_loss, adversary_loss, parts = self.losses(batch, rng)
        return model_loss + adversary_loss, parts

    def step(self, batch: dict[str, Tensor], rng: torch.Generator, minimise: Minimise) -> dict[str, Tensor]:
        """Both players at once: both gradients from the same forward passes, then both optimisers."""
        self.set_model_rate()
        model_loss, adversary_loss, parts = self.losses(batch, rng)
        minimise.backward(model_loss, player=0)
        minimise.backward(adversary_loss, player=1)
        minimise.update(player=0)
        minimise.update(player=1)
        return {"loss": model_loss.detach(), "adversary loss": adversary_loss.detach(), **parts}

    def set_model_rate(self) -> None:
        """The model's learning rate at this share of the training."""
        if self._model_optimizer is not None:
            for group in self._model_optimizer.param_groups:
                group["lr"] = self.lr * (1 - self.progress)

    def after_step(self) -> None:
        if self.validation is not None:
            self.validation.after_step(self.model, self.adversary)


__all__ = [
    "BATCH_NORMALISED",
    "RPDRO",
    "BatchNormalised",
    "Normalise",
    "RatioAdversary",
    "SelfNormalised",
    "batch_log_ratios",
    "case_cross_entropy",
    "rp_dro_losses",
]
