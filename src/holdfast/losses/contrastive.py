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


def contrast(positive: Tensor, negatives: Tensor, keep: Tensor | None = None) -> Tensor:
    """InfoNCE of logits, a value per query: -log [e^positive / (e^positive + sum over kept j of e^negative_j)].

    Van den Oord, Li, Vinyals, 2018, arXiv 1807.03748, equation 4. A mean over queries is the cross-entropy of the
    positive among all candidates. A query without any kept negative has the loss 0.

    Args:
        positive: (...,) logits of the positives.
        negatives: (..., M) logits of the negatives; M may be 0.
        keep: (..., M) bool, false for negatives that are left out altogether (not: set to 0); None = all stay.

    Raises:
        InputError: shapes that do not fit.

    Example:
        >>> float(contrast(torch.zeros(1), torch.zeros(1, 3)).exp())  # one of four
        4.0
    """
    if negatives.shape[:-1] != positive.shape or negatives.ndim != positive.ndim + 1:
        rule = f"must have shape {(*positive.shape, 'M')}, a row of negatives for each positive"
        raise InputError("negatives", rule, tuple(negatives.shape))
    if keep is not None:
        if keep.shape != negatives.shape or keep.dtype != torch.bool:
            rule = f"must be bool of shape {tuple(negatives.shape)}"
            raise InputError("keep", rule, f"{keep.dtype} of shape {tuple(keep.shape)}")
        negatives = negatives.masked_fill(~keep, -torch.inf)
    return torch.logsumexp(torch.cat([positive[..., None], negatives], -1), -1) - positive


def info_nce(queries: Tensor, keys: Tensor, temperature: float = 0.2, others: Tensor | None = None) -> Tensor:
    """InfoNCE of pairs of embeddings, the mean over queries; all rows are scaled to length 1.

    The negatives of query i are the rows of `others` (a queue of old keys, as in MoCo), or, without them, the keys of
    the other rows of the batch.

    Args:
        queries, keys: (B, D), row i of both from one item; B at least 2 where there are no others.
        temperature: T > 0.
        others: (M, D), or None.

    Raises:
        InputError: shapes that do not fit, one row without others.

    Example:
        >>> z = torch.eye(4)
        >>> float(info_nce(z, z, 0.1)) < float(info_nce(z, z.flip(0), 0.1))
        True
    """
    check_array(queries, "B D", name="queries", finite=False)
    if keys.shape != queries.shape:
        raise InputError("keys", f"must have shape {tuple(queries.shape)}", tuple(keys.shape))
    check_positive(temperature, "temperature")
    q, k = (F.normalize(x.float(), dim=1) for x in (queries, keys))
    if others is not None:
        check_array(others, "M D", name="others", finite=False, sizes={"D": queries.shape[1]})
        negatives = q @ F.normalize(others.float(), dim=1).T
        return contrast((q * k).sum(1) / temperature, negatives / temperature).mean()
    if len(queries) < 2:
        raise InputError("queries", "must have 2 rows or more where there are no others", len(queries))
    return F.cross_entropy(q @ k.T / temperature, torch.arange(len(q), device=q.device))


def symmetric_info_nce(first: Tensor, second: Tensor, scale: Tensor | float) -> Tensor:
    """The loss of CLIP: half of InfoNCE from first to second and half of that from second to first.

    Radford et al., ICML 2021, arXiv 2103.00020, figure 3. Rows are scaled to length 1.

    Args:
        first, second: (B, D), row i of both from one pair. One pair has the loss 0.
        scale: the cosines are multiplied by it; one over the temperature. A tensor may be learned.

    Raises:
        InputError: different shapes.

    Example:
        >>> float(symmetric_info_nce(torch.eye(3), torch.eye(3), 100.0)) < 1e-3
        True
    """
    check_array(first, "B D", name="first", finite=False)
    if second.shape != first.shape:
        raise InputError("second", f"must have shape {tuple(first.shape)}", tuple(second.shape))
    logits = scale * (F.normalize(first.float(), dim=1) @ F.normalize(second.float(), dim=1).T)
    rows = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, rows) + F.cross_entropy(logits.T, rows)) / 2


__all__ = ["contrast", "info_nce", "nt_xent", "symmetric_info_nce"]
