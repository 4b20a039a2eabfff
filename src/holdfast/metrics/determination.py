"""R2, the coefficient of determination, over points that come in sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from holdfast.experiment import Metric


@dataclass(frozen=True)
class R2(Metric):
    """1 - (sum of squared errors) / (sum of squares about the mean), over the points of all cases.

    A case (a set, a series, a file) is four numbers, as `r2_case` gives them: R2 is a function of their means over
    cases, but no mean of R2s.

    Example:
        >>> cases = [r2_case([1.0, 2.0], [1.0, 2.5]), r2_case([6.0], [6.5])]
        >>> round(R2().of_cases(np.array(cases)), 4)
        0.9643
    """

    def of_mean(self, mean: Any) -> Any:
        count, total, squares, errors = (mean[..., i] for i in range(4))
        return 1 - errors / (squares - total**2 / count)


def r2_case(y: Any, predicted: Any) -> tuple[float, float, float, float]:
    """Number of points, sum of y, sum of y^2, sum of squared errors, from two arrays of one shape."""
    y, predicted = np.asarray(y, np.float64), np.asarray(predicted, np.float64)
    return float(y.size), float(y.sum()), float((y**2).sum()), float(((predicted - y) ** 2).sum())


__all__ = ["R2", "r2_case"]
