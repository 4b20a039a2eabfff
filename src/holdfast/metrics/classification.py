"""How good predictions on labelled images are: accuracy with its interval, per class, and what is taken for what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Share:
    """k of n, with a 95 % interval for the probability behind it."""

    k: int
    n: int

    @property
    def value(self) -> float:
        """k / n; NaN of nothing."""
        return self.k / self.n if self.n else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """Exact (Clopper-Pearson) interval; it holds at least 95 %, also for few cases and shares of 0 or 1.

        Example:
            >>> [round(x, 3) for x in Share(9, 10).interval]
            [0.555, 0.997]
        """
        from scipy.stats import beta

        low = beta.ppf(0.025, self.k, self.n - self.k + 1) if self.k else 0.0
        high = beta.ppf(0.975, self.k + 1, self.n - self.k) if self.k < self.n else 1.0
        return float(low), float(high)


@dataclass(frozen=True)
class Evaluation:
    """Predictions against labels.

    Attributes:
        classes: names, in the order of the matrix.
        matrix: (K, K) whole numbers; row = true class, column = prediction.
    """

    classes: tuple[str, ...]
    matrix: np.ndarray

    @classmethod
    def of(cls, classes: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> Evaluation:
        """From class indices (N,) and (N,)."""
        k = len(classes)
        counts = np.bincount(true * k + predicted, minlength=k * k).reshape(k, k)
        return cls(tuple(str(c) for c in classes), counts)

    @property
    def accuracy(self) -> Share:
        """Share of all images that are right."""
        return Share(int(np.trace(self.matrix)), int(self.matrix.sum()))

    def recall(self, k: int) -> Share:
        """Share of the images of class k that are recognised."""
        return Share(int(self.matrix[k, k]), int(self.matrix[k].sum()))

    def precision(self, k: int) -> Share:
        """Share of the predictions "k" that are right."""
        return Share(int(self.matrix[k, k]), int(self.matrix[:, k].sum()))

    def present(self) -> list[int]:
        """Classes that occur, as labels or as predictions."""
        return [k for k in range(len(self.classes)) if self.matrix[k].any() or self.matrix[:, k].any()]

    def confusions(self) -> list[tuple[str, str, int]]:
        """(true, predicted, how often) for every mistake, most frequent first."""
        wrong = self.matrix - np.diag(np.diag(self.matrix))
        order = np.argsort(-wrong, axis=None, kind="stable")[: int((wrong > 0).sum())]
        pairs = [(int(i // len(self.classes)), int(i % len(self.classes))) for i in order]
        return [(self.classes[i], self.classes[j], int(wrong[i, j])) for i, j in pairs]

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values; undefined shares are null."""

        def share(s: Share) -> dict[str, Any]:
            return {"correct": s.k, "of": s.n, "value": s.value if s.n else None, "interval": list(s.interval)}

        return {
            "accuracy": share(self.accuracy),
            "confidence": 0.95,
            "classes": [
                {"class": c, "recall": share(self.recall(k)), "precision": share(self.precision(k))}
                for k, c in enumerate(self.classes)
            ],
            "confusion": {"classes": list(self.classes), "rows": "true class", "matrix": self.matrix.tolist()},
        }


__all__ = ["Evaluation", "Share"]
