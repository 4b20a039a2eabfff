"""AdaMatch: one recipe for semi-supervised learning and domain adaptation.

Berthelot, Roelofs, Sohn, Carlini, Kurakin, "AdaMatch: A Unified Approach to Semi-Supervised Learning and Domain
Adaptation", ICLR 2022, arXiv 2106.04732. Reference code: google-research/adamatch (JAX + objax, Apache-2.0).

Symbols: K classes; B labelled source images, r B unlabelled target images, each in a weak (w) and a strong (s) view.
    z'            logits of the source views from a pass over source and target together
    z''           logits of the source views from a pass over the source alone
    lam           U(0, 1), one per logit
    c             confidence threshold of this batch
    q, q~         softmax(z_tw), and the same after distribution alignment
    p_src, p_tgt  running class marginals of predictions on the source and on the target
    mu            weight of the target loss, a function of the progress of training

One step:
    z'' = net(source), on batch statistics that are not recorded;   z' = net(source + target)
    z_s = z' + lam (z'' - z')                                        random logit interpolation
    c   = 0.9 mean_i max_k softmax(z_sw)_ik                          relative confidence threshold
    q~  = normalise(q p_src / p_tgt)                                 distribution alignment
    L   = 1/2 [CE(z_sw, y) + CE(z_ss, y)] + mu(t) mean_i [max q~_i >= c] CE(z_ts_i, argmax q~_i)

Differences from the paper: the paper writes the target loss with q~ itself as target, the reference code uses its hard
argmax; hard is the default here, `SoftTarget()` gives the paper's.
Differences from the reference code:
- Views are laid out as [all weak; all strong] instead of alternating rows; the order of rows changes nothing.
- p_src, p_tgt and c are averaged over the processes of a distributed run; there, they are kept per replica.
- The weight decay is applied by the optimiser, to weights with two or more dimensions, instead of being added to the
  loss. The gradient is the same; the reported loss lacks the term.
- The average of weights that is evaluated belongs to the training loop and starts at a copy of the weights; there it
  starts at zero without correction, which ruins short runs.
- Probe images of CTAugment are classified by the current network in evaluation mode; there by the average of weights.
- Batch norm is the network's own: `layers.BiasedBatchNorm2d` records biased variances as the reference does.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.data.augment import DIGITS_STRONG, DIGITS_WEAK, LearntTransform, Transform, TwoViews
from holdfast.data.domain_batch import DomainBatch
from holdfast.errors import InputError
from holdfast.layers.norm import batch_norms, frozen_bn_stats
from holdfast.losses.alignment import TO_SOURCE_PREDICTIONS, Alignment
from holdfast.losses.pseudo_labels import (
    HARD,
    HardTarget,
    SoftTarget,
    at_least_single,
    probabilities,
    pseudo_label_loss,
)
from holdfast.training.distributed import all_mean
from holdfast.training.learner import Learner
from holdfast.training.optim import sgd


# ------------------------------------------------------------------------------------ random logit interpolation (1-3)
def interpolate_logits(z_joint: Tensor, z_source: Tensor, lam: Tensor) -> Tensor:
    """`z' + lam (z'' - z')`, elementwise; all `(N, K)`."""
    return z_joint + lam * (z_source - z_joint)


def random_logit_interpolation(z_joint: Tensor, z_source: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """A random point between two sets of logits of the same images: `lam ~ U(0, 1)` independently per element.

    The source loss then holds for every batch statistic between that of the source alone and that of both domains.

    Args:
        z_joint: z', from the pass over both domains, `(N, K)`.
        z_source: z'', from the pass over the source alone, `(N, K)`.
        generator: source of randomness on the logits' device.

    Returns:
        `(N, K)`; gradients flow into both arguments.

    Example:
        >>> import torch
        >>> from holdfast.systems.adamatch import random_logit_interpolation
        >>> z = random_logit_interpolation(torch.zeros(2, 3), torch.ones(2, 3), torch.Generator().manual_seed(0))
        >>> bool(((z > 0) & (z < 1)).all())
        True
    """
    if z_joint.shape != z_source.shape:
        raise InputError("z_source", f"must have the shape of z_joint {tuple(z_joint.shape)}", tuple(z_source.shape))
    lam = torch.rand(z_joint.shape, generator=generator, device=z_joint.device, dtype=z_joint.dtype)
    return interpolate_logits(z_joint, z_source, lam)


class Interpolation(Protocol):
    """How the logits of labelled rows are made. `source_pass()` runs the network on them alone, if it is called."""

    def __call__(
        self, z_joint: Tensor, source_pass: Callable[[], Tensor], generator: torch.Generator | None
    ) -> Tensor: ...


@dataclass(frozen=True)
class RandomInterpolation:
    """The paper's: a random point between the logits of both passes."""

    def __call__(self, z_joint: Tensor, source_pass: Callable[[], Tensor], generator: torch.Generator | None) -> Tensor:
        return random_logit_interpolation(z_joint, source_pass(), generator)


@dataclass(frozen=True)
class NoInterpolation:
    """Ablation: the logits of the joint pass as they are. Saves the pass over the source."""

    def __call__(self, z_joint: Tensor, source_pass: Callable[[], Tensor], generator: torch.Generator | None) -> Tensor:
        return z_joint


# ------------------------------------------------------------------------------------------------------- threshold (4)
def relative_threshold(probs_weak_source: Tensor, ratio: float = 0.9) -> Tensor:
    """`c = ratio * mean_i max_k p_ik`: confidence on the target is asked for relative to that on the source.

    Args:
        probs_weak_source: predictions on the weak views of the source, `(B, K)`.
        ratio: the share.

    Returns:
        Scalar without gradient.

    Example:
        >>> import torch
        >>> from holdfast.systems.adamatch import relative_threshold
        >>> round(float(relative_threshold(torch.tensor([[1.0, 0.0], [0.5, 0.5]]))), 3)
        0.675
    """
    return ratio * probs_weak_source.detach().amax(1).mean()


@dataclass(frozen=True)
class RelativeThreshold:
    """The paper's threshold; averaged over the processes of a distributed run."""

    ratio: float = 0.9

    def __call__(self, probs_weak_source: Tensor) -> Tensor:
        return all_mean(relative_threshold(probs_weak_source, self.ratio))


@dataclass(frozen=True)
class FixedThreshold:
    """Ablation: a constant threshold, as in FixMatch."""

    value: float = 0.9

    def __call__(self, probs_weak_source: Tensor) -> Tensor:
        return probs_weak_source.new_full((), self.value)


# Alignment (5) and the loss of pseudo-labels (6) have other users, too: `losses.alignment`, `losses.pseudo_labels`.
# ----------------------------------------------------------------------------------------------- supervised loss (6)
def two_view_cross_entropy(z_w: Tensor, z_s: Tensor, y: Tensor) -> Tensor:
    """`1/2 [CE(z_w, y) + CE(z_s, y)]`, mean over rows: logits `(B, K)` of both views, labels `(B,)`."""
    return 0.5 * (F.cross_entropy(at_least_single(z_w), y) + F.cross_entropy(at_least_single(z_s), y))


# ------------------------------------------------------------------------------------------------------- schedules (7)
def mu_schedule(p: float, final: float = 1.0) -> float:
    """Weight of the target loss: half a cosine from 0 to 1 over the first half of training, another to `final` after
    it.

    Args:
        p: progress in [0, 1].
        final: weight at p = 1.

    Example:
        >>> from holdfast.systems.adamatch import mu_schedule
        >>> [round(mu_schedule(p), 3) for p in (0, 0.25, 0.5, 1)]
        [0.0, 0.5, 1.0, 1.0]
    """
    rise = 0.5 - 0.5 * math.cos(math.pi * min(1.0, 2 * p))
    return rise + (final - 1) * (0.5 - 0.5 * math.cos(math.pi * min(1.0, max(0.0, 2 * p - 1))))


def cosine_lr(p: float, final: float = 0.25) -> float:
    """Factor of the learning rate: `cos(arccos(final) p)`, from 1 at p = 0 to `final` at p = 1.

    Example:
        >>> from holdfast.systems.adamatch import cosine_lr
        >>> round(cosine_lr(0.0), 3), round(cosine_lr(1.0), 3)
        (1.0, 0.25)
    """
    return math.cos(math.acos(final) * p)


# ---------------------------------------------------------------------------------------------- loss from logits (4-7)
class AdaMatchLoss(nn.Module):
    """The loss from logits, with the running marginals as buffers.

    Args:
        num_classes: K.
        align: settings of the distribution alignment; None leaves it out.
        threshold: makes c from the predictions on the weak source.
        target: what is learnt from a confident row.
        weight: final weight of the target loss, see `mu_schedule`.

    Example:
        >>> import torch
        >>> from holdfast.systems.adamatch import AdaMatchLoss
        >>> z = torch.zeros(4, 3)
        >>> parts = AdaMatchLoss(3)(z, z, torch.tensor([0, 1, 2, 0]), z, z, progress=0.5)
        >>> {name: round(float(value), 3) for name, value in parts.items()}
        {'loss': 2.197, 'source': 1.099, 'target': 1.099, 'mask_rate': 1.0, 'threshold': 0.3}
    """

    def __init__(
        self,
        num_classes: int,
        *,
        align: Alignment | None = TO_SOURCE_PREDICTIONS,
        threshold: Callable[[Tensor], Tensor] = RelativeThreshold(),
        target: HardTarget | SoftTarget = HARD,
        weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.aligner = None if align is None else align.build(num_classes)
        self.threshold, self.target, self.weight = threshold, target, weight

    def forward(
        self,
        z_sw: Tensor,
        z_ss: Tensor,
        y: Tensor,
        z_tw: Tensor,
        z_ts: Tensor,
        progress: float,
        labelled_target: tuple[Tensor, Tensor, Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Loss of one batch; updates the marginals first, then uses them.

        Args:
            z_sw, z_ss: (interpolated) logits of the source's weak and strong views, `(B, K)`.
            y: labels of the source, `(B,)`, in [0, K).
            z_tw, z_ts: logits of the target's views, `(T, K)`. No gradient flows into z_tw.
            progress: share of the training that is done, in [0, 1].
            labelled_target: `(z_w, z_s, y)` of target rows with labels, `(L, K)` and `(L,)`: their two-view
                cross-entropy is added with weight 1; c and p_src are still the source's alone.

        Returns:
            Scalars on the logits' device: loss (with gradient), source, target (before mu), mask_rate, threshold, and
            labelled_target where given.

        Raises:
            InputError: logits do not have K columns.
        """
        for name, z in {"z_sw": z_sw, "z_ss": z_ss, "z_tw": z_tw, "z_ts": z_ts}.items():
            if z.ndim != 2 or z.shape[1] != self.num_classes:
                raise InputError(name, f"must have shape (N, {self.num_classes})", tuple(z.shape))
        probs_source, q = probabilities(z_sw), probabilities(z_tw)
        c = self.threshold(probs_source)
        if self.aligner is not None:
            self.aligner.update(self.aligner.source_marginal(probs_source, y), q.mean(0))
            q = self.aligner(q)
        source = two_view_cross_entropy(z_sw, z_ss, y)
        target, mask = pseudo_label_loss(z_ts, q, c, self.target)
        loss = source + mu_schedule(progress, self.weight) * target
        parts = {"source": source, "target": target, "mask_rate": mask.to(q.dtype).mean(), "threshold": c}
        if labelled_target is not None:
            parts["labelled_target"] = two_view_cross_entropy(*labelled_target)
            loss = loss + parts["labelled_target"]
        return {"loss": loss} | {name: part.detach() for name, part in parts.items()}


# --------------------------------------------------------------------------------------------------------- learner (8)
@dataclass(frozen=True)
class AdaMatchSettings:
    """All of AdaMatch but the network. Defaults are the reference's, except the augmentation, which suits small digits.

    Attributes:
        interpolate: how logits of labelled rows are made: `RandomInterpolation()` or `NoInterpolation()`.
        align: distribution alignment, or None.
        threshold: `RelativeThreshold(0.9)` or `FixedThreshold(0.9)`.
        target: `HardTarget()` or `SoftTarget()`.
        weight: final weight of the target loss.
        lr, momentum, weight_decay: of SGD; the decay acts on weights of layers only. The schedule is `cosine_lr`.
        weak, strong: the views are weak(x) and strong(weak(x)).
    """

    interpolate: Interpolation = RandomInterpolation()
    align: Alignment | None = TO_SOURCE_PREDICTIONS
    threshold: RelativeThreshold | FixedThreshold = RelativeThreshold()
    target: HardTarget | SoftTarget = HARD
    weight: float = 1.0
    lr: float = 0.03
    momentum: float = 0.9
    weight_decay: float = 1e-3
    weak: Transform = DIGITS_WEAK
    strong: Transform | LearntTransform = DIGITS_STRONG


class AdaMatch(Learner):
    """Trains `net` on batches of labelled source ("sx", "sy"), unlabelled target ("tx") and, for semi-supervised domain
    adaptation, labelled target ("lx", "ly") images. Semi-supervised learning: the labelled set as source, the
    unlabelled one as target.

    Args:
        net: images `(N, C, H, W)` to logits `(N, K)`. Without batch norm the interpolation is an identity and a warning
            says so.
        num_classes: K.
        settings: everything else.

    Example:
        >>> import torch
        >>> from holdfast.layers.small_convnet import SmallConvNet
        >>> from holdfast.systems.adamatch import AdaMatch
        >>> learner = AdaMatch(SmallConvNet(1, 10), 10)
        >>> batch = {"sx": torch.rand(4, 1, 16, 16), "sy": torch.arange(4), "tx": torch.rand(8, 1, 16, 16)}
        >>> loss, parts = learner.loss(batch, torch.Generator().manual_seed(0))
        >>> loss.requires_grad, sorted(parts)
        (True, ['mask_rate', 'source', 'target', 'threshold'])
    """

    def __init__(self, net: nn.Module, num_classes: int, settings: AdaMatchSettings = AdaMatchSettings()) -> None:
        super().__init__()
        self.net, self.num_classes, self.settings = net, num_classes, settings
        self.views = TwoViews(settings.weak, settings.strong)
        self.criterion = AdaMatchLoss(
            num_classes,
            align=settings.align,
            threshold=settings.threshold,
            target=settings.target,
            weight=settings.weight,
        )
        if isinstance(settings.interpolate, RandomInterpolation) and not batch_norms(net):
            warnings.warn(
                "net has no batch norm: both passes give the same logits, so random logit interpolation is an "
                "identity; settings with interpolate=NoInterpolation() do the same at less cost",
                stacklevel=2,
            )

    def optimizers(self) -> list[torch.optim.Optimizer]:
        s = self.settings
        return [sgd(self.net, lr=s.lr, momentum=s.momentum, weight_decay=s.weight_decay)]

    def loss(self, batch: Mapping[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of raw images `(N, C, H, W)` in [0, 1]; views are drawn from `rng`."""
        rows = DomainBatch.of(batch, self.num_classes)
        self.views.learn(self.net, rows.images[: rows.source], rows.labels[: rows.source], rng)
        weak, strong = self.views(rows.images, rng)
        return self.loss_of_views(weak, strong, rows, rng)

    def loss_of_views(
        self, weak: Tensor, strong: Tensor, rows: DomainBatch, rng: torch.Generator | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of given views, `(B + L + T, C, H, W)` each, in the order of `rows`."""
        n = rows.labelled

        def source_pass() -> Tensor:
            with frozen_bn_stats(self.net):
                return self.net(torch.cat([weak[:n], strong[:n]]))

        z_w, z_s = self.net(torch.cat([weak, strong])).chunk(2)
        z_labelled = self.settings.interpolate(torch.cat([z_w[:n], z_s[:n]]), source_pass, rng)
        (z_sw, z_lw), (z_ss, z_ls) = (z.split([rows.source, rows.extra]) for z in z_labelled.chunk(2))
        y, y_l = rows.labels.split([rows.source, rows.extra])
        labelled_target = (z_lw, z_ls, y_l) if rows.extra else None
        parts = self.criterion(z_sw, z_ss, y, z_w[n:], z_s[n:], self.progress, labelled_target)
        return parts.pop("loss"), parts
