"""Detectors judged by labels of the same cases: AUROC, FPR@90TPR and P@R90, for any kind of positives and for each.

Which cases are negative differs between papers; three protocols have names here:

    "all"       positives: any kind; negatives: every other case
    "per_type"  positives: one kind, by its own label; negatives: cases of no kind at all
    "whole"     positives: any kind, or one; negatives: every other case, those of other kinds too

The first two are those of arXiv 2208.05309 and 2212.09631, the last is that of arXiv 2212.08597.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from holdfast.errors import InputError
from holdfast.metrics.detectors import auroc, fpr_at_recall
from holdfast.validation import check_choice

Protocol = Literal["all", "per_type", "whole"]
ANY = "any"
DRAWS, LEVEL = 1000, 0.95
PIECE = 2_000_000  # numbers that are ranked at a time


@dataclass(frozen=True)
class Row:
    """How one detector does on one kind of positives.

    Attributes:
        detector, positives: names.
        count, others: rows that are positive, and negative.
        auroc, fpr90, precision90: in %; NaN where a class is empty.
        low, high: interval of AUROC, from rows drawn with replacement; NaN without.
    """

    detector: str
    positives: str
    count: int
    others: int
    auroc: float
    low: float
    high: float
    fpr90: float
    precision90: float


@dataclass(frozen=True)
class DetectorReport:
    """Rows of a table, best detector first within each kind of positives."""

    protocol: Protocol
    rows: tuple[Row, ...]

    HEADS = ("detector", "positives", "n", "AUROC %", "95 % interval", "FPR@90TPR %", "P@R90 %")

    def table(self) -> list[list[Any]]:
        """Cells under `HEADS`."""
        return [
            [r.detector, r.positives, r.count, round(r.auroc, 2), _interval(r), round(r.fpr90, 2),
             round(r.precision90, 2)]
            for r in self.rows
        ]  # fmt: skip

    def to_markdown(self) -> str:
        """The table."""
        lines = [self.HEADS, ["---"] * len(self.HEADS), *self.table()]
        return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)

    def to_json(self) -> str:
        """The numbers, NaN as null."""
        rows = [{k: None if v != v else v for k, v in vars(row).items()} for row in self.rows]
        return json.dumps({"protocol": self.protocol, "rows": rows}, indent=1)

    def figure(self) -> Any:
        """A figure of matplotlib: AUROC of each detector with its interval, a panel for each kind of positives."""
        from matplotlib.figure import Figure

        kinds = list(dict.fromkeys(row.positives for row in self.rows))
        figure = Figure(
            figsize=(3.2 + 2.6 * len(kinds), 1.4 + 0.28 * len(self.rows) / len(kinds)), layout="constrained"
        )
        for axes, kind in zip(np.atleast_1d(figure.subplots(1, len(kinds), sharex=True)), kinds, strict=True):
            rows = [row for row in self.rows if row.positives == kind][::-1]
            places = np.arange(len(rows))
            values = np.array([row.auroc for row in rows])
            spread = np.abs(np.array([[row.low, row.high] for row in rows]).T - values)
            axes.errorbar(values, places, xerr=spread, fmt="o", color="#20639b", ecolor="#9ab6cf")
            axes.axvline(50, color="#999999", linewidth=0.8, linestyle=":")
            axes.set_yticks(places, [row.detector for row in rows])
            axes.set_xlabel("AUROC, %")
            axes.set_title(f"{kind}: {rows[0].count} of {rows[0].count + rows[0].others}", fontsize="medium")
        return figure


def _interval(row: Row) -> str:
    return "-" if np.isnan(row.low) else f"[{row.low:.1f}, {row.high:.1f}]"


def evaluate_detectors(
    scores: Mapping[str, Any],
    labels: Mapping[str, Any],
    protocol: Protocol = "all",
    ci: Literal["bootstrap"] | None = "bootstrap",
    seed: int = 0,
) -> DetectorReport:
    """Judge detectors by labels of the same rows.

    Args:
        scores: detector -> (N,), higher is more suspicious.
        labels: type -> (N,) 0/1 or bool; a data frame does.
        protocol: see the module.
        ci: "bootstrap" draws rows 1,000 times; None = no intervals.
        seed: of these draws.

    Raises:
        InputError: lengths differ; a NaN among scores (with the rows); labels that are neither 0 nor 1; none at all.

    Example:
        >>> report = evaluate_detectors({"length": [3, 1, 2, 0]}, {"full": [1, 0, 0, 0]}, ci=None)
        >>> report.rows[0].auroc
        100.0
    """
    check_choice(protocol, ("all", "per_type", "whole"), "protocol")
    flags = _checked_labels(labels)
    size = len(next(iter(flags.values())))
    values = {name: _checked_scores(name, found, size) for name, found in scores.items()}
    anything = np.logical_or.reduce(list(flags.values()))
    kinds = {ANY: anything} if protocol == "all" else flags if protocol == "per_type" else {ANY: anything, **flags}
    rows: list[Row] = []
    for kind, positive in kinds.items():
        kept = positive | ~anything if protocol == "per_type" else np.ones(size, bool)
        found = [_row(name, kind, v[kept], positive[kept], ci, seed) for name, v in values.items()]
        rows += sorted(found, key=lambda row: -row.auroc if row.auroc == row.auroc else 0.0)
    return DetectorReport(protocol, tuple(rows))


def _row(name: str, kind: str, score: np.ndarray, positive: np.ndarray, ci: str | None, seed: int) -> Row:
    low = high = float("nan")
    count = int(positive.sum())
    if ci is not None and 0 < count < len(positive):
        drawn = _redrawn(score, positive, np.random.default_rng(seed))
        low, high = (100 * float(q) for q in np.nanquantile(drawn, ((1 - LEVEL) / 2, (1 + LEVEL) / 2)))
    judged = (100 * judge(score, positive) for judge in (auroc, fpr_at_recall, interpolated_precision))
    first, second, third = judged
    return Row(name, kind, count, len(positive) - count, first, low, high, second, third)


def _redrawn(score: np.ndarray, positive: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """AUROC of rows drawn with replacement, (DRAWS,); NaN where a draw holds one class only."""
    from scipy.stats import rankdata

    found = []
    for draws in np.array_split(np.arange(DRAWS), max(1, DRAWS * len(score) // PIECE)):
        rows = rng.integers(0, len(score), (len(draws), len(score)))
        flags = positive[rows]
        count = flags.sum(1)
        ranks = (rankdata(score[rows], axis=1) * flags).sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append((ranks - count * (count + 1) / 2) / (count * (len(score) - count)))
    return np.concatenate(found)


def interpolated_precision(scores: Any, positive: Any, recall: float = 0.9) -> float:
    """P@R90 as arXiv 2212.08597 has it: the threshold is the linear 10 % quantile of the positives' scores."""
    score, flags = np.asarray(scores, float), np.asarray(positive, bool)
    if not flags.any():
        return float("nan")
    return float(flags[score >= np.quantile(score[flags], 1 - recall)].mean())


def precision_and_recall(flagged: Any, positive: Any) -> tuple[float, float]:
    """Of a rule: the share of flagged rows that are positive (NaN if none is), of positive rows that are flagged."""
    flags, truth = np.asarray(flagged, bool), np.asarray(positive, bool)
    both = float((flags & truth).sum())
    return both / flags.sum() if flags.any() else float("nan"), both / max(1, int(truth.sum()))


def _checked_labels(labels: Mapping[str, Any]) -> dict[str, np.ndarray]:
    if not len(labels):
        raise InputError("labels", "must hold at least one type", "none")
    found = {}
    for name in labels:
        values = np.asarray(labels[name])
        if values.dtype == object or not np.isin(values.astype(float), (0, 1)).all():
            raise InputError(f"labels: {name}", "must be 0 or 1 in every row", str(values[:5].tolist()))
        found[str(name)] = values.astype(bool)
    if len({len(v) for v in found.values()}) > 1:
        raise InputError("labels", "must have one length", str({k: len(v) for k, v in found.items()}))
    return found


def _checked_scores(name: str, found: Any, size: int) -> np.ndarray:
    values = np.asarray(found, float)
    if values.shape != (size,):
        raise InputError(f"scores: {name}", f"must have one number for each of {size:,} rows", str(values.shape))
    if (wrong := np.isnan(values)).any():
        rows = ", ".join(map(str, np.flatnonzero(wrong)[:5]))
        raise InputError(f"scores: {name}", "must hold no NaN", f"{int(wrong.sum())} of them, in rows {rows}")
    return values


__all__ = [
    "DetectorReport",
    "Row",
    "evaluate_detectors",
    "interpolated_precision",
    "precision_and_recall",
]
