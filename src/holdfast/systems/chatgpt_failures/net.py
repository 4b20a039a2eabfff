"""A small transformer over characters that learns to add: a model that fails by itself, and not by a script."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.layers.attention import Attention
from holdfast.layers.positions import sinusoids
from holdfast.layers.transformer import Block, FeedForward, Stack
from holdfast.training.learner import Learner, Parts

SIGNS = "0123456789+=. "  # the last fills lines up
END, FILL = SIGNS.index("."), SIGNS.index(" ")


def written(a: int, b: int) -> str:
    """A sum, its result from the last digit on, as it is learnt.

    Example:
        >>> written(17, 25)
        '17+25=24.'
    """
    return f"{a}+{b}={str(a + b)[::-1]}."


def encode(lines: list[str]) -> Tensor:
    """Lines as numbers of signs, `(lines, longest)`, filled up at their ends."""
    longest = max(map(len, lines))
    return torch.tensor([[SIGNS.index(sign) for sign in line.ljust(longest)] for line in lines])


class CharAdder(Learner):
    """Next-sign model of written sums.

    Args:
        width, heads, layers: of the transformer.
        lr: of AdamW.
    """

    def __init__(self, width: int = 64, heads: int = 4, layers: int = 2, lr: float = 3e-3) -> None:
        super().__init__()
        self.signs = nn.Embedding(len(SIGNS), width)
        blocks = [Block(width, Attention(width, heads), FeedForward(width)) for _ in range(layers)]
        self.stack, self.lr = Stack(blocks, nn.LayerNorm(width)), lr
        self.out = nn.Linear(width, len(SIGNS))

    def forward(self, x: Tensor) -> Tensor:
        """Signs `(B, T)` to logits of the next ones `(B, T, signs)`."""
        at = sinusoids(torch.arange(x.shape[1], device=x.device), self.signs.embedding_dim)
        return self.out(self.stack(self.signs(x) + at, causal=True))

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, Parts]:
        """Cross-entropy of what follows "="."""
        x = batch["lines"]
        counts = (x == SIGNS.index("=")).cumsum(1)[:, :-1].bool() & (x[:, 1:] != FILL)
        losses = F.cross_entropy(self(x[:, :-1]).transpose(1, 2), x[:, 1:], reduction="none")
        return (losses * counts).sum() / counts.sum(), {}

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=0.01)]

    @torch.no_grad()
    def add(self, pairs: list[tuple[int, int]], most: int = 12) -> list[str]:
        """What it says the sums are; "" where it writes no number."""
        said = []
        for a, b in pairs:  # of different lengths
            line = encode([f"{a}+{b}="])
            for _ in range(most):
                line = torch.cat([line, self(line)[:, -1].argmax(1, keepdim=True)], 1)
                if int(line[0, -1]) == END:
                    break
            text = "".join(SIGNS[i] for i in line[0].tolist())
            said.append(text.partition("=")[2].rstrip(".")[::-1])
        return said


__all__ = ["CharAdder", "encode", "written"]
