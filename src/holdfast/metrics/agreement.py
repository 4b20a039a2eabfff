"""How far an estimate agrees with the truth up to what cannot be known: an order, a rotation, a level of confidence.

An embedding that was learned from comparisons is known up to a rotation at best, and a confidence up to a monotone
map. So it is compared by ranks, by the cosines between pairs of its own rows, or after the best rotation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_array, check_same_length, is_tensor


def rank_correlation(first: Any, second: Any) -> float:
    """Spearman's correlation of ranks, in [-1, 1]; ties share their mean rank.

    0 where one of the two is constant: an order made of ties says nothing about any other.

    Args:
        first, second: (N,) numbers, N at least 2.

    Raises:
        InputError: NaN, lengths that differ, one row.

    Example:
        >>> rank_correlation([1.0, 2.0, 3.0], [10.0, 20.0, 400.0])
        1.0
    """
    from scipy.stats import rankdata

    a, b = (_floats(x, "N", name) for x, name in ((first, "first"), (second, "second")))
    if check_same_length(first=a, second=b) < 2:
        raise InputError("first", "must have 2 rows or more", len(a))
    a, b = (rankdata(x) - (len(x) + 1) / 2 for x in (a, b))
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else 0.0


def pairwise_cosines(x: Any) -> np.ndarray:
    """Cosines of all pairs of rows: (N (N - 1) / 2,) float64, pair (i, j) for i < j, i running slowest.

    Args:
        x: (N, D), no row of length 0.

    Example:
        >>> pairwise_cosines([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]).tolist()
        [0.0, 1.0, 0.0]
    """
    unit = _unit(x, "x")
    return np.asarray((unit @ unit.T)[np.triu_indices(len(unit), 1)])


def best_rotation(estimate: Any, truth: Any) -> np.ndarray:
    """The orthogonal (D, D) matrix R for which `estimate @ R` is nearest to `truth` (orthogonal Procrustes problem).

    Schoenemann, Psychometrika 1966. Reflections count as rotations.

    Args:
        estimate, truth: (N, D).

    Raises:
        InputError: NaN, shapes that differ.

    Example:
        >>> x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        >>> turned = x @ np.array([[0.0, 1.0], [-1.0, 0.0]])
        >>> bool(np.allclose(turned @ best_rotation(turned, x), x))
        True
    """
    a, b = _floats(estimate, "N D", "estimate"), _floats(truth, "N D", "truth")
    if a.shape != b.shape:
        raise InputError("truth", f"must have the shape of the estimate, {a.shape}", b.shape)
    left, _, right = np.linalg.svd(a.T @ b)
    return np.asarray(left @ right)


def rotated_cosine(estimate: Any, truth: Any) -> float:
    """Mean cosine of the rows of the truth and those of the estimate after its best rotation, all scaled to length 1.

    Args:
        estimate, truth: (N, D), no row of length 0.

    Example:
        >>> x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        >>> round(rotated_cosine(x[:, ::-1].copy(), x), 6)
        1.0
    """
    a, b = _unit(estimate, "estimate"), _unit(truth, "truth")
    return float(((a @ best_rotation(a, b)) * b).sum(1).mean())


def _unit(x: Any, name: str) -> np.ndarray:
    x = _floats(x, "N D", name)
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    if (lengths == 0).any():
        raise InputError(name, "must have no row of length 0", f"row {int((lengths == 0).argmax())}")
    return np.asarray(x / lengths)


def _floats(x: Any, shape: str, name: str) -> np.ndarray:
    x = check_array(x, shape, name=name, dtype="float64")
    return np.asarray(x.detach().cpu().numpy() if is_tensor(x) else x)


__all__ = ["best_rotation", "pairwise_cosines", "rank_correlation", "rotated_cosine"]
