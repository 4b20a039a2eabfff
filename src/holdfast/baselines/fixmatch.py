"""FixMatch+: FixMatch with distribution alignment, carried over to domain adaptation.

Sohn et al., "FixMatch: Simplifying Semi-Supervised Learning with Consistency and Confidence", NeurIPS 2020, arXiv
2001.07685; as a baseline of Berthelot et al., "AdaMatch", arXiv 2106.04732, whose reference code
(google-research/adamatch, domain_adaptation/fixmatch_da.py, Apache-2.0) this follows: pseudo-labels on the rows of BOTH
domains, confident above a fixed 0.9, aligned to the running marginal of the labels; supervised loss on weak views only;
constant weight 1. Differences: weight decay is applied by the optimiser, marginals are averaged over processes, and
labelled target images ("lx", "ly"), where given, are one more labelled domain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.data.augment import DIGITS_STRONG, DIGITS_WEAK, LearntTransform, Transform, TwoViews
from holdfast.data.domain_batch import DomainBatch
from holdfast.losses.alignment import TO_LABELS, Alignment
from holdfast.losses.pseudo_labels import at_least_single, probabilities, pseudo_label_loss
from holdfast.training.learner import Learner
from holdfast.training.optim import sgd


@dataclass(frozen=True)
class FixMatchSettings:
    """Settings of `FixMatch`.

    Attributes:
        align: distribution alignment, or None (plain FixMatch).
        threshold: confidence from which a pseudo-label counts.
        weight: of the pseudo-label loss, constant.
        lr, momentum, weight_decay: of SGD; the decay acts on weights of layers only.
        weak, strong: the views are weak(x) and strong(weak(x)).
    """

    align: Alignment | None = TO_LABELS
    threshold: float = 0.9
    weight: float = 1.0
    lr: float = 0.03
    momentum: float = 0.9
    weight_decay: float = 1e-3
    weak: Transform = DIGITS_WEAK
    strong: Transform | LearntTransform = DIGITS_STRONG


class FixMatch(Learner):
    """Batches of `DomainBatch`: "sx", "sy", "tx" and optionally "lx", "ly".

    Args:
        net: images `(N, C, H, W)` to logits `(N, K)`.
        num_classes: K.
        settings: everything else.
    """

    def __init__(self, net: nn.Module, num_classes: int, settings: FixMatchSettings = FixMatchSettings()) -> None:
        super().__init__()
        self.net, self.num_classes, self.settings = net, num_classes, settings
        self.views = TwoViews(settings.weak, settings.strong)
        self.aligner = None if settings.align is None else settings.align.build(num_classes)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        s = self.settings
        return [sgd(self.net, lr=s.lr, momentum=s.momentum, weight_decay=s.weight_decay)]

    def loss(self, batch: Mapping[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of raw images `(N, C, H, W)` in [0, 1]; views are drawn from `rng`."""
        rows = DomainBatch.of(batch, self.num_classes)
        self.views.learn(self.net, rows.images[: rows.source], rows.labels[: rows.source], rng)
        weak, strong = self.views(rows.images, rng)
        z_w, z_s = self.net(torch.cat([weak, strong])).chunk(2)
        return self.loss_of_logits(z_w, z_s, rows)

    def loss_of_logits(self, z_w: Tensor, z_s: Tensor, rows: DomainBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss from the logits of both views, `(B + L + T, K)` each, in the order of `rows`."""
        q = probabilities(z_w)
        if self.aligner is not None:
            marginal = self.aligner.source_marginal(q[: rows.source], rows.labels[: rows.source])
            self.aligner.update(marginal, q.mean(0))
            q = self.aligner(q)
        each = F.cross_entropy(at_least_single(z_w[: rows.labelled]), rows.labels, reduction="none")
        source = each[: rows.source].mean()
        if rows.extra:
            source = source + each[rows.source :].mean()
        pseudo, mask = pseudo_label_loss(z_s, q, self.settings.threshold)
        mask_rate = mask[rows.labelled :].to(q.dtype).mean()
        parts = {"source": source.detach(), "target": pseudo.detach(), "mask_rate": mask_rate}
        return source + self.settings.weight * pseudo, parts
