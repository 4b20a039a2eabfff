"""The two architectures of the experiment, as functions of a width. Standard initialisation; nothing here knows muP."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from holdfast.layers.attention import Attention
from holdfast.layers.transformer import Block, FeedForward, Stack


class MLP(nn.Sequential):
    """inputs -> width -> width -> width -> outputs, ReLU, no biases."""

    def __init__(self, width: int, inputs: int = 64, outputs: int = 10, hidden: int = 3) -> None:
        sizes = [inputs] + [width] * hidden
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(sizes):
            layers += [nn.Linear(fan_in, fan_out, bias=False), nn.ReLU()]
        super().__init__(*layers, nn.Linear(width, outputs, bias=False))


class Transformer(nn.Module):
    """A causal language model of pre-LN blocks: tokens (B, T) -> logits (B, T, vocabulary).

    The number of heads is fixed, so that their width grows with the model.
    """

    def __init__(self, width: int, vocabulary: int, length: int, layers: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        blocks = (Block(width, Attention(width, heads), FeedForward(width, bias=False)) for _ in range(layers))
        self.body = Stack(blocks, nn.LayerNorm(width))
        self.out = nn.Linear(width, vocabulary, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        return self.out(self.body(h, causal=True))


__all__ = ["MLP", "Transformer"]
