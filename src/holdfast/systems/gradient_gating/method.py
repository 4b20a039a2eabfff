"""G2: each node and channel moves at a rate that is small where the node has become like its neighbours.

    Xh  = activation(F(X))                                   what the layer would put in X's place
    Th  = activation(Fh(X))                                  Fh another layer of the kind of F, or F itself
    tau = tanh(agg over neighbours j of i of |Th_j - Th_i|^p), entry by entry
    X'  = (1 - tau) X + tau Xh

Where neighbours agree tau is 0 and nothing moves, so that depth cannot make all nodes alike. Gradients flow through
tau.

Differences from the reference code (github.com/tk-rusch/gradientgating): where F is shared, Xh and Th are one tensor
that is computed once (there twice). GAT's heads are averaged; there four adjacent channels of one head are:
`reference=True` does that. The paper's sum over neighbours is `reduce="sum"`; the default is the code's mean. As in the
code, the gate finds neighbours from row 0 of the edges (where they come from), a layer from row 1. On an undirected
graph there is no difference; on a directed one a node that no edge leaves never moves. `gate_index=1` takes row 1.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.graphs.smoothness import dirichlet_energy
from holdfast.layers.graph_convs import Kind, conv_graph, graph_conv
from holdfast.layers.node_network import NodeNetwork, repeated
from holdfast.validation import check_choice, check_positive

Activation = Callable[[Tensor], Tensor]
Reduce = Literal["mean", "sum"]
CHUNK = {"cpu": 262_144}  # numbers: a megabyte, which stays in a processor's cache
ELSEWHERE = 33_554_432


def power(d: Tensor, p: float) -> Tensor:
    """|d|^p, entry by entry."""
    return d.square() if p == 2 else d.abs() ** p


def slope(d: Tensor, p: float) -> Tensor:
    """The derivative of |d|^p; 0 at d = 0, also for p <= 1, where it has no limit."""
    if p == 2:
        return 2 * d
    size = d.abs()
    found = p * size ** (p - 1) * d.sign()
    return found if p >= 1 else found.masked_fill(size == 0, 0.0)


class _SumApart(torch.autograd.Function):
    """Sum over a node's edges of |Th_j - Th_i|^p, (v, m).

    Differences (E, m) are far larger than features (v, m): those of some edges at a time are in memory, and they are
    computed again on the way back.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, edge_index: Tensor, gate_index: int, p: float) -> Tensor:
        ctx.save_for_backward(features, edge_index)
        ctx.gate_index, ctx.p = gate_index, p
        total = torch.zeros_like(features)
        for edges, d in _differences(features, edge_index):
            total.index_add_(0, edges[gate_index], power(d, p))
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        features, edge_index = ctx.saved_tensors
        found = torch.zeros_like(features)
        for edges, d in _differences(features, edge_index):
            along = slope(d, ctx.p) * gradient.index_select(0, edges[ctx.gate_index])
            found.index_add_(0, edges[0], along).index_add_(0, edges[1], along, alpha=-1)
        return found, None, None, None


def _differences(features: Tensor, edge_index: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Edges (2, e) and (e, m), from minus to, about `CHUNK` numbers at a time."""
    numbers = CHUNK.get(features.device.type, ELSEWHERE)
    for edges in edge_index.split(max(1, numbers // features.shape[1]), 1):
        yield edges, features.index_select(0, edges[0]) - features.index_select(0, edges[1])


def gate_rates(
    features: Tensor, edge_index: Tensor, p: float = 2.0, reduce: Reduce = "mean", gate_index: int = 0
) -> Tensor:
    """tau (v, m) in [0, 1], from gate features (v, m) and edges (2, E); 0 at nodes without neighbours.

    Args:
        features: Th.
        edge_index: loops count as neighbours that agree, doubles count twice.
        p: exponent, above 0.
        reduce: "mean" over neighbours (the code), or "sum" (the paper).
        gate_index: row of the edges that holds the node itself; its neighbours are in the other.

    Example:
        >>> tau = gate_rates(torch.tensor([[0.0], [0.5]]), torch.tensor([[0, 1], [1, 0]]))
        >>> [round(value, 4) for value in tau.flatten().tolist()]  # tanh(0.25)
        [0.2449, 0.2449]
    """
    node = edge_index[gate_index]
    total: Tensor = _SumApart.apply(features, edge_index, gate_index, p)
    if reduce == "mean":
        neighbours = torch.bincount(node, minlength=len(features)).clamp(min=1)
        total = total / neighbours[:, None].to(total.dtype)
    return torch.tanh(total)


def gated(x: Tensor, candidate: Tensor, tau: Tensor) -> Tensor:
    """(1 - tau) x + tau candidate."""
    return torch.lerp(x, candidate, tau)


class GradientGating(nn.Module):
    """G2 around a layer that keeps the width.

    Args:
        conv: any module (x (v, m), edge_index (2, E), **kwargs) -> (v, m).
        gate_conv: another for the gate; None = conv itself, evaluated once.
        p: exponent.
        activation: of both, any function; it may mix the heads of a convolution that gives more than m numbers.
        reduce, gate_index: see `gate_rates`.

    Raises:
        InputError: p <= 0, another reduce or gate_index; in `forward`: the layer changes the width.

    Example:
        >>> edges = torch.tensor([[0, 1], [1, 0]])
        >>> layer = GradientGating(lambda x, edge_index: 2 * x)
        >>> layer(torch.tensor([[1.0], [1.0]]), edges).tolist()           # neighbours agree: nothing moves
        [[1.0], [1.0]]
        >>> x, tau = layer(torch.tensor([[1.0], [3.0]]), edges, return_rate=True)
        >>> bool((tau > 0.999).all()), x.round().tolist()
        (True, [[2.0], [6.0]])
    """

    def __init__(
        self,
        conv: Callable[..., Tensor],
        gate_conv: Callable[..., Tensor] | None = None,
        p: float = 2.0,
        activation: Activation = torch.relu,
        reduce: Reduce = "mean",
        gate_index: int = 0,
    ) -> None:
        super().__init__()
        if check_positive(p, "p") < 1:
            warnings.warn("p below 1: |d|^p is infinitely steep at 0, training may be unstable", stacklevel=2)
        check_choice(reduce, ("mean", "sum"), "reduce")
        check_choice(gate_index, (0, 1), "gate_index")
        self.conv, self.gate_conv, self.p = conv, gate_conv, p
        self.activation, self.reduce, self.gate_index = activation, reduce, gate_index

    def forward(
        self, x: Tensor, edge_index: Tensor, *, graph: Any = None, return_rate: bool = False, **conv_kwargs: Any
    ) -> Any:
        """The next features of the nodes.

        Args:
            x: (v, m).
            edge_index: (2, E) int64: the gate's neighbours.
            graph: what convolutions get in place of edge_index (a sparse matrix, edges with loops); None = edge_index.
            return_rate: return (x, tau).
            conv_kwargs: for the convolutions, such as weights of edges.
        """
        given = edge_index if graph is None else graph
        candidate = self.activation(self.conv(x, given, **conv_kwargs))
        if candidate.shape != x.shape:
            raise InputError("conv", f"must keep the width ({x.shape[1]} features)", f"shape {tuple(candidate.shape)}")
        features = candidate
        if self.gate_conv is not None:
            features = self.activation(self.gate_conv(x, given, **conv_kwargs))
        tau = self.rates(features, edge_index)
        new = gated(x, candidate, tau)
        return (new, tau) if return_rate else new

    def rates(self, features: Tensor, edge_index: Tensor) -> Tensor:
        """tau from gate features: what variants change."""
        return gate_rates(features, edge_index, self.p, self.reduce, self.gate_index)


class AdjacentMean:
    """The reference's mixture of GAT's heads: the activation, then means of so many adjacent numbers.

    The heads lie one after the other, so these are channels of one head, not the same channel of all.
    """

    def __init__(self, activation: Activation, heads: int = 4) -> None:
        self.activation, self.heads = activation, heads

    def __call__(self, x: Tensor) -> Tensor:
        """(v, heads m) -> (v, m)."""
        return self.activation(x).view(len(x), -1, self.heads).mean(-1)


class G2GNN(NodeNetwork):
    """Encoder, gated layers, decoder; output (v, out_channels).

    Args:
        in_channels, hidden_channels, out_channels, num_layers: sizes.
        conv: "sage", "gcn" or "gat".
        p: exponent of the gate.
        share_weights: one layer for all depths (the reference), or one for each.
        separate_gate: whether the gate has a layer of its own.
        dropout_in, dropout: before the encoder and before the decoder.
        activation: None = relu, for GAT elu.
        reduce, gate_index: see `gate_rates`.
        gating: the layer, for variants.
        reference: GAT as in the reference code, see the module.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> net = G2GNN(3, 8, 2, num_layers=16, conv="sage")
        >>> edges = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> net(torch.randn(3, 3), edges).shape, len(net.rates(torch.randn(3, 3), edges))
        (torch.Size([3, 2]), 16)
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        num_layers: int,
        conv: Kind = "sage",
        p: float = 2.0,
        share_weights: bool = True,
        separate_gate: bool = True,
        dropout_in: float = 0.0,
        dropout: float = 0.0,
        *,
        activation: Activation | None = None,
        reduce: Reduce = "mean",
        gate_index: int = 0,
        gating: type[GradientGating] = GradientGating,
        reference: bool = False,
    ) -> None:
        adjacent = reference and conv == "gat"
        chosen = activation or (F.elu if conv == "gat" else torch.relu)
        make = partial(graph_conv, conv, hidden_channels, concat=adjacent)

        def layer() -> GradientGating:
            of_gate = make() if separate_gate else None
            return gating(make(), of_gate, p, AdjacentMean(chosen) if adjacent else chosen, reduce, gate_index)

        layers = repeated(layer, num_layers, share=share_weights)
        super().__init__(in_channels, out_channels, hidden_channels, layers, conv, dropout_in, dropout)

    def rates(self, x: Tensor, edge_index: Tensor) -> list[float]:
        """Mean tau of each layer: where all are about 0 the network is its encoder and decoder alone."""
        return [float(tau.mean()) for tau, _ in rates_and_energies(self, x, edge_index)]


@torch.no_grad()
def rates_and_energies(net: NodeNetwork, x: Tensor, edge_index: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Of each gated layer of a network: tau (v, m), and the Dirichlet energy of what leaves it (no axes)."""
    state = net.encode(x)
    graph = conv_graph(net.kind, edge_index, state)
    found = []
    for layer in net.layers:
        state, tau = layer(state, edge_index, graph=graph, return_rate=True)
        found.append((tau, dirichlet_energy(state, edge_index)))
    return found


__all__ = [
    "G2GNN",
    "AdjacentMean",
    "GradientGating",
    "dirichlet_energy",
    "gate_rates",
    "gated",
    "power",
    "rates_and_energies",
    "slope",
]
