"""SimCLR (Chen, Kornblith, Norouzi, Hinton, ICML 2020, arXiv 2002.05709): an encoder learned without labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from holdfast.data.augment import Transform
from holdfast.losses.contrastive import nt_xent
from holdfast.training.learner import Learner


class SimCLR(Learner):
    """An encoder under `nt_xent` of two augmentations of each image, behind a projector that is thrown away.

    Args:
        encoder: images to (N, D); has `dim`.
        augment: draws one view.
        projector: lengths of the projector's hidden layer and output.
        temperature, lr: T and the rate of Adam.
    """

    def __init__(
        self,
        encoder: nn.Module,
        augment: Transform,
        projector: tuple[int, int] = (64, 32),
        temperature: float = 0.2,
        lr: float = 2e-3,
    ) -> None:
        super().__init__()
        self.encoder, self.augment = encoder, augment
        hidden, out = projector
        self.projector = nn.Sequential(nn.Linear(int(encoder.dim), hidden), nn.ReLU(), nn.Linear(hidden, out))  # type: ignore[arg-type]
        self.temperature, self.lr = temperature, lr

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        x = batch["x"]
        views = torch.cat([self.augment(x, rng), self.augment(x, rng)])
        first, second = self.projector(self.encoder(views)).chunk(2)
        return nt_xent(first, second, self.temperature), {}

    def optimizers(self) -> list[Optimizer]:
        return [torch.optim.Adam(self.parameters(), lr=self.lr)]


__all__ = ["SimCLR"]
