"""Recurrent networks: vanilla RNN, GRU and LSTM, with optional layers of a perceptron before and after."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from holdfast.layers.sequence.network import Head, Network, SequenceNet, State
from holdfast.validation import check_choice, check_integer

CELLS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


@dataclass(frozen=True)
class Recurrent(Network):
    """A recurrent core between an embedding and a head (arXiv 2302.03067, section 5).

    Attributes:
        cell: "lstm", "gru" or "rnn" (tanh).
        hidden: units.
        embedding: width of the embedding of a token. The reference feeds one-hot vectors, which is the same with an
            embedding of any width at least A + 1 folded into the core's first matrix.
        layers: of the core.
        before, after: widths of ReLU layers between embedding and core, and between core and logits.
    """

    cell: str = "lstm"
    hidden: int = 64
    embedding: int = 16
    layers: int = 1
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()

    def build(self, alphabet: int = 2) -> RecurrentNet:
        check_choice(self.cell, list(CELLS), "cell")
        for name in ("hidden", "embedding", "layers"):
            check_integer(getattr(self, name), name, low=1)
        return RecurrentNet(self, check_integer(alphabet, "alphabet", low=2))

    def sized(self, width: int, layers: int) -> Recurrent:
        return dataclasses.replace(self, hidden=width)


def remember(core: nn.LSTM) -> None:
    """Set the forget gates' biases to 1, as the reference's library does: an LSTM starts by keeping its state."""
    gates = slice(core.hidden_size, 2 * core.hidden_size)  # the order is input, forget, cell, output
    for name, parameter in core.named_parameters():
        if name.startswith("bias_ih"):
            with torch.no_grad():
                parameter[gates] = 1.0


class RecurrentNet(SequenceNet):
    """The network of `Recurrent`. Its state is that of the core and starts at zero.

    Example:
        >>> import torch
        >>> logits, state = Recurrent("gru", hidden=8).build()(torch.tensor([[2, 0, 1]]))
        >>> logits.shape
        torch.Size([1, 3, 2])
    """

    def __init__(self, settings: Recurrent, alphabet: int) -> None:
        super().__init__(alphabet)
        sizes = (settings.embedding, *settings.before)
        self.embed = nn.Embedding(alphabet + 1, settings.embedding)
        self.before = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.core = CELLS[settings.cell](sizes[-1], settings.hidden, settings.layers, batch_first=True)
        self.head = Head(settings.hidden, alphabet, settings.after)
        if isinstance(self.core, nn.LSTM):
            remember(self.core)

    def forward(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        features = self.embed(tokens)
        for layer in self.before:
            features = layer(features).relu()
        features, state = self.core(features, state)
        return self.head(features), state


__all__ = ["Recurrent", "RecurrentNet"]
