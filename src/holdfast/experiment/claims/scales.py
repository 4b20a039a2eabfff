"""How two values are compared, and on which scale a swept parameter is read: parts that claims are given.

All of it is elementwise arithmetic on floats or numpy arrays, so that a claim's statistic can be computed for one table
or for thousands of resampled ones at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any


class Compare(ABC):
    """Makes one effect of two values of a metric. Subclasses are frozen dataclasses."""

    @abstractmethod
    def __call__(self, a: Any, b: Any) -> Any:
        """The effect of having a instead of b, 0 where both are equal, positive where a is larger."""

    @abstractmethod
    def unit(self, metric_unit: str) -> str:
        """Unit of the effect, given that of the metric."""


@dataclass(frozen=True)
class Difference(Compare):
    """a - b. Differences of percentages are in points.

    Example:
        >>> Difference()(81.0, 73.0), Difference().unit("%"), Difference().unit("s")
        (8.0, 'points', 's')
    """

    def __call__(self, a: Any, b: Any) -> Any:
        return a - b

    def unit(self, metric_unit: str) -> str:
        return "points" if metric_unit == "%" else metric_unit


@dataclass(frozen=True)
class LogRatio(Compare):
    """log2(a / b): 1 is twice as much, -1 half as much. NaN unless both are positive.

    Example:
        >>> float(LogRatio()(8.0, 2.0))
        2.0
    """

    def __call__(self, a: Any, b: Any) -> Any:
        return Log2()(a) - Log2()(b)

    def unit(self, metric_unit: str) -> str:
        return "log2 ratio"


class Axis(ABC):
    """The scale on which values are read. Subclasses are frozen dataclasses."""

    @abstractmethod
    def __call__(self, value: Any) -> Any:
        """The coordinate of a value."""

    @abstractmethod
    def unit(self, name: str) -> str:
        """Unit of a distance on this axis, for a parameter or metric unit of that name."""


@dataclass(frozen=True)
class Linear(Axis):
    """The value itself."""

    def __call__(self, value: Any) -> Any:
        return value

    def unit(self, name: str) -> str:
        return name


@dataclass(frozen=True)
class Log2(Axis):
    """log2 of the value: a step of 1 is a doubling. NaN unless the value is positive.

    Example:
        >>> float(Log2()(8.0)), float(Log2()(-1.0))
        (3.0, nan)
    """

    def __call__(self, value: Any) -> Any:
        import numpy as np

        value = np.asarray(value, float)
        return np.log2(value, out=np.full_like(value, np.nan), where=value > 0)[()]

    def unit(self, name: str) -> str:
        return f"log2 {name}".strip()


DIFFERENCE, LINEAR, LOG2 = Difference(), Linear(), Log2()
