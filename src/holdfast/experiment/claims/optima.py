"""Where on a grid of swept values the best one lies."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from holdfast.experiment.claims.scales import LINEAR, Axis


class Optimum(ABC):
    """Finds the lowest point of values measured on a grid. Subclasses are frozen dataclasses."""

    @abstractmethod
    def __call__(self, at: Any, values: Any) -> Any:
        """Coordinate of the minimum; NaN where the lowest value is the first or last one, as it may lie beyond.

        Args:
            at: (K,) coordinates, rising.
            values: (K, ...) values, one column per replicate or resampled table.
        """


@dataclass(frozen=True)
class GridPoint(Optimum):
    """The coordinate with the lowest value.

    Example:
        >>> import numpy as np
        >>> float(GridPoint()(np.array([0.0, 1.0, 2.0]), np.array([3.0, 1.0, 2.0])))
        1.0
    """

    def __call__(self, at: Any, values: Any) -> Any:
        import numpy as np

        best = np.argmin(values, axis=0)
        return np.where((best > 0) & (best < len(at) - 1), at[best], np.nan)[()]


@dataclass(frozen=True)
class Parabola(Optimum):
    """The vertex of the parabola through the lowest value and its neighbours: less noisy than the grid allows.

    The grid must be even. A parabola through three points of which the middle one is lowest has its vertex within half
    a step of it.

    Attributes:
        values: the scale on which values are read, such as `Log2()` for losses.

    Example:
        >>> import numpy as np
        >>> float(Parabola()(np.array([0.0, 1.0, 2.0]), np.array([2.0, 1.0, 1.5])))
        1.1666666666666667
    """

    values: Axis = LINEAR

    def __call__(self, at: Any, values: Any) -> Any:
        import numpy as np

        y = np.asarray(self.values(np.asarray(values, float)))
        best = np.argmin(y, axis=0)
        inside = (best > 0) & (best < len(at) - 1)
        middle = np.clip(best, 1, len(at) - 2)
        left, centre, right = (np.take_along_axis(y, (middle + i)[None], axis=0)[0] for i in (-1, 0, 1))
        curvature = left - 2 * centre + right
        with np.errstate(divide="ignore", invalid="ignore"):
            move = np.where(curvature > 0, (left - right) / (2 * curvature), 0.0)
        return np.where(inside, at[middle] + move * (at[1] - at[0]), np.nan)[()]


GRID_POINT = GridPoint()

__all__ = ["GRID_POINT", "GridPoint", "Optimum", "Parabola"]
