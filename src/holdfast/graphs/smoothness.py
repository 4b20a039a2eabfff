"""How much nodes differ from their neighbours: what too deep graph networks lose (Cai and Wang, 2020)."""

from __future__ import annotations

from torch import Tensor


def dirichlet_energy(x: Tensor, edge_index: Tensor, *, normalize: bool = False) -> Tensor:
    """(1/v) sum over edges of ||x_i - x_j||^2 for x (v, m): each direction of an edge counts.

    Args:
        x: features of nodes.
        edge_index: (2, E).
        normalize: divide x_i by sqrt(1 + degree of i) first (degree: edges that come in), so that what
            D^(-1/2)(A + I)D^(-1/2) smooths to has no energy.

    Returns:
        A tensor without axes, in the type of x.

    Example:
        >>> import torch
        >>> pair = torch.tensor([[0, 1], [1, 0]])
        >>> dirichlet_energy(torch.tensor([[0.0], [3.0]]), pair).item()
        9.0
    """
    source, target = edge_index
    if normalize:
        degree = x.new_zeros(len(x)).index_add_(0, target, x.new_ones(len(target)))
        x = x / (1 + degree).sqrt()[:, None]
    return (x[source] - x[target]).square().sum() / len(x)


def rayleigh_quotient(x: Tensor, edge_index: Tensor) -> Tensor:
    """Dirichlet energy over the mean square norm of a node: the same for x and 1,000 x; 0 where all nodes agree.

    x is scaled by its largest entry first, so that squares neither vanish nor overflow; all zeros give NaN.

    Example:
        >>> import torch
        >>> pair = torch.tensor([[0, 1], [1, 0]])
        >>> rayleigh_quotient(torch.tensor([[1e-30], [-1e-30]]), pair).item()
        4.0
    """
    x = x / x.abs().max()
    return dirichlet_energy(x, edge_index) / (x.square().sum() / len(x))


__all__ = ["dirichlet_energy", "rayleigh_quotient"]
