"""Where an effect must lie for a claim to hold, and how an interval is judged against it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from holdfast.errors import InputError

Place = Literal["inside", "outside", "astride"]


@dataclass(frozen=True)
class Region:
    """The open interval (lo, hi); either end may be infinite.

    Example:
        >>> Region.at_least(5).judge(5.2, 9.0), Region.at_least(5).judge(1.0, 5.0), Region.within(1).judge(-0.5, 1.5)
        ('inside', 'outside', 'astride')
    """

    lo: float = -math.inf
    hi: float = math.inf

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "lo", float(self.lo))
            object.__setattr__(self, "hi", float(self.hi))
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError("region", "needs two numbers", (self.lo, self.hi)) from error
        if not self.lo < self.hi or not (math.isfinite(self.lo) or math.isfinite(self.hi)):
            raise InputError("region", "needs lo < hi, at least one of them finite", (self.lo, self.hi))

    @classmethod
    def at_least(cls, lo: float) -> Region:
        """(lo, inf)."""
        return cls(lo=lo)

    @classmethod
    def at_most(cls, hi: float) -> Region:
        """(-inf, hi)."""
        return cls(hi=hi)

    @classmethod
    def within(cls, margin: float, around: float = 0.0) -> Region:
        """(around - margin, around + margin)."""
        return cls(around - margin, around + margin)

    @property
    def one_sided(self) -> bool:
        """Whether one end is infinite."""
        return math.isinf(self.lo) or math.isinf(self.hi)

    @property
    def ends(self) -> tuple[float, float] | None:
        """(lo, hi) for records and figures."""
        return self.lo, self.hi

    def judge(self, lo: float, hi: float) -> Place:
        """Where the closed interval [lo, hi] lies.

        An interval that touches the region's edge from outside is outside, because the edge is no part of the region;
        an interval that sticks out on either side is astride, however little.
        """
        return "inside" if self.contains(lo, hi) else "outside" if self.excludes(lo, hi) else "astride"

    def contains(self, lo: Any, hi: Any) -> Any:
        """Whether [lo, hi] lies inside; elementwise for arrays."""
        return (self.lo < lo) & (hi < self.hi)

    def excludes(self, lo: Any, hi: Any) -> Any:
        """Whether [lo, hi] lies outside; elementwise for arrays."""
        return (hi <= self.lo) | (lo >= self.hi)

    def distance(self, effect: float) -> float:
        """How far an effect is from the nearest edge, on either side of it."""
        return min(abs(effect - self.lo), abs(effect - self.hi))

    def words(self) -> str:
        """`at least 5`, `between -1 and 1`."""
        if math.isinf(self.hi):
            return f"at least {self.lo:g}"
        return f"at most {self.hi:g}" if math.isinf(self.lo) else f"between {self.lo:g} and {self.hi:g}"


@dataclass(frozen=True)
class Tolerance:
    """|effect| <= tol, the ends included: for effects that no chance is involved in."""

    tol: float

    one_sided = False

    @property
    def ends(self) -> tuple[float, float] | None:
        """(-tol, tol)."""
        return -self.tol, self.tol

    def judge(self, lo: float, hi: float) -> Place:
        """Where the closed interval [lo, hi] lies."""
        if -self.tol <= lo and hi <= self.tol:
            return "inside"
        return "outside" if hi < -self.tol or lo > self.tol else "astride"

    def distance(self, effect: float) -> float:
        """How far an effect is from the nearest end."""
        return abs(abs(effect) - self.tol)

    def words(self) -> str:
        """`equal to 0.001`."""
        return f"equal to {self.tol:g}" if self.tol else "equal"


@dataclass(frozen=True)
class Apart:
    """Everything except one value. An interval can lie inside (it excludes the value) but never outside.

    A finite sample cannot show that an effect is exactly a value; to claim that nothing differs by more than a margin,
    use a two-sided `Region`.
    """

    value: float = 0.0

    one_sided = False
    ends = None

    def judge(self, lo: float, hi: float) -> Place:
        """`inside` where the closed interval [lo, hi] excludes the value, else `astride`."""
        return "inside" if lo > self.value or hi < self.value else "astride"

    def distance(self, effect: float) -> float:
        """How far an effect is from the value."""
        return abs(effect - self.value)

    def words(self) -> str:
        """`different from 0`."""
        return f"different from {self.value:g}"
