"""Contrastive losses: embeddings of two views of one item should be nearer to each other than to those of others."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.errors import InputError
from holdfast.validation import check_array, check_positive


def nt_xent(first: Tensor, second: Tensor, temperature: float = 0.2) -> Tensor:
    """The normalised, temperature-scaled cross-entropy of two views (SimCLR).

    Chen, Kornblith, Norouzi, Hinton, ICML 2020, arXiv 2002.05709, section 2.1, equation 1.

    With z the 2B rows scaled to length 1 and j(i) the other view of row i, the mean over i of
    -log [exp(z_i z_j(i) / T) / sum over k != i of exp(z_i z_k / T)].

    Args:
        first, second: (B, D), row i of both from one image; B at least 2.
        temperature: T > 0.

    Raises:
        InputError: different shapes, one row.

    Example:
        >>> z = torch.eye(4)
        >>> float(nt_xent(z, z, 0.05)) < float(nt_xent(z, z.flip(0), 0.05))
        True
    """
    check_array(first, "B D", name="first", finite=False)
    if second.shape != first.shape or len(first) < 2:
        raise InputError("second", f"must have shape {tuple(first.shape)}, 2 rows or more", tuple(second.shape))
    check_positive(temperature, "temperature")
    z = F.normalize(torch.cat([first, second]).float(), dim=1)
    similar = z @ z.T / temperature
    similar = similar.masked_fill(torch.eye(len(z), dtype=torch.bool, device=z.device), -torch.inf)
    return F.cross_entropy(similar, torch.arange(len(z), device=z.device).roll(len(first)))


__all__ = ["nt_xent"]
