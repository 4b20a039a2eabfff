"""Which rows to embed again first, and what that buys: orders, plans, the backfilling curve (FastFill, 2303.04766)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.systems.fct.method import descending, partly_embedded
from holdfast.validation import check_array, check_integer, check_same_length, is_tensor

FRACTIONS = tuple(k / 10 for k in range(11))


def uncertainty_order(expected_error: Any) -> np.ndarray:
    """Rows from the largest expected error to the smallest (FastFill's order); equal ones as they come. int64 (N,).

    Example:
        >>> uncertainty_order([0.1, 3.0, 2.0]).tolist()
        [1, 2, 0]
    """
    values = np.asarray(check_array(_numpy(expected_error), "N", name="expected_error", dtype="real"))
    return descending(values)


def oracle_order(migrated: Any, new: Any) -> np.ndarray:
    """Rows from the largest true error to the smallest: what no order without the new embeddings could know.

    Example:
        >>> oracle_order([[0.0], [0.0]], [[1.0], [-2.0]]).tolist()
        [1, 0]
    """
    a, b = _galleries(migrated, new)
    return uncertainty_order(np.square(a.astype(np.float64) - b).sum(1))


def random_order(rows: int, rng: np.random.Generator) -> np.ndarray:
    """Rows in a random order."""
    return rng.permutation(check_integer(rows, "rows", low=1))


@dataclass(frozen=True)
class BackfillCurve:
    """Retrieval quality after a share of the gallery was embedded again.

    Attributes:
        fractions: shares of the rows, rising.
        values: the score of the gallery then.
    """

    fractions: np.ndarray
    values: np.ndarray

    @property
    def area(self) -> float:
        """Mean of the values: the area under the curve as FastFill measures it."""
        return float(self.values.mean())

    def reaches(self, value: float) -> float | None:
        """The smallest share measured at which the score is at least `value`; None if none is."""
        found = np.flatnonzero(self.values >= value)
        return float(self.fractions[found[0]]) if len(found) else None


def backfill_curve(
    order: Any,
    migrated: Any,
    new: Any,
    score: Callable[[np.ndarray], float],
    fractions: Sequence[float] = FRACTIONS,
) -> BackfillCurve:
    """The score of the gallery as more and more of its rows become what the new model says.

    Args:
        order: row numbers, those to be embedded first at the front; each row once, (N,).
        migrated: h(old, side) of the gallery, (N, D).
        new: the new model's embeddings of it, (N, D).
        score: from a gallery (N, D) to a number, such as
            `lambda g: mean_average_precision(queries, g, labels, gallery_labels)`.
        fractions: shares at which to look, rising, in [0, 1].

    Raises:
        InputError: an order that is no permutation; galleries of different shapes; shares that do not rise.

    Example:
        >>> curve = backfill_curve([1, 0], [[0.0], [0.0]], [[1.0], [3.0]], lambda g: float(g.sum()), [0, 0.5, 1])
        >>> curve.values.tolist(), round(curve.area, 2)
        ([0.0, 3.0, 4.0], 2.33)
    """
    old_rows, new_rows = _galleries(migrated, new)
    rows = np.asarray(check_array(_numpy(order), "N", name="order", dtype="int64"))
    check_same_length(migrated=old_rows, order=rows)
    if not np.array_equal(np.sort(rows), np.arange(len(rows))):
        raise InputError("order", "must hold every row number once", f"{len(np.unique(rows))} different of {len(rows)}")
    shares = np.asarray(check_array(list(fractions), "F", name="fractions", dtype="float64", low=0, high=1))
    if (np.diff(shares) <= 0).any():
        raise InputError("fractions", "must rise", shares.tolist())
    values = [float(score(partly_embedded(old_rows, new_rows, rows, share))) for share in shares.tolist()]
    return BackfillCurve(shares, np.asarray(values))


class BackfillPlanner:
    """Says which rows to embed again with the new model, for a budget.

    Args:
        expected_error: of every row of the gallery, as `EmbeddingMigrator.expected_error` gives it, (N,).
        ids: what the rows are called; None = their numbers.

    Raises:
        InputError: arrays that do not fit together.

    Example:
        >>> planner = BackfillPlanner([0.1, 3.0, 2.0, 0.2], ids=["a", "b", "c", "d"])
        >>> planner.plan(0.5).tolist(), planner.plan(1).tolist(), round(planner.covered(0.5), 2)
        (['b', 'c'], ['b'], 0.94)
    """

    def __init__(self, expected_error: Any, ids: Any = None) -> None:
        self.expected_error = np.asarray(
            check_array(_numpy(expected_error), "N", name="expected_error", dtype="real", low=0)
        )
        self.ids = np.arange(len(self.expected_error)) if ids is None else _numpy(ids)
        check_same_length(expected_error=self.expected_error, ids=self.ids)

    @property
    def order(self) -> np.ndarray:
        """All row numbers, the most uncertain first."""
        return uncertainty_order(self.expected_error)

    def rows(self, budget: float) -> np.ndarray:
        """Row numbers to embed again, the most uncertain first.

        Args:
            budget: a share in (0, 1), or a number of rows from 1 on. (The whole gallery is its number of rows.)

        Raises:
            InputError: a budget that is neither.
        """
        return self.order[: self.count(budget)]

    def count(self, budget: float) -> int:
        """The number of rows that a budget allows; never more than there are."""
        total = len(self.expected_error)
        if isinstance(budget, float) and 0 < budget < 1:
            return max(1, round(budget * total))
        whole = (
            isinstance(budget, int | float | np.integer) and not isinstance(budget, bool) and budget == round(budget)
        )
        if not whole or budget < 1:
            raise InputError("budget", "must be a share between 0 and 1, or a number of rows", budget)
        return min(int(budget), total)

    def plan(self, budget: float) -> np.ndarray:
        """Ids of `rows(budget)`."""
        return self.ids[self.rows(budget)]

    def covered(self, budget: float) -> float:
        """Share of the whole expected squared error that lies in the planned rows, in [0, 1]."""
        total = float(self.expected_error.sum(dtype=np.float64))
        return float(self.expected_error[self.rows(budget)].sum(dtype=np.float64)) / total if total else 0.0


def _galleries(migrated: Any, new: Any) -> tuple[np.ndarray, np.ndarray]:
    sizes: dict[str, int] = {}
    a = check_array(_numpy(migrated), "N D", name="migrated", dtype="real", sizes=sizes)
    return np.asarray(a), np.asarray(check_array(_numpy(new), "N D", name="new", dtype="real", sizes=sizes))


def _numpy(x: Any) -> Any:
    return x.detach().cpu().numpy() if is_tensor(x) else np.asarray(x)


__all__ = ["BackfillCurve", "BackfillPlanner", "backfill_curve", "oracle_order", "random_order", "uncertainty_order"]
