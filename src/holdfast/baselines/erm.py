"""Empirical risk minimisation: supervised training on the labelled images alone, in two augmented views.

The source baseline of Berthelot et al., "AdaMatch", arXiv 2106.04732. Difference from its reference code
(google-research/adamatch, domain_adaptation/baseline.py, Apache-2.0): there the unlabelled target runs through the
network, too, so that batch norm sees it; here the target is not seen at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.data.augment import DIGITS_STRONG, DIGITS_WEAK, LearntTransform, Transform, TwoViews
from holdfast.data.domain_batch import DomainBatch
from holdfast.losses.pseudo_labels import at_least_single
from holdfast.training.learner import Learner
from holdfast.training.optim import sgd


@dataclass(frozen=True)
class ERMSettings:
    """Settings of `ERM`; fields as in the methods it is compared with.

    Attributes:
        lr, momentum, weight_decay: of SGD; the decay acts on weights of layers only.
        weak, strong: the views are weak(x) and strong(weak(x)).
    """

    lr: float = 0.03
    momentum: float = 0.9
    weight_decay: float = 1e-3
    weak: Transform = DIGITS_WEAK
    strong: Transform | LearntTransform = DIGITS_STRONG


class ERM(Learner):
    """Mean cross-entropy over both views of labelled images: "sx", "sy", and "lx", "ly" where given; "tx" is ignored.

    Args:
        net: images `(N, C, H, W)` to logits `(N, K)`.
        num_classes: K.
        settings: everything else.
    """

    def __init__(self, net: nn.Module, num_classes: int, settings: ERMSettings = ERMSettings()) -> None:
        super().__init__()
        self.net, self.num_classes, self.settings = net, num_classes, settings
        self.views = TwoViews(settings.weak, settings.strong)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        s = self.settings
        return [sgd(self.net, lr=s.lr, momentum=s.momentum, weight_decay=s.weight_decay)]

    def loss(self, batch: Mapping[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of raw images `(N, C, H, W)` in [0, 1]. Source and labelled target each count with weight 1."""
        rows = DomainBatch.labelled_part(batch, self.num_classes)
        self.views.learn(self.net, rows.images[: rows.source], rows.labels[: rows.source], rng)
        weak, strong = self.views(rows.images, rng)
        loss = supervised_loss(self.net(torch.cat([weak, strong])), rows)
        return loss, {"source": loss.detach()}


def supervised_loss(logits: Tensor, rows: DomainBatch) -> Tensor:
    """Cross-entropy of both views, mean over the source plus mean over the labelled target where there is one.

    Args:
        logits: `(2 (B + L), K)`, weak views first.
        rows: the batch, for its labels `(B + L,)`.
    """
    labels = torch.cat([rows.labels, rows.labels])
    each = F.cross_entropy(at_least_single(logits), labels, reduction="none").view(2, rows.labelled)
    loss = each[:, : rows.source].mean()
    return loss + each[:, rows.source :].mean() if rows.extra else loss
