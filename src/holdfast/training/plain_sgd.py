"""Plain SGD on a network, the loss of every step kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.data.batches import Batches
from holdfast.randomness import derived_seed
from holdfast.training.history import Diverged
from holdfast.training.learner import Learner
from holdfast.training.loop import fit


class PlainSGD(Learner):
    """Cross-entropy of a network, minimised by SGD without momentum or weight decay.

    Args:
        net: (N, ...) -> logits (N, K).
        lr: first rate.
    """

    def __init__(self, net: nn.Module, lr: float) -> None:
        super().__init__()
        self.net, self.lr = net, lr

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        return F.cross_entropy(self.net(batch["x"]), batch["y"]), {}

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.SGD(self.net.parameters(), lr=self.lr)]


def train_sgd(
    net: nn.Module,
    x: Tensor,
    y: Tensor,
    lr: float,
    steps: int,
    *,
    schedule: Callable[[float], float] | None = None,
    batch: int = 32,
    seed: int = 0,
    device: str = "cpu",
    on_step: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Train in place, and give the loss of every step, (steps,): NaN from where it diverged.

    Args:
        net: trained in place and moved to the device.
        x, y: rows and labels.
        lr: rate.
        steps: of training.
        schedule: progress -> factor of the rate. None = constant.
        batch: rows per step.
        seed: of the order.
        on_step: called with (steps done, steps).
    """
    batches = Batches({"x": x, "y": y}, size=min(batch, len(x)), seed=derived_seed(seed, "batches"))
    run = partial(fit, PlainSGD(net, lr), batches, steps=steps, seed=seed, device=device, on_step=on_step)
    losses = np.full(steps, np.nan)
    try:
        at, values = run(schedule=schedule, log_every=1).history["loss"]
    except Diverged:
        return losses
    losses[np.asarray(at) - 1] = values
    return losses


__all__ = ["PlainSGD", "train_sgd"]
