"""Claims about what a narrow model's best learning rate is worth in a wide one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from holdfast.experiment.claims import Region
from holdfast.experiment.claims.claim import amount, over_cells, sign
from holdfast.experiment.claims.scales import LOG2
from holdfast.experiment.claims.sweeps import BetweenSweeps

if TYPE_CHECKING:
    from holdfast.experiment import Experiment, RecordTable


@dataclass(frozen=True)
class _Transfer(BetweenSweeps):
    """What the claims here share: a sweep of `of` at `start` and `end` of `along`; lower values are better."""

    def losses(self, table: RecordTable, problem: str, point: Mapping[str, Any], arm: str, at: Any) -> dict[int, Any]:
        """Replicate -> log2 of the values over the grid of `of`, (K, ...), at one value of `along`."""
        import numpy as np

        direction = -sign(self, table)
        places = sorted(table.swept(problem, self.arms)[self.of])
        swept = [table.values(self.metric, arm, problem, {**point, self.along: at, self.of: p}) for p in places]
        common = set(swept[0]).intersection(*swept[1:])
        return {r: direction * np.stack([np.asarray(LOG2(s[r])) for s in swept]) for r in common}

    def unit(self, experiment: Experiment) -> str:
        return "log2 ratio"


@dataclass(frozen=True)
class CheaperTransfer(_Transfer):
    """Taking the best rate of a narrow model to a wide one costs less than it does with another arm.

    The cost of transfer is log2 of (loss at `end` with the rate that was best at `start`) over (the best loss at
    `end`); the effect is the other arm's cost minus this one's.

    Attributes:
        than: the other arm; margin: in log2 units (0.585 = by a factor of 1.5).
    """

    _: KW_ONLY
    than: str
    margin: float = 0.0
    asks: ClassVar[str] = "cheaper"

    def __post_init__(self) -> None:
        super().__post_init__()
        amount(self, "margin")

    @property
    def arms(self) -> tuple[str, ...]:
        return (self.arm, self.than)

    @property
    def region(self) -> Region:
        return Region.at_least(self.margin)

    def statistic(self, table: RecordTable) -> dict[int, Any]:
        def cell(problem: str, point: Mapping[str, Any]) -> dict[int, Any]:
            mine, other = (self._cost(table, problem, point, arm) for arm in (self.arm, self.than))
            return {r: other[r] - mine[r] for r in mine if r in other}

        return over_cells(self, table, cell, swept=(self.of, self.along))

    def _cost(self, table: RecordTable, problem: str, point: Mapping[str, Any], arm: str) -> dict[int, Any]:
        first = self.losses(table, problem, point, arm, self.start)
        last = self.losses(table, problem, point, arm, self.end)
        return {r: _taken(last[r], first[r]) - last[r].min(axis=0) for r in last if r in first}

    def sentence(self) -> str:
        moves = f"from {self.along} = {self.start} to {self.end}"
        by = f" by a factor of {2**self.margin:.3g}" if self.margin else ""
        return f"{self.arm}: taking the best {self.of} {moves} costs less than with {self.than}{by} ({self.where()})"


@dataclass(frozen=True)
class WiderIsBetter(_Transfer):
    """At the rate that is best for the narrow model, the wide one is no worse, up to a margin.

    Attributes:
        margin: in log2 units (0.07 = 5 %).
    """

    _: KW_ONLY
    margin: float = 0.0
    asks: ClassVar[str] = "lower"

    def __post_init__(self) -> None:
        super().__post_init__()
        amount(self, "margin", positive=True)

    @property
    def region(self) -> Region:
        return Region.at_most(self.margin)

    def statistic(self, table: RecordTable) -> dict[int, Any]:
        def cell(problem: str, point: Mapping[str, Any]) -> dict[int, Any]:
            first = self.losses(table, problem, point, self.arm, self.start)
            last = self.losses(table, problem, point, self.arm, self.end)
            return {r: _taken(last[r], first[r]) - first[r].min(axis=0) for r in last if r in first}

        return over_cells(self, table, cell, swept=(self.of, self.along))

    def sentence(self) -> str:
        return (
            f"{self.arm}: at the best {self.of} of {self.along} = {self.start}, {self.along} = {self.end} is no "
            f"worse by {100 * (2**self.margin - 1):.0f} % or more ({self.where()})"
        )


def _taken(values: Any, chosen_by: Any) -> Any:
    """Of (K, ...) values those at the lowest of other ones."""
    import numpy as np

    return np.take_along_axis(values, chosen_by.argmin(axis=0)[None], axis=0)[0]


__all__ = ["CheaperTransfer", "WiderIsBetter"]
