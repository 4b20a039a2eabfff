"""The two architectures of the experiment, as functions of a width. Standard initialisation; nothing here knows muP."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class MLP(nn.Sequential):
    """inputs -> width -> width -> width -> outputs, ReLU, no biases."""

    def __init__(self, width: int, inputs: int = 64, outputs: int = 10, hidden: int = 3) -> None:
        sizes = [inputs] + [width] * hidden
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(sizes):
            layers += [nn.Linear(fan_in, fan_out, bias=False), nn.ReLU()]
        super().__init__(*layers, nn.Linear(width, outputs, bias=False))


class Block(nn.Module):
    """A pre-LN block with causal attention of a fixed number of heads, whose width grows with the model."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.num_heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        x = self.ln1(h)
        q, k, v = (layer(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + self.o(mixed.transpose(1, 2).flatten(-2))
        return h + self.down(functional.relu(self.up(self.ln2(h))))


class Transformer(nn.Module):
    """A causal language model of pre-LN blocks: tokens (B, T) -> logits (B, T, vocabulary)."""

    def __init__(self, width: int, vocabulary: int, length: int, layers: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.ln = nn.LayerNorm(width)
        self.out = nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            h = block(h)
        return self.out(self.ln(h))


__all__ = ["MLP", "Block", "Transformer"]
