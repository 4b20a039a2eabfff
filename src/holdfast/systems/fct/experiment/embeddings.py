"""Embeddings of the same rows by the old and the new model: what migrators are fitted on and measured with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from holdfast.retrieval import cmc, mean_average_precision, neighbours, recall_at_k

NEAREST = 10  # neighbours that recall counts


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of one purpose.

    Attributes:
        old, new: (N, d_old), (N, d_new) float32.
        side: name -> side-information (N, d_side).
        labels: (N,) int64, or None.
    """

    old: Tensor
    new: Tensor
    side: Mapping[str, Tensor]
    labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.old)


@dataclass(frozen=True, eq=False)
class Vectors:
    """The embeddings of a replicate.

    Attributes:
        fit: pairs to fit migrators on.
        validation: query and gallery of tuning.
        test: query and gallery of measuring.
        metric: distance of the index, "l2" or "cosine".
        classifier, old_classifier: (K, d_new) and (K_old, d_old), of the two models, where they have one.
    """

    fit: Part
    validation: Part
    test: Part
    metric: str = "l2"
    classifier: Tensor | None = None
    old_classifier: Tensor | None = None


def scores(part: Part, query: Tensor, gallery: Tensor, metric: str) -> dict[str, float]:
    """How well queries find what belongs to them, every row being query and gallery, itself left out; in percent.

    Args:
        part: the rows.
        query, gallery: what represents them, (N, D) both.
        metric: distance.

    Returns:
        "recall@10": share of the new model's own ten nearest neighbours among the ten found; with labels also
        "top-1" and "top-5" (a row of the query's class among the nearest 1 or 5) and "mAP".
    """
    ids = np.arange(len(part))
    same: dict[str, Any] = {"query_ids": ids, "gallery_ids": ids, "metric": metric}
    k = min(NEAREST, len(part) - 1)
    found, true = neighbours(query, gallery, k, **same), neighbours(part.new, part.new, k, **same)
    measured = {"recall@10": float(recall_at_k(found, true).mean())}
    if part.labels is not None:
        ranks = cmc(query, gallery, part.labels, part.labels, top_k=5, **same)
        measured |= {
            "top-1": float(ranks[0]),
            "top-5": float(ranks[4]),
            "mAP": mean_average_precision(query, gallery, part.labels, part.labels, **same),
        }
    return {name: 100 * value for name, value in measured.items()}


def parts_of(tensors: Mapping[str, Tensor]) -> dict[str, Part]:
    """Parts from tensors called "<part>/old", "<part>/new", "<part>/labels" and "<part>/side/<name>"."""
    parts = {}
    for name in dict.fromkeys(key.partition("/")[0] for key in tensors):
        side = {key.rpartition("/")[2]: t for key, t in tensors.items() if key.startswith(f"{name}/side/")}
        parts[name] = Part(tensors[f"{name}/old"], tensors[f"{name}/new"], side, tensors.get(f"{name}/labels"))
    return parts


def vectors_of(tensors: Mapping[str, Tensor], metric: str, **classifiers: Tensor) -> Vectors:
    """The parts fit, validation and test from tensors named as in `parts_of`."""
    parts = parts_of(tensors)
    return Vectors(parts["fit"], parts["validation"], parts["test"], metric, **classifiers)


def rows_of(tensors: Mapping[str, Tensor], order: np.ndarray, sizes: Mapping[str, int]) -> dict[str, Tensor]:
    """Tensors of all rows, divided into parts that follow each other in an order, as `parts_of` reads them."""
    divided: dict[str, Tensor] = {}
    start = 0
    for part, size in sizes.items():
        rows = torch.from_numpy(order[start : start + size])
        divided |= {f"{part}/{name}": tensor[rows] for name, tensor in tensors.items()}
        start += size
    return divided


__all__ = ["Part", "Vectors", "parts_of", "rows_of", "scores", "vectors_of"]
