"""Training of encoder-decoders: cross-entropy of the target's ids."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.layers.attention import real_tokens
from holdfast.layers.encoder_decoder import EncoderDecoder
from holdfast.training.learner import Learner, Parts


class TranslationLearner(Learner):
    """Batches have "source", "target" (int64, padded) and "source length", "target length" (the end included).

    Args:
        net: the encoder-decoder.
        lr: of Adam with betas .9 and .98.
    """

    def __init__(self, net: EncoderDecoder, lr: float = 1e-3) -> None:
        super().__init__()
        self.net, self.lr = net, lr

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.Adam(self.parameters(), self.lr, betas=(0.9, 0.98))]

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, Parts]:
        real = real_tokens(batch["source length"], batch["source"].shape[1])
        counts = real_tokens(batch["target length"], batch["target"].shape[1])
        logits = self.net(batch["source"], real, batch["target"])
        return F.cross_entropy(logits[counts], batch["target"][counts]), {}


__all__ = ["TranslationLearner"]
