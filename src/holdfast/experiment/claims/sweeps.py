"""Claims about how a metric moves along a swept parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from holdfast.errors import InputError
from holdfast.experiment.claims.claim import Measured, known, over_cells, sign
from holdfast.experiment.claims.optima import GRID_POINT, Optimum
from holdfast.experiment.claims.regions import Region
from holdfast.experiment.claims.scales import LINEAR, LOG2, Axis
from holdfast.fields import check_kind

if TYPE_CHECKING:
    from holdfast.experiment import Experiment, RecordTable


@dataclass(frozen=True)
class BetweenSweeps(Measured):
    """What claims share that compare a sweep of one parameter at two values of another one.

    Attributes:
        of: the parameter that is swept.
        along, start, end: the parameter that changes, and its two values.
    """

    arm: str
    _: KW_ONLY
    of: str
    along: str
    start: Any
    end: Any

    @property
    def arms(self) -> tuple[str, ...]:
        return (self.arm,)

    def reads(self) -> dict[str, tuple[Any, ...]]:
        return {**super().reads(), self.along: (self.start, self.end)}

    def check(self, experiment: Experiment) -> None:
        super().check(experiment)
        known("of", self.of, experiment.points)
        known("along", self.along, experiment.points)
        _free(self, self.of, self.along)
        for name, value in (("start", self.start), ("end", self.end)):
            if value not in experiment.points[self.along]:
                raise InputError(name, f"must be one of {list(experiment.points[self.along])}", value)


@dataclass(frozen=True)
class ShiftOfArgmin(BetweenSweeps):
    """How far the best value of one swept parameter moves between two values of another one.

    "The best learning rate at width 1024 is that of width 64, to a factor of 2":
    `ShiftOfArgmin("muP", of="lr", along="width", start=64, end=1024, target=Region.within(1), ...)`.

    The optimum is where the metric is best (argmin where lower is better, else argmax), found by `optimum`. Where it
    lies at the end of the grid the true one may lie beyond, so that the replicate has no defined shift and counts as
    failed: sweep wider.

    Attributes:
        of: the parameter whose optimum is looked for.
        along, start, end: the parameter that changes, and its two values.
        target: where the shift (at `end` minus at `start`) must lie.
        axis: the scale of `of`: `Log2()` (a shift of 1 is a doubling) or `Linear()`.
        optimum: how it is found from the values on the grid: `GridPoint()` or `Parabola()`.
    """

    _: KW_ONLY
    target: Region
    axis: Axis = LOG2
    optimum: Optimum = GRID_POINT
    asks: ClassVar[str] = "moves up"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_kind(self.target, Region, "target")
        check_kind(self.axis, Axis, "axis")
        check_kind(self.optimum, Optimum, "optimum")

    @property
    def region(self) -> Region:
        return self.target

    def statistic(self, table: RecordTable) -> dict[int, Any]:
        import numpy as np

        direction = sign(self, table)

        def optimum(problem: str, point: Mapping[str, Any], value: Any) -> dict[int, Any]:
            places = sorted(table.swept(problem, self.arms)[self.of])
            if len(places) < 3:
                return {}
            at = np.asarray(self.axis(np.asarray(places, float)))
            swept = [
                table.values(self.metric, self.arm, problem, {**point, self.along: value, self.of: place})
                for place in places
            ]
            out = {}
            for replicate in set(swept[0]).intersection(*swept[1:]):
                values = np.stack([np.asarray(s[replicate], float) for s in swept])
                out[replicate] = self.optimum(at, values if direction < 0 else -values)
            return out

        def cell(problem: str, point: Mapping[str, Any]) -> dict[int, Any]:
            first, last = optimum(problem, point, self.start), optimum(problem, point, self.end)
            return {r: last[r] - first[r] for r in last if r in first}

        return over_cells(self, table, cell, swept=(self.of, self.along))

    def unit(self, experiment: Experiment) -> str:
        return self.axis.unit(self.of)

    def sentence(self) -> str:
        moves = f"from {self.along} = {self.start} to {self.end}"
        return f"{self.arm}: the best {self.of} moves by {self.target.words()} {moves} ({self.where()})"

    def check(self, experiment: Experiment) -> None:
        super().check(experiment)
        if len(experiment.points[self.of]) < 3:
            raise InputError("of", "needs at least 3 values in the sweep, or no optimum lies inside", self.of)


@dataclass(frozen=True)
class Slope(Measured):
    """The least-squares slope of a metric over a swept parameter, one per replicate. Not oriented: up is positive.

    A power law y = c x^k is a slope k on two logarithmic axes: `Slope("method", against="n", target=Region.at_most(1),
    x=Log2(), y=Log2(), ...)`. Values with no logarithm make the replicate count as failed.

    Attributes:
        against: the swept parameter on the horizontal axis.
        target: where the slope must lie.
        x, y: the axes.
    """

    arm: str
    _: KW_ONLY
    against: str
    target: Region
    x: Axis = LINEAR
    y: Axis = LINEAR
    asks: ClassVar[str] = "rising"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_kind(self.target, Region, "target")
        check_kind(self.x, Axis, "x")
        check_kind(self.y, Axis, "y")

    @property
    def arms(self) -> tuple[str, ...]:
        return (self.arm,)

    @property
    def region(self) -> Region:
        return self.target

    def statistic(self, table: RecordTable) -> dict[int, Any]:
        import numpy as np

        def cell(problem: str, point: Mapping[str, Any]) -> dict[int, Any]:
            places = list(table.swept(problem, self.arms)[self.against])
            x = np.asarray(self.x(np.asarray(places, float)))
            weights = (x - x.mean()) / np.sum((x - x.mean()) ** 2)  # slope = sum of weights * y
            swept = [table.values(self.metric, self.arm, problem, {**point, self.against: place}) for place in places]
            return {
                replicate: sum(w * self.y(s[replicate]) for w, s in zip(weights, swept, strict=True))
                for replicate in set(swept[0]).intersection(*swept[1:])
            }

        return over_cells(self, table, cell, swept=(self.against,))

    def unit(self, experiment: Experiment) -> str:
        top = self.y.unit(experiment.metrics[self.metric].unit)
        return f"{top or '1'} per {self.x.unit(self.against)}"

    def sentence(self) -> str:
        return f"{self.arm}: the slope over {self.against} is {self.target.words()} ({self.where()})"

    def check(self, experiment: Experiment) -> None:
        super().check(experiment)
        known("against", self.against, experiment.points)
        _free(self, self.against)
        if len(set(experiment.points[self.against])) < 2:
            raise InputError("against", "needs at least 2 values in the sweep", self.against)


def _free(claim: Measured, *swept: str) -> None:
    """Raise InputError if `at` fixes a parameter that the claim itself runs over, or two of them are the same."""
    if fixed := [name for name in swept if name in claim.at]:
        raise InputError("at", "must not fix a parameter that the claim sweeps", fixed[0])
    if len(set(swept)) < len(swept):
        raise InputError("along", "must be another parameter than the one whose optimum is looked for", swept[0])
