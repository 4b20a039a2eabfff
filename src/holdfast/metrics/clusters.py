"""What embeddings and clusters without labels are worth, once labels are known."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.errors import InputError


def purity(clusters: Tensor, y: Tensor) -> float:
    """Share of rows whose class is the most frequent one of their cluster.

    Args:
        clusters, y: (N,) int64, numbers from 0.

    Raises:
        InputError: lengths that differ, no rows.

    Example:
        >>> purity(torch.tensor([0, 0, 0, 1]), torch.tensor([2, 2, 0, 1]))
        0.75
    """
    if clusters.shape != y.shape or clusters.ndim != 1 or not len(y):
        raise InputError("clusters, y", "must have one number for each row", (tuple(clusters.shape), tuple(y.shape)))
    together = torch.zeros(int(clusters.max()) + 1, int(y.max()) + 1, device=y.device)
    together.index_put_((clusters, y), torch.ones(len(y), device=y.device), accumulate=True)
    return float(together.max(1).values.sum() / len(y))


def neighbour_accuracy(train: Tensor, test: Tensor, y: Tensor, test_y: Tensor, k: int = 10) -> float:
    """Share of test rows whose class most of the k nearest training rows have, by the largest inner product.

    Args:
        train, test: (N, D) and (M, D), rows of length 1 for cosines; k is lowered to N.
        y, test_y: (N,) and (M,) int64 from 0. Of equally frequent classes the lowest number counts.

    Example:
        >>> x = torch.eye(3)
        >>> neighbour_accuracy(x, x, torch.arange(3), torch.tensor([0, 1, 1]), k=1)
        0.6666666666666666
    """
    near = (test @ train.T).topk(min(k, len(train))).indices
    votes = F.one_hot(y[near]).sum(1)
    return float((votes.argmax(1) == test_y).double().mean())


__all__ = ["neighbour_accuracy", "purity"]
