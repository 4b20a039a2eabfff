"""Training of h on the shared training loop, as in the released configurations of the reference code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from holdfast.data.batches import Batches
from holdfast.errors import InputError
from holdfast.systems.fct.method import (
    ForwardTransform,
    UncertaintyHead,
    is_frozen,
    rate_factor,
    row_errors,
    transform_loss,
    uncertainty_loss,
)
from holdfast.training import Checkpoints, fit
from holdfast.training.history import Columns
from holdfast.training.learner import Learner, Parts
from holdfast.validation import check_fraction, check_integer, check_number, check_positive


@dataclass(frozen=True)
class TransformTraining:
    """How h is trained. The defaults are those of the reference's configurations.

    Args:
        epochs: passes over the pairs.
        batch_size: pairs per step; with fewer pairs than that, all of them.
        lr: highest learning rate of Adam.
        weight_decay: L2 penalty, as Adam takes it.
        warmup: epochs in which the learning rate rises.
        frozen_norm: share of the epochs, at the end, in which batch normalisation uses its running statistics
            ("switch_mode_to_eval"): what is trained then is what will be used.
        label_weight: of the cross-entropy in FastFill's loss; 0 = no labels are used.
        temperature: of that cross-entropy.

    Raises:
        InputError: a value out of its range.

    Example:
        >>> TransformTraining().factor(0), TransformTraining().is_frozen(0.5)
        (0.2, True)
    """

    epochs: int = 80
    batch_size: int = 1024
    lr: float = 5e-4
    weight_decay: float = 2**-15
    warmup: int = 5
    frozen_norm: float = 0.5
    label_weight: float = 0.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_integer(self.epochs, "epochs", low=1)
        check_integer(self.batch_size, "batch_size", low=2)
        check_positive(self.lr, "lr")
        check_number(self.weight_decay, "weight_decay", low=0)
        check_integer(self.warmup, "warmup", low=0)
        check_fraction(self.frozen_norm, "frozen_norm")
        check_number(self.label_weight, "label_weight", low=0)
        check_positive(self.temperature, "temperature")

    def epoch(self, progress: float) -> int:
        """The epoch, from 0, that a share of the run lies in."""
        return min(int(progress * self.epochs + 1e-9), self.epochs - 1)

    def factor(self, epoch: int) -> float:
        """Factor of the learning rate in an epoch, see `method.rate_factor`."""
        return rate_factor(epoch, self.epochs, self.warmup)

    def is_frozen(self, progress: float) -> bool:
        """Whether batch normalisation uses its running statistics at this point of the run."""
        return is_frozen(self.epoch(progress), self.epochs, self.frozen_norm)


class TransformLearner(Learner):
    """Learns h, and s where there is a head, from batches with `old`, `new`, and `side`, `label` where there are such.

    Args:
        transform: h.
        training: settings.
        head: s; None = the plain loss of FCT.
        classifier, bias: the new model's classifier, (K, d_new) and (K,), for FastFill's cross-entropy.
    """

    classifier: Tensor | None
    bias: Tensor | None

    def __init__(
        self,
        transform: ForwardTransform,
        training: TransformTraining,
        head: UncertaintyHead | None = None,
        classifier: Tensor | None = None,
        bias: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.transform, self.head, self.training_ = transform, head, training
        self.register_buffer("classifier", classifier)
        self.register_buffer("bias", bias)

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, Parts]:
        # Set here and not at the start of an epoch, so that a run resumed in the middle of one is in the right mode.
        self.transform.train(not self.training_.is_frozen(self.progress))
        old, side, new = batch["old"], batch.get("side"), batch["new"]
        hidden = self.transform.hidden(old, side)
        predicted = self.transform.mixer[2](hidden)
        error = transform_loss(predicted, new)
        if self.head is None:
            return error, {}
        settings = self.training_
        weight, temperature = settings.label_weight, settings.temperature
        errors = row_errors(predicted, new, batch.get("label"), self.classifier, self.bias, weight, temperature)
        return uncertainty_loss(errors, self.head(hidden)), {"squared error": error.detach()}

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.Adam(self.parameters(), lr=self.training_.lr, weight_decay=self.training_.weight_decay)]


def train_transform(
    transform: ForwardTransform,
    old: Tensor,
    new: Tensor,
    side: Tensor | None = None,
    *,
    training: TransformTraining | None = None,
    head: UncertaintyHead | None = None,
    labels: Tensor | None = None,
    classifier: Tensor | None = None,
    bias: Tensor | None = None,
    seed: int = 0,
    device: str = "cpu",
    precision: str = "32-true",
    progress: Callable[[int, int], None] | None = None,
    checkpoint: str | Path | None = None,
) -> Columns:
    """Train h, in place, to take old embeddings (and side information) to new ones.

    Args:
        transform: h, with its initial weights; in evaluation mode afterwards.
        old, new, side: pairs, float32 (N, d_old), (N, d_new), (N, d_side); nothing is normalised here.
        training: settings; None = the reference's.
        head: trained together with h by FastFill's loss; None = the plain squared error.
        labels, classifier, bias: for FastFill's cross-entropy, see `row_errors`.
        seed: order of the pairs.
        device, precision: as in `holdfast.training.fit`.
        progress: called with (steps done, steps).
        checkpoint: folder for the state of the training, saved ten times in all; the same call continues from it.

    Returns:
        History: name -> (steps, values).

    Raises:
        InputError: fewer than 2 pairs.
        Diverged: the loss became NaN or infinite.

    Example:
        >>> old = torch.randn(64, 4)
        >>> h = ForwardTransform(4, 3, inner_dim=8)
        >>> history = train_transform(h, old, old[:, :3], training=TransformTraining(epochs=2, batch_size=16))
        >>> h.training, len(history["loss"][0])
        (False, 8)
    """
    if len(old) < 2:
        raise InputError("old", "must have at least 2 rows to train on", len(old))
    settings = training or TransformTraining()
    tensors = {"old": old, "new": new, "side": side, "label": labels}
    batches = Batches({k: v for k, v in tensors.items() if v is not None}, min(settings.batch_size, len(old)), seed)
    steps = settings.epochs * len(batches)
    learner = TransformLearner(transform, settings, head, classifier, bias)
    trained = fit(
        learner,
        batches,
        steps=steps,
        seed=seed,
        schedule=lambda done: settings.factor(settings.epoch(done)),
        device=device,
        precision=precision,
        on_step=progress,
        checkpoints=None if checkpoint is None else Checkpoints(checkpoint, every=max(1, steps // 10)),
        log_every=max(1, steps // 100),
    )
    for module in (transform, head):
        if isinstance(module, nn.Module):
            module.eval()
    return trained.history


__all__ = ["TransformLearner", "TransformTraining", "train_transform"]
