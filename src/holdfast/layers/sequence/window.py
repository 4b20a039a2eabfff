"""A perceptron over the last few symbols: no memory beyond them. What memory is worth is measured against it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from holdfast.layers.sequence.network import Head, Network, SequenceNet, State
from holdfast.validation import check_integer


@dataclass(frozen=True)
class WindowMLP(Network):
    """Settings of a perceptron on a window.

    Attributes:
        window: symbols it sees; before the start of a sequence it sees start tokens.
        hidden: units of both hidden layers.
        embedding: width of the embedding of a token.
    """

    window: int = 5
    hidden: int = 64
    embedding: int = 16

    def build(self, alphabet: int = 2) -> WindowMLPNet:
        for name in ("window", "hidden", "embedding"):
            check_integer(getattr(self, name), name, low=1)
        return WindowMLPNet(self, check_integer(alphabet, "alphabet", low=2))

    def sized(self, width: int, layers: int) -> WindowMLP:
        return dataclasses.replace(self, hidden=width)


class WindowMLPNet(SequenceNet):
    """The network of `WindowMLP`. Its state is the last window - 1 tokens."""

    def __init__(self, settings: WindowMLP, alphabet: int) -> None:
        super().__init__(alphabet)
        self.window = settings.window
        self.embed = nn.Embedding(alphabet + 1, settings.embedding)
        self.first = nn.Linear(settings.window * settings.embedding, settings.hidden)
        self.head = Head(settings.hidden, alphabet, (settings.hidden,))

    def forward(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        if state is None:
            state = tokens.new_full((len(tokens), self.window - 1), self.alphabet)
        tokens = torch.cat([state, tokens], dim=1)
        windows = tokens.unfold(1, self.window, 1)  # (B, T, window)
        return self.head(self.first(self.embed(windows).flatten(2))), tokens[:, tokens.shape[1] - self.window + 1 :]


__all__ = ["WindowMLP", "WindowMLPNet"]
