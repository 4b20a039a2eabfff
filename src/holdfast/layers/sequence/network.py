"""What every network here is: a map from the symbols so far to logits for the next one, with a state to carry on from.

A network reads a start token followed by x_1 ... x_{T-1} and is scored on x_1 ... x_T, so that the first symbol is
predicted too (the reference's networks read x_1 first and leave it unscored).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

State = Any  # nested tuples of tensors, or None at the start of a sequence


class SequenceNet(nn.Module, ABC):
    """A causal network over symbols 0 ... A-1.

    Attributes:
        alphabet: A. Token A is the start token.
    """

    def __init__(self, alphabet: int) -> None:
        super().__init__()
        self.alphabet = alphabet

    @abstractmethod
    def forward(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Logits for the symbol after each token.

        Args:
            tokens: int64 `(B, T)`, T >= 1, in [0, A]; A only as the first token of a sequence.
            state: what an earlier call returned, or None at the start of a sequence.

        Returns:
            Logits `(B, T, A)` that depend on tokens up to and including their own position, and the state after the
            last token. Two calls on the halves of a sequence give what one call on the whole gives.
        """

    def read(self, x: Tensor) -> Tensor:
        """Logits `(B, T, A)` for every symbol of x `(B, T)`, each from the symbols before it."""
        return self(start_first(x, self.alphabet))[0]


def start_first(x: Tensor, alphabet: int) -> Tensor:
    """The tokens a network reads to predict x `(B, T)`: the start token, then all symbols but the last."""
    start = x.new_full((len(x), 1), alphabet)
    return torch.cat([start, x[:, :-1]], dim=1)


def detached(state: State) -> State:
    """The state without the history of gradients."""
    if isinstance(state, Tensor):
        return state.detach()
    return tuple(detached(part) for part in state) if isinstance(state, tuple) else state


@dataclass(frozen=True)
class Network(ABC):
    """Settings of a network. Subclasses are frozen dataclasses that hold all there is to know but the weights."""

    @abstractmethod
    def build(self, alphabet: int = 2) -> SequenceNet:
        """A network with fresh weights, drawn from torch's global generator."""

    @abstractmethod
    def sized(self, width: int, layers: int) -> Network:
        """The same kind in another size: units per layer, and layers where the kind has a stack of them."""


class Head(nn.Module):
    """ReLU, optional hidden layers, and a linear map to logits, as in the reference.

    Args:
        width: size of the features, `(..., width)`.
        alphabet: number of logits.
        hidden: widths of ReLU layers in between.
    """

    def __init__(self, width: int, alphabet: int, hidden: tuple[int, ...] = ()) -> None:
        super().__init__()
        sizes = (width, *hidden, alphabet)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))

    def forward(self, features: Tensor) -> Tensor:
        """Logits `(..., A)`."""
        for layer in self.layers:
            features = layer(features.relu())
        return features


__all__ = ["Head", "Network", "SequenceNet", "State", "detached", "start_first"]
