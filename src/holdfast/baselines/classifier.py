"""An encoder trained on labelled images with a linear classifier, which may be thrown away afterwards."""

from __future__ import annotations

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
from holdfast.training.optim import sgd, warm_cosine


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


__all__ = ["Classifier", "EncoderTraining", "train_classifier"]
