"""A causal transformer with parts for what a position may attend to and for how it knows where things are.

As in arXiv 2302.03067 and its code: post-layer-norm, embeddings drawn from a truncated normal (standard deviation .02)
and multiplied by sqrt(E), feed-forward layers of 4 E units. Differences: `SlidingWindow` is a true sliding window,
while what the code calls so is `Chunks` here; the first symbol is predicted, from a start token.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.layers.attention import Attention
from holdfast.layers.positions import ALIBI, Positions
from holdfast.layers.sequence.context import EVERYTHING, Context
from holdfast.layers.sequence.network import Head, Network, SequenceNet, State
from holdfast.layers.transformer import Block, FeedForward
from holdfast.validation import check_fraction, check_integer


@dataclass(frozen=True)
class Transformer(Network):
    """Settings of a transformer. Defaults are those of the published code, but for dropout.

    Attributes:
        width: E.
        layers, heads: their numbers; E is a multiple of `heads`.
        positions: `ALiBi()`, `SinCos()` or `Relative()`.
        context: `Everything()`, `SlidingWindow(size)` or `Chunks(size)`.
        dropout: while training, never when predicting. Every sequence is new, so that there is nothing to overfit, and
            the default is none; the published code has 0.1.
    """

    width: int = 64
    layers: int = 5
    heads: int = 8
    positions: Positions = ALIBI
    context: Context = EVERYTHING
    dropout: float = 0.0

    def build(self, alphabet: int = 2) -> TransformerNet:
        for name in ("width", "layers", "heads"):
            check_integer(getattr(self, name), name, low=1)
        if self.width % self.heads:
            raise InputError("width", f"must be a multiple of heads ({self.heads})", self.width)
        check_fraction(self.dropout, "dropout", one=False)
        return TransformerNet(self, check_integer(alphabet, "alphabet", low=2))

    def sized(self, width: int, layers: int) -> Transformer:
        return dataclasses.replace(self, width=width, layers=layers)


def block(settings: Transformer) -> Block:
    """A post-LN block with fresh weights."""
    width, dropout = settings.width, settings.dropout
    scores = settings.positions.build(width, settings.heads)
    attention = Attention(width, settings.heads, dropout=dropout, scores=scores)
    return Block(width, attention, FeedForward(width), norm_first=False, dropout=dropout)


class TransformerNet(SequenceNet):
    """The network of `Transformer`.

    Its state is the tokens that later outputs depend on, and the position of the first of them; they are read again
    with every call. That keeps it exact for every context, at a cost per symbol that grows with the tokens kept: all of
    them, or those within reach of a window.
    """

    def __init__(self, settings: Transformer, alphabet: int) -> None:
        super().__init__(alphabet)
        self.settings = settings
        self.embed = nn.Embedding(alphabet + 1, settings.width)
        nn.init.trunc_normal_(self.embed.weight, std=0.02, a=-0.04, b=0.04)
        self.dropout = nn.Dropout(settings.dropout)
        self.blocks = nn.ModuleList(block(settings) for _ in range(settings.layers))
        self.head = Head(settings.width, alphabet)
        self.register_load_state_dict_pre_hook(_renamed)

    def forward(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        new = tokens.shape[1]
        if state is None:
            first = torch.zeros((), dtype=torch.int64, device=tokens.device)
        else:
            kept, first = state
            tokens = torch.cat([kept, tokens], dim=1)
        at = first + torch.arange(tokens.shape[1], device=tokens.device)
        logits = self.head(self._blocks(tokens, at)[:, -new:])
        return logits, self._state(tokens, first)

    def _blocks(self, tokens: Tensor, at: Tensor) -> Tensor:
        settings = self.settings
        x = self.embed(tokens) * math.sqrt(settings.width)
        added = settings.positions.added(settings.context.local(at), settings.width)
        x = self.dropout(x if added is None else x + added.to(x.dtype))
        allowed = settings.context.allowed(at, at)
        for layer in self.blocks:
            x = layer(x, mask=allowed)
        return x

    def _state(self, tokens: Tensor, first: Tensor) -> State:
        reach = self.settings.context.reach(self.settings.layers)
        drop = 0 if reach is None else max(0, tokens.shape[1] - reach)
        return tokens[:, drop:], first + drop


def _renamed(module: nn.Module, state: dict[str, Tensor], prefix: str, *args: Any) -> None:
    """Weights saved when blocks had one matrix for queries, keys and values, under the names of today."""
    for key in [key for key in state if key.startswith(f"{prefix}blocks.")]:
        block, _, part = key.removeprefix(prefix).partition("attention.project")
        if part:
            for name, weight in zip("qkv", state.pop(key).chunk(3), strict=True):
                state[f"{prefix}{block}attention.{name}{part}"] = weight
            continue
        now = key.replace("attention.out.", "attention.o.")
        now = now.replace(".widen.", ".feed_forward.up.").replace(".narrow.", ".feed_forward.down.")
        state[now] = state.pop(key)


__all__ = ["Transformer", "TransformerNet"]
