"""An autoencoder: an encoder that keeps what is needed to draw the image again."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Optimizer

from holdfast.training.learner import Learner


class Autoencoder(Learner):
    """An encoder and a decoder of two linear layers under the mean squared error of the pixels.

    Args:
        encoder: images to (N, D); has `dim`.
        shape: (C, H, W) of the images.
        hidden: length of the decoder's hidden layer.
        lr: of Adam.
    """

    def __init__(self, encoder: nn.Module, shape: tuple[int, ...], hidden: int = 256, lr: float = 2e-3) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = nn.Sequential(
            nn.Linear(int(encoder.dim), hidden),  # type: ignore[arg-type]
            nn.ReLU(),
            nn.Linear(hidden, math.prod(shape)),
            nn.Sigmoid(),
        )
        self.lr = lr

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        x = batch["x"]
        return F.mse_loss(self.decoder(self.encoder(x)), x.flatten(1)), {}

    def optimizers(self) -> list[Optimizer]:
        return [torch.optim.Adam(self.parameters(), lr=self.lr)]


__all__ = ["Autoencoder"]
