"""A small causal transformer over words, for the study of shapes: it stores facts, and is asked about them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.layers.attention import Attention
from holdfast.layers.positions import sinusoids
from holdfast.layers.transformer import Block, FeedForward, Stack
from holdfast.training.learner import Learner, Parts


class WordModel(Learner):
    """Next-word model of which one word a line is learnt; batches have "line" (B, T) and "place" (B,), of that word.

    Embedding and output share their weights. What each block adds is initialised smaller in deeper nets (by the root of
    twice the number of blocks), which pre-norm nets of many blocks want.

    Args:
        words: in the vocabulary.
        depth, width, heads: of the transformer.
        lr: of Adam.
    """

    def __init__(self, words: int, depth: int, width: int, heads: int = 2, lr: float = 3e-3) -> None:
        super().__init__()
        self.words, self.lr = nn.Embedding(words, width), lr
        nn.init.normal_(self.words.weight, std=width**-0.5)
        blocks = [Block(width, Attention(width, heads), FeedForward(width)) for _ in range(depth)]
        self.stack = Stack(blocks, nn.LayerNorm(width))
        with torch.no_grad():
            for block in blocks:
                for name, value in block.named_parameters():
                    if name.endswith((".o.weight", "down.weight")):
                        value.div_((2 * depth) ** 0.5)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.Adam(self.parameters(), self.lr)]

    def logits(self, line: Tensor, place: Tensor) -> Tensor:
        """(B, words) of the word at `place`, given what is before it."""
        at = sinusoids(torch.arange(line.shape[1], device=line.device), self.words.embedding_dim)
        hidden = self.stack(self.words(line) * self.words.embedding_dim**0.5 + at, causal=True)
        return hidden[torch.arange(len(line), device=line.device), place - 1] @ self.words.weight.T

    def losses(self, line: Tensor, place: Tensor) -> Tensor:
        """(B,) nats."""
        right = line.gather(1, place[:, None])[:, 0]
        return F.cross_entropy(self.logits(line, place), right, reduction="none")

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, Parts]:
        return self.losses(batch["line"], batch["place"]).mean(), {}


__all__ = ["WordModel"]
