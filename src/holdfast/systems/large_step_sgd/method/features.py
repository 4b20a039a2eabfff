"""How few distinct features a network uses: the feature sparsity coefficient."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from holdfast.errors import InputError
from holdfast.validation import check_array, check_fraction, check_integer


@dataclass(frozen=True, eq=False)
class SparsityReport:
    """Feature sparsity of a layer."""

    raw: float  # share of positive entries among all
    dedup: float  # the coefficient: positive entries of the units left, by N times all units; lower is sparser
    units: int  # m, of which shares are taken: all units, or those that were drawn
    n_dead: int  # units that are positive for no row
    n_duplicates: int  # units that were deleted, as another that was still there correlates with them
    kept_indices: Tensor  # (units - dead - duplicates,) int64, columns of the flattened features that are left


def correlations(features: Tensor) -> Tensor:
    """Pearson correlations of the columns (N, m) -> (m, m): 0 on the diagonal, NaN for columns that are constant."""
    constant = features.amax(0) == features.amin(0)
    centred = features - features.mean(0)
    unit = centred / centred.norm(dim=0).masked_fill(constant, float("nan"))
    return (unit.T @ unit).clamp(-1, 1).fill_diagonal_(0)


def first_to_go(similar: np.ndarray) -> np.ndarray:
    """Which of m columns are left when they are scanned in order, each deleted if one still there is similar to it.

    Of a group of duplicates the last one is left.

    Args:
        similar: (m, m) booleans, symmetric, False on the diagonal.

    Returns:
        (m,) booleans.

    Example:
        >>> first_to_go(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], bool)).tolist()
        [False, True, True]
    """
    m = len(similar)
    packed = np.packbits(similar, axis=1, bitorder="little")
    there = (1 << m) - 1  # bit j: column j is still there
    for i, row in enumerate(packed):
        if int.from_bytes(row.tobytes(), "little") & there:
            there &= ~(1 << i)
    left = np.frombuffer(there.to_bytes(packed.shape[1], "little"), dtype=np.uint8)
    return np.unpackbits(left, count=m, bitorder="little").astype(bool)


def feature_sparsity(
    features: Tensor,
    corr_threshold: float = 0.95,
    max_units: int | None = 1000,
    generator: torch.Generator | None = None,
    normalize: bool = False,
) -> SparsityReport:
    """The paper's coefficient of feature sparsity.

    Args:
        features: (N, ...) after the activation function; channels and places are units alike.
        corr_threshold: units correlate that have |Pearson| above it; 0.95 for deep networks, 0.99 for small ones.
        max_units: more units than this are not compared but drawn from; None = all.
        generator: of the draw; None = the first draw of seed 0.
        normalize: divide every row by its norm first (rows of zeros stay), as the reference does for small networks.

    Raises:
        InputError: fewer than 2 rows, values that are not finite, a threshold outside (0, 1].

    Example:
        >>> x = torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0], [3.0, 6.0, 0.0], [2.0, 4.0, 0.0]])
        >>> report = feature_sparsity(x)
        >>> report.raw, report.dedup, report.n_dead, report.n_duplicates, report.kept_indices.tolist()
        (0.5, 0.25, 1, 1, [1])
    """
    check_fraction(corr_threshold, "corr_threshold", zero=False)
    phi = torch.as_tensor(check_array(features, "...", name="features"))
    if phi.ndim < 2 or len(phi) < 2:
        raise InputError("features", "must be (N, ...) with N >= 2", tuple(phi.shape))
    phi = phi.detach().flatten(1)
    phi = phi.float() if phi.dtype != torch.float64 else phi
    indices = torch.arange(phi.shape[1], device=phi.device)
    if max_units is not None and phi.shape[1] > check_integer(max_units, "max_units", low=1):
        rng = torch.Generator().manual_seed(0) if generator is None else generator
        drawn = torch.randperm(phi.shape[1], generator=rng, device=rng.device)[:max_units]
        indices = drawn.to(phi.device).sort().values
    if normalize:
        norms = phi.norm(dim=1, keepdim=True)
        phi = phi / norms.masked_fill(norms == 0, 1)
    phi = phi[:, indices]
    active = phi > 0
    alive = active.any(0)
    if not alive.any():
        warnings.warn("no unit is active: the network's features are all dead", stacklevel=2)
    similar = correlations(phi[:, alive]).abs() > corr_threshold  # NaN is above nothing
    left = torch.from_numpy(first_to_go(similar.cpu().numpy())).to(phi.device)
    entries = active.numel()
    return SparsityReport(
        raw=int(active.sum()) / entries,
        dedup=int(active[:, alive][:, left].sum()) / entries,
        units=phi.shape[1],
        n_dead=int((~alive).sum()),
        n_duplicates=int((~left).sum()),
        kept_indices=indices[alive][left].cpu(),
    )


__all__ = ["SparsityReport", "correlations", "feature_sparsity", "first_to_go"]
