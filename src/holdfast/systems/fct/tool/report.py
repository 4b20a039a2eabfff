"""What the commands `report` and `plan` compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from holdfast.data.vectors import VectorSource, sampled
from holdfast.errors import InputError
from holdfast.retrieval import check_directions, mean_average_precision, neighbours, recall_at_k
from holdfast.systems.fct.estimator import METRICS, EmbeddingMigrator
from holdfast.systems.fct.tool.backfill import (
    BackfillCurve,
    BackfillPlanner,
    backfill_curve,
    oracle_order,
    random_order,
    uncertainty_order,
)
from holdfast.systems.fct.tool.compatibility import CompatReport, compat_report
from holdfast.systems.fct.tool.migration import SAMPLE, check_like, check_store
from holdfast.systems.fct.tool.pair_files import PairFiles
from holdfast.systems.fct.tool.pairs import Pairs
from holdfast.validation import check_choice

if TYPE_CHECKING:
    import pandas as pd

CURVE_ROWS = 2000  # each point of each curve compares all of them with each other
ROWS = 65536


@dataclass(frozen=True)
class Curves:
    """Backfilling curves by order.

    Attributes:
        score: what was measured.
        curves: order -> curve.
    """

    score: str
    curves: dict[str, BackfillCurve]

    def table(self) -> pd.DataFrame:
        """A row per share, a column per order."""
        import pandas as pd

        first = next(iter(self.curves.values()))
        return pd.DataFrame({"share": first.fractions, **{name: c.values for name, c in self.curves.items()}})

    def figure(self) -> Any:
        """The curves."""
        from holdfast.systems.fct.tool.figures import backfilling

        return backfilling(self.curves, self.score)


def measure(
    migrator: EmbeddingMigrator,
    given: PairFiles,
    *,
    k: int = 10,
    metric: str | None = None,
    most: int = 5000,
    seed: int = 0,
) -> tuple[CompatReport, Curves]:
    """Compare the pairings on pairs, each a query and a gallery row; and what embedding rows again would add.

    Args:
        migrator: fitted, to other pairs than these.
        given: the pairs.
        k: depth of the recall.
        metric: "l2", "cosine" or "ip"; None = as in `fit`.
        most: pairs at most; with more, a random sample.
        seed: of that sample, and of the random order.

    Raises:
        InputError: pairs that do not fit together or to the migrator; fewer than k + 2.
    """
    pairs = Pairs.of(given.old, given.new, given.side, given.labels)
    metric = migrator.searched_by if metric is None else str(check_choice(metric, METRICS, "metric"))
    if metric == "cosine":
        check_directions(pairs.old, "old")
        check_directions(pairs.new, "new")
    rng = np.random.default_rng(seed)
    if len(pairs.old) > most:
        pairs = pairs.rows(np.sort(rng.choice(len(pairs.old), most, replace=False)))
    if len(pairs.old) < k + 2:
        raise InputError("pairs", f"must be at least k + 2 = {k + 2}", len(pairs.old))
    if pairs.new.shape[1] != migrator.dims_[1]:
        raise InputError("new", f"must have {migrator.dims_[1]} dimensions, as in fit", pairs.new.shape[1])
    pairs = pairs.normalized() if migrator.unit else pairs
    old, new = pairs.old.numpy(), pairs.new.numpy()
    side = None if pairs.side is None else pairs.side.numpy()
    moved = migrator.transform(old, side)
    ids = np.arange(len(old))
    own: dict[str, Any] = {"query_ids": ids, "gallery_ids": ids, "metric": metric}
    labels = pairs.labels
    report = compat_report(new, old, moved, new, q_old=old, labels=labels, k=k, **own)
    few = np.arange(min(len(old), CURVE_ROWS))
    own |= {"query_ids": few, "gallery_ids": few}
    small = new[few]
    if labels is None:
        true = neighbours(small, small, k, **own)

        def score(gallery: np.ndarray) -> float:
            return float(recall_at_k(neighbours(small, gallery, k, **own), true).mean())
    else:
        classes = labels[few]

        def score(gallery: np.ndarray) -> float:
            return mean_average_precision(small, gallery, classes, classes, **own)

    doubt = migrator.uncertainty(old[few], None if side is None else side[few])
    orders = {
        "oracle": oracle_order(moved[few], small),
        "uncertainty": uncertainty_order(doubt),
        "random": random_order(len(few), rng),
    }
    curves = {name: backfill_curve(order, moved[few], small, score) for name, order in orders.items()}
    return report, Curves(f"recall@{k}" if labels is None else "mAP", curves)


@dataclass(frozen=True)
class Plan:
    """Rows to embed again.

    Attributes:
        table: id, row and expected_error, the most uncertain first.
        covered: share of the expected error of the whole store that lies in them.
    """

    table: pd.DataFrame
    covered: float


def plan_for(
    migrator: EmbeddingMigrator, source: VectorSource, budget: float, progress: Callable[[int, int], None] | None = None
) -> Plan:
    """The rows of a store to embed again first. Rows with NaN or infinite values come first of all.

    Four bytes and the id of every row are kept in memory, besides a chunk.

    Raises:
        InputError: sizes that differ from those of `fit`, a budget that is none.

    Warns:
        UnlikePairs: the store is unlike the pairs of `fit`, and so are the errors.
    """
    import pandas as pd

    check_store(migrator, source)
    rows_seen, _ = sampled(source, SAMPLE)
    check_like(migrator, rows_seen.vectors, rows_seen.side, allowed=True)
    expected, ids, done = np.empty(source.rows, np.float32), [], 0
    for chunk in source.chunks(ROWS):
        bad = chunk.bad()
        good = np.setdiff1d(np.arange(len(chunk)), bad)
        part = np.full(len(chunk), np.inf, np.float32)
        if len(good):
            kept = chunk.take(good)
            part[good] = migrator.uncertainty(kept.vectors, kept.side)
        expected[chunk.start : chunk.start + len(chunk)] = part
        ids.append(chunk.ids)
        done += len(chunk)
        if progress is not None:
            progress(done, source.rows)
    finite = np.isfinite(expected)
    if not finite.all():
        expected[~finite] = 2 * expected[finite].max() if finite.any() else 1.0
    planner = BackfillPlanner(expected, np.concatenate(ids))
    rows = planner.rows(budget)
    table = pd.DataFrame({"id": planner.ids[rows], "row": rows, "expected_error": expected[rows]})
    return Plan(table, planner.covered(budget))


__all__ = ["Curves", "Plan", "measure", "plan_for"]
