"""Lloyd's k-means of float32 rows on any device; those of faiss and scikit-learn are one argument away."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from holdfast.retrieval.faiss_index import faiss_library
from holdfast.validation import check_array, check_choice, check_integer

Backend = Literal["torch", "faiss", "sklearn"]
CHUNK = 2**25  # distances held at a time


def kmeans(
    x: Tensor,
    k: int,
    *,
    n_iter: int = 20,
    n_init: int = 5,
    seed: int = 0,
    max_points: int = 1000,
    backend: Backend = "torch",
) -> tuple[Tensor, Tensor]:
    """Centroids (k, D) and the nearest one of every row (N,), by squared Euclidean distance.

    The best of `n_init` starts from k different rows, each of `n_iter` rounds; a cluster that loses all its rows takes
    the row that is farthest from its own centroid. Rows beyond `max_points` per centroid do not move centroids.

    Args:
        x: (N, D) float32, N >= k.
        n_iter, n_init: rounds and starts.
        max_points: rows per centroid that are used, as in faiss.
        backend: "torch" (on the device of x), "faiss", or "sklearn" (mini-batch).

    Raises:
        InputError: more clusters than rows; numbers that are not finite.
        MissingExtra: "faiss" is not installed.

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [5.0], [6.0]])
        >>> centroids, assign = kmeans(x, 2)
        >>> sorted(centroids.flatten().tolist()), bool(assign[0] == assign[1] != assign[2])
        ([0.5, 5.5], True)
    """
    check_array(x, "N D", name="x", dtype="floating")
    check_integer(k, "k", low=1, high=len(x))
    for name, value in (("n_iter", n_iter), ("n_init", n_init), ("max_points", max_points)):
        check_integer(value, name, low=1)
    check_choice(backend, ("torch", "faiss", "sklearn"), "backend")
    generator = torch.Generator().manual_seed(check_integer(seed, "seed", low=0))
    used = x
    if len(x) > max_points * k:
        used = x[torch.randperm(len(x), generator=generator)[: max_points * k].to(x.device)]
    if backend == "torch":
        best = _lloyd(used, k, n_iter, n_init, generator)
    else:
        rows = np.ascontiguousarray(used.detach().cpu().numpy())
        best = torch.from_numpy((_faiss if backend == "faiss" else _sklearn)(rows, k, n_iter, n_init, seed)).to(x)
    return best, nearest(x, best)[0]


def nearest(x: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest of (K, D) centroids to each row, (N,), and the squared distances, (N,).

    Example:
        >>> nearest(torch.tensor([[0.0], [4.0]]), torch.tensor([[1.0], [9.0]]))
        (tensor([0, 0]), tensor([1., 9.]))
    """
    found, apart = [], []
    half = centroids.square().sum(1) / 2
    for part in x.split(max(1, CHUNK // len(centroids))):
        least, index = (half - part @ centroids.T).min(1)
        found.append(index)
        apart.append((part.square().sum(1) + 2 * least).clamp_min(0))
    return torch.cat(found), torch.cat(apart)


def _lloyd(x: Tensor, k: int, n_iter: int, n_init: int, generator: torch.Generator) -> Tensor:
    """The centroids of the start with the least sum of squared distances."""
    best, least = x[:k], torch.inf
    starts = [torch.randperm(len(x), generator=generator)[:k] for _ in range(n_init)]
    for start in starts:
        centroids = x[start.to(x.device)]
        for _ in range(n_iter):
            centroids = _means(x, *nearest(x, centroids), k)
        if (total := float(nearest(x, centroids)[1].sum())) < least:
            best, least = centroids, total
    return best


def _means(x: Tensor, index: Tensor, apart: Tensor, k: int) -> Tensor:
    """The mean of each cluster's rows; clusters without any get the rows that are farthest from their centroids."""
    sums = torch.zeros(k, x.shape[1], device=x.device, dtype=x.dtype).index_add_(0, index, x)
    counts = torch.bincount(index, minlength=k)
    means = sums / counts.clamp_min(1)[:, None]
    empty = (counts == 0).nonzero().flatten()
    if len(empty):
        means[empty] = x[apart.topk(len(empty)).indices]
    return means


def _faiss(x: np.ndarray, k: int, n_iter: int, n_init: int, seed: int) -> np.ndarray:
    faiss = faiss_library()
    limits = {"min_points_per_centroid": 1, "max_points_per_centroid": len(x)}  # rows have been drawn already
    made = faiss.Kmeans(x.shape[1], k, niter=n_iter, nredo=n_init, seed=seed, **limits)
    made.train(x)
    return np.asarray(made.centroids, dtype=np.float32)


def _sklearn(x: np.ndarray, k: int, n_iter: int, n_init: int, seed: int) -> np.ndarray:
    from sklearn.cluster import MiniBatchKMeans

    made = MiniBatchKMeans(k, max_iter=n_iter, n_init=n_init, random_state=seed).fit(x)
    return np.asarray(made.cluster_centers_, dtype=np.float32)


__all__ = ["Backend", "kmeans", "nearest"]
