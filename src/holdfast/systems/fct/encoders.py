"""The encoders whose embeddings are migrated, and how they are trained.

An encoder maps images (N, C, H, W) to embeddings (N, D) that end in a ReLU, so that they are non-negative and not
normalised, as in the paper; a classifier without bias on top is used in training only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from holdfast.data.augment import Transform
from holdfast.data.images import Images, image_batches
from holdfast.randomness import derived_seed, seeded
from holdfast.training import fit
from holdfast.training.learner import Learner
from holdfast.training.optim import sgd


class ConvEncoder(nn.Module):
    """Two 5x5 convolutions at stride 2 (16 and 32 channels, batch norm, ReLU), a linear layer, a ReLU.

    Args:
        in_channels: channels of the images.
        side: height and width of the images in pixels.
        dim: length of the embedding.

    Example:
        >>> ConvEncoder()(torch.zeros(3, 1, 28, 28)).shape
        torch.Size([3, 16])
    """

    def __init__(self, in_channels: int = 1, side: int = 28, dim: int = 16) -> None:
        super().__init__()
        last = math.ceil(math.ceil(side / 2) / 2)
        self.convolutions = nn.Sequential(
            nn.Conv2d(in_channels, 16, 5, stride=2, padding=2),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 5, stride=2, padding=2),
            nn.BatchNorm2d(32),
            nn.ReLU(),
        )
        self.output = nn.Linear(32 * last * last, dim)
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) to embeddings (N, D), all at least 0."""
        return F.relu(self.output(self.convolutions(x).flatten(1)))


@dataclass(frozen=True)
class EncoderTraining:
    """How an encoder is trained: SGD with momentum, half a cosine after a linear warm-up.

    Attributes:
        epochs, batch: passes over the images, images per step.
        lr, momentum, weight_decay: of SGD.
        smoothing: of the labels.
        warmup: share of the training in which the rate grows linearly.
        augment: a transform of image batches, or None.
        workers: processes that decode images.
    """

    epochs: int = 12
    batch: int = 128
    lr: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 5e-4
    smoothing: float = 0.1
    warmup: float = 0.0
    augment: Transform | None = None
    workers: int = 0

    def rate(self, progress: float) -> float:
        """Factor of the rate at a share of the training in [0, 1)."""
        return warm_cosine(progress, self.warmup)

    def steps(self, rows: int) -> int:
        """Optimiser steps over `rows` images."""
        return self.epochs * max(1, rows // self.batch)


def warm_cosine(progress: float, warmup: float = 0.0) -> float:
    """Linear from 0 to 1 over `warmup`, then half a cosine down to 0.

    Example:
        >>> warm_cosine(0.05, 0.1), warm_cosine(0.1, 0.1), round(warm_cosine(0.55, 0.1), 6)
        (0.5, 1.0, 0.5)
    """
    if progress < warmup:
        return progress / warmup
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


class Classifier(Learner):
    """An encoder and a bias-free linear classifier under smoothed cross-entropy, with whatever `penalty` adds.

    Args:
        encoder: images to (N, D); has `dim`.
        classes: how many.
        settings: of the training.
        penalty: (embeddings, labels) -> scalar added to the loss; None = nothing.
    """

    def __init__(
        self,
        encoder: nn.Module,
        classes: int,
        settings: EncoderTraining,
        penalty: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = nn.Linear(int(encoder.dim), classes, bias=False)  # type: ignore[arg-type]
        self.settings, self.penalty = settings, penalty

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        x, y = batch["x"], batch["y"]
        if self.settings.augment is not None:
            x = self.settings.augment(x, rng)
        features = self.encoder(x)
        loss = F.cross_entropy(self.classifier(features), y, label_smoothing=self.settings.smoothing)
        if self.penalty is None:
            return loss, {}
        more = self.penalty(features, y)
        return loss + more, {"cross-entropy": loss, "penalty": more}

    def optimizers(self) -> list[Optimizer]:
        s = self.settings
        return [sgd(self, lr=s.lr, momentum=s.momentum, weight_decay=s.weight_decay)]


def train_classifier(
    build: Callable[[], nn.Module],
    images: Images,
    classes: int,
    settings: EncoderTraining,
    *,
    seed: int,
    device: str = "cpu",
    penalty: Callable[[Tensor, Tensor], Tensor] | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> Classifier:
    """Train an encoder with its classifier on labelled images.

    Args:
        build: makes the encoder; called with the global generators seeded.
        images: labels are in [0, classes).
        seed: of initialisation, order of batches and augmentation.
        penalty: see `Classifier`.

    Returns:
        The trained pair, in evaluation mode, on the device.
    """
    with seeded(derived_seed(seed, "init")):
        learner = Classifier(build(), classes, settings, penalty)
    batches = image_batches(images, settings.batch, derived_seed(seed, "batches"), settings.workers)
    steps = settings.steps(len(images))
    trained = fit(
        learner,
        batches,
        steps=steps,
        seed=derived_seed(seed, "augment"),
        schedule=settings.rate,
        device=device,
        on_step=on_step,
        log_every=max(1, steps // 10),
    )
    assert isinstance(trained.learner, Classifier)
    return trained.learner


__all__ = ["Classifier", "ConvEncoder", "EncoderTraining", "train_classifier", "warm_cosine"]
