"""What `holdfast d3g predict` writes: a row's prediction, and how near the domains are that it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from holdfast.data.unseen_domains.tables import DomainTable
from holdfast.systems.d3g.estimator import D3G

FAR = 3.0  # times the usual distance between neighbours in training


@dataclass(frozen=True)
class Predictions:
    """The table, what is said about it, and the different rows of weights (M, K) with whose they are (M,)."""

    columns: dict[str, Any]
    summary: str
    doubts: tuple[str, ...]
    weights: Tensor
    names: tuple[str, ...]


def predictions(model: D3G, table: DomainTable) -> Predictions:
    """Predict for every row of a table.

    The nearest training domain is that of the smallest distance of metadata, in units of the usual distance between
    neighbours in training; with a graph it is the one with the largest weight, and its distance is empty.
    """
    count = len(table.x)
    weights, known = model.row_weights(count, table.metadata, table.domain)
    columns: dict[str, Any] = {"row": table.records.rows}
    if table.domain is not None:
        columns["domain"] = table.domain
    if len(model.classes_):
        p = model.predict_proba(table.x, table.metadata, table.domain)
        columns |= {"prediction": model.classes_[p.argmax(1)], "probability": p.max(1)}
    else:
        columns["prediction"] = model.predict(table.x, table.metadata, table.domain)
    columns["head"] = np.where(known, "own", "mixed").astype(object)
    doubts = []
    lost = ~known & ~model.is_related(table.metadata, table.domain)
    if model.edges_:
        nearest = model.domains_[weights.argmax(1)].astype(object)
        columns["nearest"] = np.where(lost, "", nearest)
    else:
        columns["nearest"], distance = model.nearest(table.metadata)
        columns["distance"] = distance
        if far := int((distance > FAR).sum()):
            doubts.append(
                f"{far} of {count} rows lie more than {FAR:g} times as far from the nearest training domain as those "
                "lie from each other: nothing in the training speaks for these predictions"
            )
    if lost.any():
        doubts.append(
            f"{int(lost.sum())} of {count} rows are related to no training domain: the mean of all heads is used"
        )
    first = np.sort(np.unique(weights.round(6), axis=0, return_index=True)[1])  # in the order of the table
    names = [str(table.domain[i]) if table.domain is not None else f"row {table.records.rows[i]}" for i in first]
    summary = f"{count} rows, {int(known.sum())} of them of domains known from the training"
    return Predictions(columns, summary, tuple(doubts), torch.from_numpy(weights[first]), tuple(names))


__all__ = ["Predictions", "predictions"]
