"""MoCo v2: an encoder learned without labels, against a queue of the keys of past batches."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from holdfast.data.augment import Transform
from holdfast.losses.contrastive import info_nce
from holdfast.training.learner import Learner
from holdfast.training.momentum import KeyQueue, MomentumEncoder


class MoCo(Learner):
    """Two views of each row: a query from the encoder, a key from its momentum copy; other keys wait in a queue.

    He, Fan, Wu, Xie, Girshick, CVPR 2020, arXiv 1911.05722, algorithm 1; Chen, Fan, Girshick, He, arXiv 2003.04297
    (projection head, T = .2). A batch holds "x", and "index" where the queue should know where its keys are from.
    Methods that change the loss alone override `contrast`.

    Args:
        encoder: rows to (N, D); has `dim`.
        augment: draws one view of a batch.
        projector: lengths of the projection head's hidden layer and output.
        queue: keys that wait, a multiple of the batch.
        m: momentum of the key encoder.
        temperature: T.
        lr, momentum, weight_decay: of SGD.
        generator: draws the first keys.
    """

    def __init__(
        self,
        encoder: nn.Module,
        augment: Transform,
        projector: tuple[int, int] = (64, 32),
        *,
        queue: int = 1024,
        m: float = 0.99,
        temperature: float = 0.2,
        lr: float = 0.06,
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.augment, self.temperature = encoder, augment, temperature
        hidden, out = projector
        self.projector = nn.Sequential(nn.Linear(int(encoder.dim), hidden), nn.ReLU(), nn.Linear(hidden, out))  # type: ignore[arg-type]
        self.followers = MomentumEncoder(nn.Sequential(encoder, self.projector), m)
        self.queue = KeyQueue(out, queue, generator)
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay
        self._came: tuple[Tensor, Tensor | None] | None = None

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        x = batch["x"]
        queries = self.projector(self.encoder(self.augment(x, rng)))
        keys = self.followers(self.augment(x, rng))
        self._came = keys, batch.get("index")
        return self.contrast(queries, keys, batch, rng)

    def contrast(
        self, queries: Tensor, keys: Tensor, batch: dict[str, Tensor], rng: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of queries and keys (B, D), neither scaled, and named numbers to record."""
        # The queue moves in after_step: what the loss needs of it for its gradient must not change before.
        return info_nce(queries, keys, self.temperature, self.queue.keys.clone()), {}

    def optimizers(self) -> list[Optimizer]:
        learned = [*self.encoder.parameters(), *self.projector.parameters()]
        return [torch.optim.SGD(learned, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)]

    def after_step(self) -> None:
        assert self._came is not None
        self.queue.push(*self._came)
        self._came = None
        self.followers.update(nn.Sequential(self.encoder, self.projector))


__all__ = ["MoCo"]
