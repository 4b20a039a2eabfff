"""The frame that deep graph networks share: an encoder, layers that keep the width, a decoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.layers.graph_convs import Kind, conv_graph


class NodeNetwork(nn.Module):
    """Numbers for every node of a graph: relu(linear), layers, linear; with dropout before both linear layers.

    Args:
        in_channels, out_channels: numbers of a node, and what is said of it.
        width: of all layers.
        layers: modules (x, edge_index, graph) -> x in order, `graph` as `conv_graph` makes it. A layer that occurs
            several times shares its weights. None at all: a network that looks at no edge.
        kind: of the layers' convolutions.
        dropout_in, dropout: before the encoder and before the decoder.

    Example:
        >>> net = NodeNetwork(3, 2, 8, [], "gcn")
        >>> net(torch.zeros(5, 3), torch.zeros(2, 0, dtype=torch.long)).shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        width: int,
        layers: Sequence[nn.Module],
        kind: Kind,
        dropout_in: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.enc, self.dec = nn.Linear(in_channels, width), nn.Linear(width, out_channels)
        self.layers = nn.ModuleList(layers)
        self.kind, self.dropout_in, self.dropout = kind, dropout_in, dropout

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """(v, in_channels) and (2, E) -> (v, out_channels)."""
        state = self.encode(x)
        graph = conv_graph(self.kind, edge_index, state)
        for layer in self.layers:
            state = layer(state, edge_index, graph=graph)
        return self.decode(state)

    def encode(self, x: Tensor) -> Tensor:
        """(v, in_channels) -> (v, width)."""
        return torch.relu(self.enc(F.dropout(x, self.dropout_in, self.training)))

    def decode(self, x: Tensor) -> Tensor:
        """(v, width) -> (v, out_channels)."""
        found: Tensor = self.dec(F.dropout(x, self.dropout, self.training))
        return found


class PlainLayer(nn.Module):
    """activation(conv(x)): what deep graph networks do without further measures."""

    def __init__(self, conv: nn.Module, activation: Callable[[Tensor], Tensor] = torch.relu) -> None:
        super().__init__()
        self.conv, self.activation = conv, activation

    def forward(self, x: Tensor, edge_index: Tensor, *, graph: Tensor) -> Tensor:
        """The next features of the nodes."""
        return self.activation(self.conv(x, graph))


class ResidualLayer(PlainLayer):
    """x + activation(conv(x))."""

    def forward(self, x: Tensor, edge_index: Tensor, *, graph: Tensor) -> Tensor:
        """The next features of the nodes."""
        return x + super().forward(x, edge_index, graph=graph)


def repeated(make: Callable[[], nn.Module], times: int, *, share: bool) -> list[nn.Module]:
    """A layer so many times: one with shared weights, or as many layers."""
    if not share:
        return [make() for _ in range(times)]
    one = make() if times else nn.Identity()
    return [one] * times


__all__ = ["NodeNetwork", "PlainLayer", "ResidualLayer", "repeated"]
