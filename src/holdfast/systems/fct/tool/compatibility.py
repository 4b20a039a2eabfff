"""What queries find in the old, the migrated and the new gallery, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.errors import InputError
from holdfast.retrieval import cmc, distances, mean_average_precision, neighbours, recall_at_k
from holdfast.validation import check_integer

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SYSTEMS = {
    "old/old": "as it is today",
    "new/old": "new queries, old gallery, nothing done",
    "new/migrated": "new queries, migrated gallery",
    "new/new": "everything embedded again",
}


@dataclass(frozen=True)
class CompatReport:
    """Scores of each pairing of query and gallery.

    Attributes:
        table: one row per pairing ("old/old": old queries against the old gallery, ...), one column per score.
        queries: how many queries.
        gallery: how many gallery rows they were compared with; scores fall as it grows.
    """

    table: pd.DataFrame
    queries: int
    gallery: int

    @property
    def kept(self) -> Mapping[str, float]:
        """Score -> share of what embedding everything again would give ("new/migrated" over "new/new")."""
        if "new/new" not in self.table.index:
            return {}
        new = self.table.loc["new/new"]
        return {name: float(self.table.loc["new/migrated", name] / new[name]) for name in self.table if new[name] > 0}

    def figure(self) -> Figure:
        """Bars of every score, one colour per pairing."""
        from holdfast.systems.fct.tool.figures import compatibility

        return compatibility(self.table, self.queries, self.gallery)


def compat_report(
    q_new: Any,
    g_old: Any,
    g_migrated: Any,
    g_new: Any = None,
    *,
    q_old: Any = None,
    labels: Any = None,
    query_labels: Any = None,
    query_ids: Any = None,
    gallery_ids: Any = None,
    k: int = 10,
    metric: str = "l2",
) -> CompatReport:
    """Compare the pairings: old/old, new/old, new/migrated, new/new.

    Args:
        q_new: queries by the new model, (Q, d_new).
        g_old: gallery by the old model, (G, d_old).
        g_migrated: gallery migrated, (G, d_new).
        g_new: gallery by the new model, (G, d_new); with it, recall@k against the new model's own k neighbours is
            measured, and the upper bound. None = labels are needed.
        q_old: queries by the old model, (Q, d_old), for old/old.
        labels: classes of the gallery, (G,): then CMC and mean average precision are measured.
        query_labels: classes of the queries, (Q,); None = the queries are the gallery's rows.
        query_ids, gallery_ids: what the rows are, so that a query does not find itself.
        k: depth of the recall.
        metric: "l2", "cosine" or "ip", see `distances`.

    Raises:
        InputError: arrays that do not fit together; neither labels nor g_new.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(40, 6))
        >>> report = compat_report(x, x[:, :4], x + 0.1, x, q_old=x[:, :4], query_ids=range(40), gallery_ids=range(40))
        >>> list(report.table.index), float(report.table.loc["new/new", "recall@10"])
        (['old/old', 'new/migrated', 'new/new'], 1.0)
    """
    import pandas as pd

    check_integer(k, "k", low=1)
    if g_new is None and labels is None:
        raise InputError("g_new, labels", "must have one of them, or there is nothing to compare with", None)
    pairings = {
        "old/old": (q_old, g_old),
        "new/old": (q_new, g_old if np.shape(g_old)[1:] == np.shape(q_new)[1:] else None),
        "new/migrated": (q_new, g_migrated),
        "new/new": (q_new, g_new),
    }
    ids: dict[str, Any] = {"query_ids": query_ids, "gallery_ids": gallery_ids}
    ids = {name: None if given is None else np.asarray(given) for name, given in ids.items()}
    true = None if g_new is None else neighbours(q_new, g_new, k, **ids, metric=metric)
    rows: dict[str, dict[str, float]] = {}
    for name, (query, gallery) in pairings.items():
        if query is None or gallery is None:
            continue
        scores: dict[str, float] = {}
        if labels is not None:
            classes = (labels if query_labels is None else query_labels), labels
            found = cmc(query, gallery, *classes, **ids, top_k=5, metric=metric)
            scores |= {"CMC top-1": float(found[0]), "CMC top-5": float(found[4])}
            scores["mAP"] = mean_average_precision(query, gallery, *classes, **ids, metric=metric)
        if true is not None:
            found = neighbours(query, gallery, k, **ids, metric=metric)
            scores[f"recall@{k}"] = float(recall_at_k(found, true).mean())
        rows[name] = scores
    return CompatReport(pd.DataFrame.from_dict(rows, orient="index"), len(q_new), len(g_old))


# With what it is measured by: the names that users of this system look for.
__all__ = ["SYSTEMS", "CompatReport", "cmc", "compat_report", "distances", "mean_average_precision", "neighbours"]
__all__ += ["recall_at_k"]
