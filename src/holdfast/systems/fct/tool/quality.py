"""How good a migration is on pairs that it was not fitted to, with intervals; and what that says of other rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from holdfast.errors import InputError
from holdfast.metrics.estimates import Estimate
from holdfast.retrieval import neighbours, recall_at_k
from holdfast.systems.fct.tool.uncertainty import ResidualNeighbours

MOST = 5000  # pairs that retrieval is measured on: each is compared with all others
DEPTH = 10
RANGE = {"relative error": (0.0, np.inf), "cosine": (-1.0, 1.0), "recall@10": (0.0, 1.0), "finds itself": (0.0, 1.0)}


def row_qualities(migrated: np.ndarray, new: np.ndarray, centre: np.ndarray, metric: str) -> dict[str, np.ndarray]:
    """What each pair says about a migration: name -> (N,) float64.

    - "relative error": squared distance from the true new embedding, over the mean of that of `centre`: 1 is as bad as
      one answer for all rows, 0 is perfect.
    - "cosine": of the angle between migrated and true embedding.
    - "recall@10": share of the new model's own 10 nearest neighbours that are found among the migrated rows.
    - "finds itself": 1 where the new embedding of a row has its own migrated row as the nearest one.

    The last two are measured among the first 5,000 pairs, and are NaN for others; with fewer than 12 pairs the depth
    is smaller.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(30, 4))
        >>> {name: float(v.mean()) for name, v in row_qualities(x, x, x.mean(0), "l2").items()}
        {'relative error': 0.0, 'cosine': 1.0, 'recall@10': 1.0, 'finds itself': 1.0}
    """
    a, b = migrated.astype(np.float64), new.astype(np.float64)
    typical = np.square(b - centre).sum(1).mean()
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    count = min(len(a), MOST)
    recall, itself = np.full(len(a), np.nan), np.full(len(a), np.nan)
    ids = np.arange(count)
    if count > 2:
        depth = min(DEPTH, count - 2)
        own: Any = {"query_ids": ids, "gallery_ids": ids, "metric": metric}
        true = neighbours(b[:count], b[:count], depth, **own)
        recall[:count] = recall_at_k(neighbours(b[:count], a[:count], depth, **own), true)
        itself[:count] = neighbours(b[:count], a[:count], 1, metric=metric)[:, 0] == ids
    return {
        "relative error": np.square(a - b).sum(1) / (typical or 1.0),
        "cosine": (a * b).sum(1).round(12) / np.where(norms > 0, norms, 1).round(12),
        "recall@10": recall,
        "finds itself": itself,
    }


def summary(qualities: Mapping[str, np.ndarray]) -> dict[str, Estimate]:
    """Mean and interval of each quality."""
    return {
        name: Estimate.of(values[~np.isnan(values)], name == "finds itself")
        for name, values in qualities.items()
        if (values == values).any()
    }


@dataclass(frozen=True)
class Prediction:
    """What is to be expected of rows whose new embeddings nobody has.

    Attributes:
        rows: how many rows were looked at.
        qualities: name -> estimate.
        far: share of rows farther from every held-out pair than 99 % of the held-out pairs are from each other; .01
            is what rows like the pairs would have. Nothing is known about rows there.
    """

    rows: int
    qualities: dict[str, Estimate]
    far: float


def predict_quality(
    inputs: np.ndarray, known: ResidualNeighbours, qualities: Mapping[str, np.ndarray], *, seed: int = 0
) -> Prediction:
    """Predict the quality of a migration for rows that may be spread otherwise than the pairs.

    Each row is taken to fare as the held-out pairs nearest to it did, and each held-out pair, once more, as the others
    nearest to it: the estimate is the mean over held-out pairs, plus the difference of these two. So for rows like the
    pairs it is that mean; what neighbours smooth away on both sides cancels. The interval comes from 1,000 bootstrap
    samples of the pairs.

    Args:
        inputs: [old, side] of the rows, (N, D).
        known: the held-out pairs.
        qualities: of those pairs, as `row_qualities` gives them.
        seed: of the bootstrap.

    Raises:
        InputError: no rows.
    """
    if not len(inputs):
        raise InputError("sample", "must have at least one row", 0)
    near, which = _nearest(known, torch.from_numpy(np.asarray(inputs, np.float32)))
    count = len(known.errors)
    distance = torch.cdist(known.points, known.points).fill_diagonal_(float("inf"))
    own = distance.topk(max(1, min(known.k, count - 1)), largest=False)
    weights = np.stack([np.bincount(w.ravel(), minlength=count) for w in (which, own.indices.numpy())]).astype(float)
    rng = np.random.default_rng(seed)
    found = {}
    for name, values in qualities.items():
        usable = ~np.isnan(values)
        if usable.any() and weights[:, usable].any(1).all():
            found[name] = _shifted(values[usable], weights[:, usable], RANGE[name], rng)
    usual = np.quantile(own.values[:, 0].numpy(), 0.99)
    return Prediction(len(inputs), found, float((near[:, 0] > usual).mean()))


def _nearest(known: ResidualNeighbours, inputs: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    parts = [known.nearest(piece) for piece in inputs.split(2048)]
    return torch.cat([p[0] for p in parts]).numpy(), torch.cat([p[1] for p in parts]).numpy()


def _shifted(
    values: np.ndarray, weights: np.ndarray, within: tuple[float, float], rng: np.random.Generator
) -> Estimate:
    """mean + weighted mean by the first weights - that by the second, with a percentile interval of the bootstrap."""
    count = len(values)
    drawn = np.concatenate([np.ones((1, count)), rng.multinomial(count, np.full(count, 1 / count), size=1000)])
    there, own = (drawn @ (w * values) / np.maximum(drawn @ w, 1e-12) for w in weights)
    estimates = (drawn @ values / count + there - own).clip(*within)
    low, high = np.quantile(estimates[1:], [0.025, 0.975]).tolist()
    return Estimate(float(estimates[0]), low, high)


__all__ = ["Prediction", "predict_quality", "row_qualities", "summary"]
