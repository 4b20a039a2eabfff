"""Lists of edges: checks, directions, and how often neighbours share a label.

An edge list is `edge_index`, int64 (2, E), as torch-geometric has it: row 0 holds where an edge comes from, row 1 where
it goes to. An undirected graph has every edge in both directions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from holdfast.errors import InputError


def check_edge_index(edge_index: Any, nodes: int, name: str = "edge_index") -> Tensor:
    """The edges as an int64 tensor (2, E) on their device; E may be 0, loops and doubles are allowed.

    Raises:
        InputError: another shape, numbers that are no integers, a node that does not exist.

    Example:
        >>> check_edge_index([[0, 1], [1, 2]], nodes=3)
        tensor([[0, 1],
                [1, 2]])
    """
    try:
        edges = torch.as_tensor(edge_index)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise InputError(name, "must hold whole numbers (int64), of shape (2, E)", type(edge_index).__name__) from None
    if edges.ndim != 2 or edges.shape[0] != 2:
        raise InputError(name, "must have shape (2, E): where edges come from, where they go to", tuple(edges.shape))
    if not edges.numel():
        return edges.long()
    if edges.is_floating_point() or edges.is_complex() or edges.dtype == torch.bool:
        raise InputError(name, "must hold whole numbers (int64)", edges.dtype)
    low, high = int(edges.min()), int(edges.max())
    if low < 0 or high >= nodes:
        raise InputError(name, f"must name nodes in 0 .. {nodes - 1}", low if low < 0 else high)
    return edges.long()


def to_undirected(edge_index: Tensor, nodes: int) -> Tensor:
    """Every edge in both directions and once, sorted; loops are kept.

    Example:
        >>> to_undirected(torch.tensor([[0, 0, 2], [1, 1, 2]]), 3)
        tensor([[0, 1, 2],
                [1, 0, 2]])
    """
    both = torch.cat((edge_index, edge_index.flip(0)), 1)
    code = (both[0] * nodes + both[1]).unique()
    return torch.stack((code // nodes, code % nodes))


def count_doubles(edge_index: Tensor, nodes: int) -> int:
    """How many edges repeat an earlier one: means over neighbours count them again."""
    return int(edge_index.shape[1] - (edge_index[0] * nodes + edge_index[1]).unique().numel())


def grid_edges(rows: int, columns: int) -> Tensor:
    """A grid in which every node has its neighbours above, below, left and right; node i stands at divmod(i, columns).

    Example:
        >>> grid_edges(1, 3)
        tensor([[0, 1, 1, 2],
                [1, 0, 2, 1]])
    """
    number = torch.arange(rows * columns).reshape(rows, columns)
    across = torch.stack((number[:, :-1].flatten(), number[:, 1:].flatten()))
    down = torch.stack((number[:-1].flatten(), number[1:].flatten()))
    return to_undirected(torch.cat((across, down), 1), rows * columns)


def edge_homophily(edge_index: Tensor, y: Tensor) -> float:
    """The share of edges between nodes of one label, loops left out; NaN without edges (Zhu et al., 2020).

    Example:
        >>> edge_homophily(torch.tensor([[0, 1], [1, 2]]), torch.tensor([4, 4, 5]))
        0.5
    """
    source, target = _without_loops(edge_index)
    return float((y[source] == y[target]).double().mean())


def adjusted_homophily(edge_index: Tensor, y: Tensor) -> float:
    """Edge homophily on a scale where 0 is that of random labels with the same degrees (Platonov et al., 2023).

    (h - sum_k p_k^2) / (1 - sum_k p_k^2), p_k the share of edge ends at nodes of label k. 1 = neighbours always agree;
    NaN where all ends have one label.

    Example:
        >>> square, y = grid_edges(2, 2), torch.tensor([0, 1, 1, 0])
        >>> edge_homophily(square, y), adjusted_homophily(square, y)
        (0.0, -1.0)
    """
    ends = torch.stack(_without_loops(edge_index))
    _, code = y.unique(return_inverse=True)
    share = torch.bincount(code[ends.flatten()]).double() / max(ends.numel(), 1)
    by_chance = float(share.square().sum())
    return (edge_homophily(edge_index, y) - by_chance) / (1 - by_chance) if by_chance < 1 else float("nan")


def _without_loops(edge_index: Tensor) -> tuple[Tensor, Tensor]:
    source, target = edge_index[:, edge_index[0] != edge_index[1]]
    return source, target


__all__ = ["adjusted_homophily", "check_edge_index", "count_doubles", "edge_homophily", "grid_edges", "to_undirected"]
