"""Domain-adversarial training of neural networks (DANN).

Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 2016, arXiv 1505.07818. A discriminator learns to
tell the domains apart from the features; the gradient that reaches the features is reversed, so that they become
alike. Differences from the paper: both domains share one pass (and batch-norm statistics), each image is used in a
weak and a strong view as in the methods this is compared with, and the reversal's strength also serves where labelled
target images ("lx", "ly") join the labelled loss.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.baselines.erm import supervised_loss
from holdfast.data.augment import DIGITS_STRONG, DIGITS_WEAK, LearntTransform, Transform, TwoViews
from holdfast.data.domain_batch import DomainBatch
from holdfast.errors import InputError
from holdfast.layers.reversal import reverse_gradient
from holdfast.losses.pseudo_labels import at_least_single
from holdfast.training.learner import Learner
from holdfast.training.optim import sgd


def reversal_strength(p: float, gamma: float = 10.0) -> float:
    """`2 / (1 + exp(-gamma p)) - 1`, rising from 0 at p = 0 to nearly 1 at p = 1 (section 5.2.2 of the paper).

    Example:
        >>> from holdfast.baselines.dann import reversal_strength
        >>> round(reversal_strength(0.0), 3), round(reversal_strength(1.0), 3)
        (0.0, 1.0)
    """
    return 2 / (1 + math.exp(-gamma * p)) - 1


@dataclass(frozen=True)
class DANNSettings:
    """Settings of `DANN`.

    Attributes:
        weight: of the domain loss.
        gamma: how fast the reversal's strength rises.
        hidden: units of the discriminator's hidden layer.
        lr, momentum, weight_decay: of SGD, for network and discriminator; the decay acts on weights of layers only.
        weak, strong: the views are weak(x) and strong(weak(x)).
    """

    weight: float = 1.0
    gamma: float = 10.0
    hidden: int = 128
    lr: float = 0.03
    momentum: float = 0.9
    weight_decay: float = 1e-3
    weak: Transform = DIGITS_WEAK
    strong: Transform | LearntTransform = DIGITS_STRONG


class DANN(Learner):
    """Batches of `DomainBatch`: "sx", "sy", "tx" and optionally "lx", "ly".

    Args:
        net: network with `features(images) -> (N, F)`, `head(features) -> (N, K)` and `num_features` = F, such as
            `SmallConvNet` and `WideResNet`.
        num_classes: K.
        settings: everything else.

    Raises:
        InputError: the network does not have these.
    """

    def __init__(self, net: nn.Module, num_classes: int, settings: DANNSettings = DANNSettings()) -> None:
        super().__init__()
        missing = [name for name in ("features", "head", "num_features") if not hasattr(net, name)]
        if missing:
            raise InputError(
                "net", "must have features(), head and num_features", f"{type(net).__name__} without {missing}"
            )
        self.net, self.num_classes, self.settings = net, num_classes, settings
        self.views = TwoViews(settings.weak, settings.strong)
        self.discriminator = nn.Sequential(
            nn.Linear(net.num_features, settings.hidden),  # type: ignore[arg-type]
            nn.ReLU(),
            nn.Linear(settings.hidden, 1),
        )

    def optimizers(self) -> list[torch.optim.Optimizer]:
        s = self.settings
        return [sgd(self, lr=s.lr, momentum=s.momentum, weight_decay=s.weight_decay)]

    def loss(self, batch: Mapping[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of raw images `(N, C, H, W)` in [0, 1]; views are drawn from `rng`."""
        rows = DomainBatch.of(batch, self.num_classes)
        self.views.learn(self.net, rows.images[: rows.source], rows.labels[: rows.source], rng)
        features = self.net.features(torch.cat(self.views(rows.images, rng)))  # type: ignore[operator]
        weak, strong = features.chunk(2)
        logits = self.net.head(torch.cat([weak[: rows.labelled], strong[: rows.labelled]]))  # type: ignore[operator]
        source = supervised_loss(logits, rows)
        strength = reversal_strength(self.progress, self.settings.gamma)
        domain, accuracy = self._domain_loss(reverse_gradient(features, strength), rows)
        parts = {"source": source.detach(), "domain": domain.detach(), "domain_accuracy": accuracy}
        return source + self.settings.weight * domain, parts

    def _domain_loss(self, features: Tensor, rows: DomainBatch) -> tuple[Tensor, Tensor]:
        """Cross-entropy of source against target, both domains counting the same, and the discriminator's accuracy."""
        z = at_least_single(self.discriminator(features)).view(2, -1)
        z_source, z_target = z[:, : rows.source], z[:, rows.source :]
        loss = 0.5 * (F.softplus(-z_source).mean() + F.softplus(z_target).mean())
        right = 0.5 * ((z_source > 0).float().mean() + (z_target <= 0).float().mean())
        return loss, right
