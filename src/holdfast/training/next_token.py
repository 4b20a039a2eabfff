"""Models of the next token: embeddings and logits around any causal encoder, and their perplexity."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.data.characters import next_token_windows
from holdfast.training.learner import Learner, Parts


class NextToken(Learner):
    """Cross-entropy of the next token.

    Args:
        vocabulary, width: of the embeddings, which also give the logits.
        encoder: causal, ((B, N, E), positions (1, N, 1) from 0 to 1) -> (B, N, E).
        added: to the embeddings, (length, width) or None.
        lr: of Adam.
    """

    def __init__(self, vocabulary: int, width: int, encoder: nn.Module, added: Tensor | None, lr: float) -> None:
        super().__init__()
        self.embed, self.encoder, self.lr = nn.Embedding(vocabulary, width), encoder, lr
        nn.init.normal_(self.embed.weight, std=width**-0.5)  # as for the logits, which they also give
        self.norm = nn.LayerNorm(width)
        self.register_buffer("added", added)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.Adam(self.parameters(), self.lr)]

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, Parts]:
        h = self.embed(batch["x"]) * self.embed.embedding_dim**0.5
        if self.added is not None:
            h = h + self.added[: h.shape[1]]  # type: ignore[index]
        pos = torch.linspace(0, 1, h.shape[1], device=h.device)[None, :, None]
        logits = self.norm(self.encoder(h, pos)) @ self.embed.weight.T
        return F.cross_entropy(logits.flatten(0, 1), batch["y"].flatten()), {}


@torch.no_grad()
def perplexity(learner: NextToken, ids: Tensor, length: int, device: str = "cpu") -> float:
    """exp of the mean loss over a text (n,) int64, in stretches of `length` one after the other."""
    x, y = (windows[::length] for windows in next_token_windows(ids, length))
    losses = []
    for one, other in zip(x.split(8), y.split(8), strict=True):
        batch = {"x": one.to(device), "y": other.to(device)}
        losses += [learner.loss(batch, torch.Generator())[0].cpu()] * len(one)
    return math.exp(float(torch.stack(losses).mean()))


__all__ = ["NextToken", "perplexity"]
