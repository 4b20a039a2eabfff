"""Coordinates of a graph's nodes: the smoothest eigenvectors of its Laplacian (Belkin and Niyogi 2003)."""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import as_array, check_array, check_integer, is_tensor

DENSE = 2000  # nodes up to which all eigenvectors are computed, which is exact and fast


def check_adjacency(adjacency: Any, name: str = "adjacency") -> np.ndarray:
    """The weights of an undirected graph's edges, (N, N) float64: symmetric, not negative; the diagonal is taken out.

    Booleans are edges of weight 1.

    Raises:
        InputError: another shape, weights that are negative or not finite, directions that differ.
    """
    given = as_array(adjacency, name)
    given = given.cpu().numpy() if is_tensor(given) else given
    given = given.astype(np.float64) if given.dtype.kind == "b" else given
    weights = np.array(check_array(given, "N N", name=name, dtype="float64", low=0))
    if not np.allclose(weights, weights.T, rtol=1e-9, atol=0):
        i, j = np.argwhere(~np.isclose(weights, weights.T, rtol=1e-9, atol=0))[0]
        raise InputError(
            name, "must be symmetric", f"{weights[i, j]:g} at ({i}, {j}) and {weights[j, i]:g} at ({j}, {i})"
        )
    np.fill_diagonal(weights, 0)
    return weights


def laplacian(adjacency: Any, *, normalised: bool = True) -> np.ndarray:
    """D - A, or I - D^(-1/2) A D^(-1/2); rows of nodes without edges are 0.

    Example:
        >>> laplacian([[0, 1], [1, 0]], normalised=False)
        array([[ 1., -1.],
               [-1.,  1.]])
    """
    weights = check_adjacency(adjacency)
    degree = weights.sum(1)
    if not normalised:
        return np.diag(degree) - weights
    root = np.sqrt(np.divide(1, degree, out=np.zeros_like(degree), where=degree > 0))
    return np.diag((degree > 0).astype(float)) - root[:, None] * weights * root


def laplacian_eigenvectors(adjacency: Any, count: int, *, normalised: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """The eigenvectors of the smallest eigenvalues but the first, which says nothing about a node.

    Signs are fixed: of each vector the entry with the largest absolute value is positive (the first of several).
    Eigenvectors of an eigenvalue that occurs more than once are known up to a rotation only.

    Args:
        adjacency: (N, N), see `check_adjacency`.
        count: how many, from 1 to N - 1.
        normalised: of which Laplacian.

    Returns:
        (vectors (N, count) of length 1, eigenvalues (count,) in ascending order), float64.

    Raises:
        InputError: no such graph, or too many vectors.

    Example:
        >>> ring = np.roll(np.eye(8), 1, 0) + np.roll(np.eye(8), -1, 0)
        >>> vectors, values = laplacian_eigenvectors(ring, 2)
        >>> bool(np.allclose(np.square(vectors).sum(1), 2 / 8)), values.round(3).tolist()
        (True, [0.293, 0.293])
    """
    matrix = laplacian(adjacency, normalised=normalised)
    wanted = check_integer(count, "count", low=1, high=len(matrix) - 1)
    if len(matrix) <= DENSE:
        from scipy.linalg import eigh

        values, vectors = eigh(matrix, subset_by_index=(0, wanted))
    else:
        from scipy.sparse import csr_matrix
        from scipy.sparse.linalg import eigsh

        start = np.random.default_rng(0).standard_normal(len(matrix))
        values, vectors = eigsh(csr_matrix(matrix), k=wanted + 1, sigma=-1e-3, which="LM", v0=start)
        order = values.argsort()
        values, vectors = values[order], vectors[:, order]
    kept = vectors[:, 1:]
    signs = np.sign(kept[np.abs(kept.round(9)).argmax(0), np.arange(wanted)])
    return kept * np.where(signs == 0, 1, signs), np.clip(values[1:], 0, None)


__all__ = ["check_adjacency", "laplacian", "laplacian_eigenvectors"]
