"""Convolutions over the edges of a graph as deep networks call them: many times on one graph.

What a convolution needs of a graph is computed once, by `conv_graph`, and given to every call: for GCN and GraphSAGE a
sparse matrix and its transpose, for GAT the edges. Weights have the names and shapes of torch-geometric's, which does
the same by gathering and scattering edges, and which GAT is taken from.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from holdfast.errors import MissingExtra
from holdfast.validation import check_choice

Kind = Literal["gcn", "sage", "gat"]
KINDS: tuple[Kind, ...] = ("gcn", "sage", "gat")


@dataclass(frozen=True, eq=False)
class Propagation:
    """x -> A x for a fixed sparse A (v, v); gradients go through the transpose, which is kept, too.

    Example:
        >>> edges = torch.tensor([[1, 2], [0, 0]])
        >>> Propagation.of(edges, torch.tensor([0.5, 0.5]), nodes=3)(torch.eye(3)).tolist()[0]
        [0.0, 0.5, 0.5]
    """

    matrix: Tensor
    transposed: Tensor

    @classmethod
    def of(cls, edges: Tensor, values: Tensor, nodes: int) -> Propagation:
        """A[i, j] = the sum of the values (E,) of edges from j to i."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse ")  # in beta; invariants are not checked
            forward = torch.sparse_coo_tensor(edges.flip(0), values, (nodes, nodes)).coalesce()
            return cls(forward.to_sparse_csr(), forward.t().coalesce().to_sparse_csr())

    def __call__(self, x: Tensor) -> Tensor:
        """(v, m) -> (v, m)."""
        found: Tensor = _Propagate.apply(x, self.matrix, self.transposed)
        return found


class _Propagate(torch.autograd.Function):
    """torch's own gradient of a sparse product transposes the matrix anew in every call."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, transposed: Tensor) -> Tensor:
        ctx.transposed = transposed
        return torch.sparse.mm(matrix, x.to(matrix.dtype))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return torch.sparse.mm(ctx.transposed, gradient.contiguous()), None, None


class GCN(nn.Module):
    """D^-1/2 (A + I) D^-1/2 X W^T + b, one loop a node whatever the edges hold (Kipf and Welling, 2017)."""

    def __init__(self, width: int, bias: bool = True) -> None:
        super().__init__()
        self.lin = nn.Linear(width, width, bias=False)
        nn.init.xavier_uniform_(self.lin.weight)
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, x: Tensor, graph: Propagation) -> Tensor:
        """(v, width) -> (v, width)."""
        found = graph(self.lin(x))
        return found if self.bias is None else found + self.bias


class SAGE(nn.Module):
    """W_l mean over neighbours + b + W_r x (Hamilton et al., 2017); the mean over no neighbours is 0."""

    def __init__(self, width: int, bias: bool = True) -> None:
        super().__init__()
        self.lin_l = nn.Linear(width, width, bias=bias)
        self.lin_r = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, graph: Propagation) -> Tensor:
        """(v, width) -> (v, width)."""
        return self.lin_l(graph(x)) + self.lin_r(x)


def graph_conv(kind: Kind, width: int, *, bias: bool = True, heads: int = 4, concat: bool = False) -> nn.Module:
    """A convolution that keeps the width of the nodes: (v, width), what `conv_graph` gave -> (v, width).

    Args:
        kind: "gcn", "sage" or "gat" (Velickovic et al., 2018: the mean of heads).
        width: of the nodes' features.
        bias: whether a bias is learned.
        heads, concat: of GAT; with `concat` heads lie one after the other, (v, heads width).

    Raises:
        MissingExtra: GAT, and torch-geometric is not installed.
        InputError: another kind.

    Example:
        >>> x, edges = torch.ones(2, 4), torch.tensor([[0, 1], [1, 0]])
        >>> graph_conv("gcn", 4)(x, conv_graph("gcn", edges, x)).shape
        torch.Size([2, 4])
    """
    check_choice(kind, KINDS, "conv")
    if kind != "gat":
        return {"gcn": GCN, "sage": SAGE}[kind](width, bias)
    try:
        from torch_geometric.nn import GATConv  # takes seconds to import
    except ImportError as error:
        raise MissingExtra("torch-geometric", "graph") from error
    conv: nn.Module = GATConv(width, width, heads=heads, concat=concat, bias=bias)
    return conv


def conv_graph(kind: Kind, edge_index: Tensor, x: Tensor) -> Any:
    """What the convolution of a kind is given of a graph with nodes x (v, ...): a `Propagation`, or the edges.

    Example:
        >>> conv_graph("sage", torch.tensor([[1, 2], [0, 0]]), torch.zeros(3, 1)).matrix.to_dense().tolist()[0]
        [0.0, 0.5, 0.5]
    """
    return _GRAPHS[kind](edge_index, x)


def _normalised(edge_index: Tensor, x: Tensor) -> Propagation:
    loops = torch.arange(len(x), device=x.device).expand(2, len(x))
    edges = torch.cat((edge_index[:, edge_index[0] != edge_index[1]], loops), 1)
    source, target = edges
    scale = _neighbours(target, x).rsqrt()
    return Propagation.of(edges, scale[source] * scale[target], len(x))


def _means(edge_index: Tensor, x: Tensor) -> Propagation:
    target = edge_index[1]
    return Propagation.of(edge_index, 1 / _neighbours(target, x)[target], len(x))


def _neighbours(target: Tensor, x: Tensor) -> Tensor:
    """How many edges go to each node, in the type of x."""
    return torch.bincount(target, minlength=len(x)).to(x.dtype)


def _as_they_are(edge_index: Tensor, x: Tensor) -> Tensor:
    return edge_index


_GRAPHS: dict[Kind, Callable[[Tensor, Tensor], Any]] = {"gcn": _normalised, "sage": _means, "gat": _as_they_are}

__all__ = ["GCN", "KINDS", "SAGE", "Kind", "Propagation", "conv_graph", "graph_conv"]
