"""Claims that compare arms with each other or with a number."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from holdfast.errors import InputError
from holdfast.experiment.claims.claim import Claim, Measured, amount, over_cells, sign, unique
from holdfast.experiment.claims.regions import Apart, Region, Tolerance
from holdfast.experiment.claims.scales import DIFFERENCE, Compare
from holdfast.fields import check_kind

if TYPE_CHECKING:
    from holdfast.experiment import Experiment, RecordTable


@dataclass(frozen=True)
class Pairwise(Measured):
    """An arm against one other arm, or against a number: what the claims below share.

    Attributes:
        arm: name of the arm.
        compare: what the effect is. Positive always means that `arm` is better.
        against: name of the field that holds the other arm or the number.
    """

    arm: str
    _: KW_ONLY
    compare: Compare = DIFFERENCE
    against: ClassVar[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        check_kind(self.compare, Compare, "compare")
        _distinct(self.against, self.arm, self.opponent)

    @property
    def opponent(self) -> str | float:
        """The other arm, or the number."""
        found: str | float = getattr(self, self.against)
        return found

    @property
    def arms(self) -> tuple[str, ...]:
        return unique((self.arm, self.opponent))

    def statistic(self, table: RecordTable) -> dict[int, Any]:
        return effects(self, table, self.arm, self.opponent, self.compare)

    def unit(self, experiment: Experiment) -> str:
        return self.compare.unit(experiment.metrics[self.metric].unit)


@dataclass(frozen=True)
class Better(Pairwise):
    """The arm is better than another arm, or than a number, by at least a margin.

    Attributes:
        than: name of the other arm, or a number in the metric's unit (a level to be passed: useful in `requires`).
        margin: in the unit of the effect: points for percentages, log2 units (1 = twice) with `compare=LogRatio()`.
    """

    _: KW_ONLY
    than: str | float
    margin: float = 0.0
    against: ClassVar[str] = "than"

    def __post_init__(self) -> None:
        super().__post_init__()
        amount(self, "margin")

    @property
    def region(self) -> Region:
        return Region.at_least(self.margin)

    def sentence(self) -> str:
        by = f" by at least {self.margin:g}" if self.margin else ""
        return f"{self.arm} is better than {_named(self.than)}{by} ({self.where()})"

    def margin_words(self) -> str:
        return f"by the claimed {self.margin:g}"


@dataclass(frozen=True)
class NoWorse(Pairwise):
    """The arm is not worse than another arm, or than a number, by as much as a margin. Fields as in `Better`."""

    _: KW_ONLY
    than: str | float
    margin: float
    against: ClassVar[str] = "than"

    def __post_init__(self) -> None:
        super().__post_init__()
        amount(self, "margin", positive=True)

    @property
    def region(self) -> Region:
        return Region.at_least(-self.margin)

    def sentence(self) -> str:
        return f"{self.arm} is no worse than {_named(self.than)} by {self.margin:g} or more ({self.where()})"

    def margin_words(self) -> str:
        return f"worse by less than {self.margin:g}"


@dataclass(frozen=True)
class Near(Pairwise):
    """The arm lies within a margin of another arm, or of a number, on either side."""

    _: KW_ONLY
    to: str | float
    margin: float
    against: ClassVar[str] = "to"

    def __post_init__(self) -> None:
        super().__post_init__()
        amount(self, "margin", positive=True)

    @property
    def region(self) -> Region:
        return Region.within(self.margin)

    def sentence(self) -> str:
        return f"{self.arm} is within {self.margin:g} of {_named(self.to)} ({self.where()})"

    def margin_words(self) -> str:
        return f"within {self.margin:g}"


@dataclass(frozen=True)
class Differs(Pairwise):
    """Two arms differ at all. As a negative control, an arm against itself with other seeds must not be found to.

    It can be found or remain undecided, but never be refuted: see `Apart`.
    """

    other: str
    asks: ClassVar[str] = "better"
    against: ClassVar[str] = "other"

    @property
    def region(self) -> Apart:
        return Apart(0.0)

    def sentence(self) -> str:
        return f"{self.arm} and {self.other} differ ({self.where()})"

    def margin_words(self) -> str:
        return "different"


@dataclass(frozen=True)
class Exact(Measured):
    """The arm gives a value, or what another arm gives, to a tolerance, in every single replicate.

    For identities and recomputed published numbers: nothing here is left to chance, so one replicate is enough and no
    interval of confidence is involved. |difference| <= tol, the ends included.
    """

    arm: str
    value: str | float
    _: KW_ONLY
    tol: float = 0.0
    asks: ClassVar[str] = "different"
    sampled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        amount(self, "tol")
        _distinct("value", self.arm, self.value)

    @property
    def arms(self) -> tuple[str, ...]:
        return unique((self.arm, self.value))

    @property
    def region(self) -> Tolerance:
        return Tolerance(self.tol)

    def statistic(self, table: RecordTable) -> dict[int, Any]:
        return effects(self, table, self.arm, self.value, DIFFERENCE, oriented=False)

    def unit(self, experiment: Experiment) -> str:
        return DIFFERENCE.unit(experiment.metrics[self.metric].unit)

    def sentence(self) -> str:
        within = f" to {self.tol:g}" if self.tol else " exactly"
        return f"{self.arm} equals {_named(self.value)}{within} ({self.where()})"


@dataclass(frozen=True)
class ShareOfGap(Measured):
    """The arm closes at least a share of the gap between a floor and a ceiling.

    A ratio of differences per replicate has no finite mean where the gap can come near zero, so the effect tested is
    the linear combination (arm - floor) - at_least * (ceiling - floor), which is positive exactly where the share is
    passed; the ratio of means is printed beside it. That the gap exists is a precondition.
    """

    arm: str
    _: KW_ONLY
    floor: str
    ceiling: str
    at_least: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        amount(self, "at_least")
        _distinct("ceiling", self.floor, self.ceiling)

    @property
    def arms(self) -> tuple[str, ...]:
        return unique((self.arm, self.floor, self.ceiling))

    @property
    def region(self) -> Region:
        return Region.at_least(0.0)

    @property
    def preconditions(self) -> tuple[Claim, ...]:
        gap = Better(self.ceiling, than=self.floor, metric=self.metric, on=self.on, at=self.at)
        return (*self.requires, gap)

    def statistic(self, table: RecordTable) -> dict[int, Any]:
        closed = effects(self, table, self.arm, self.floor, DIFFERENCE)
        gap = effects(self, table, self.ceiling, self.floor, DIFFERENCE)
        return {r: closed[r] - self.at_least * gap[r] for r in closed if r in gap}

    def unit(self, experiment: Experiment) -> str:
        return DIFFERENCE.unit(experiment.metrics[self.metric].unit)

    def sentence(self) -> str:
        return (
            f"{self.arm} closes at least {_percent(self.at_least)} of the gap from {self.floor} to {self.ceiling}"
            + (f" ({self.where()})")
        )

    def margin_words(self) -> str:
        return f"at least {_percent(self.at_least)} of the gap"

    def remark(self, table: RecordTable) -> str:
        closed = effects(self, table, self.arm, self.floor, DIFFERENCE)
        gap = effects(self, table, self.ceiling, self.floor, DIFFERENCE)
        both = [r for r in closed if r in gap]
        total = sum(gap[r] for r in both)
        return f"{_percent(sum(closed[r] for r in both) / total)} of the gap closed" if total > 0 else ""


# ------------------------------------------------------------------------------------------------- arithmetic
def effects(
    claim: Measured, table: RecordTable, arm: str, other: str | float, compare: Compare, *, oriented: bool = True
) -> dict[int, Any]:
    """Replicate -> effect of `arm` against `other` (an arm or a number), averaged over the claim's problems.

    Args:
        oriented: make positive mean "better" where lower values are better.
    """
    direction = sign(claim, table) if oriented else 1.0

    def cell(problem: str, point: Mapping[str, Any]) -> dict[int, Any]:
        a = table.values(claim.metric, arm, problem, point)
        if not isinstance(other, str):
            return {r: direction * compare(a[r], float(other)) for r in a}
        b = table.values(claim.metric, other, problem, point)
        return {r: direction * compare(a[r], b[r]) for r in a if r in b}

    return over_cells(claim, table, cell)


def _distinct(argument: str, arm: str, other: str | float) -> None:
    if isinstance(other, bool) or not isinstance(other, str | int | float) or _unbounded(other):
        raise InputError(argument, "must be the name of an arm or a finite number", other)
    if arm == other:
        raise InputError(argument, "must differ from the arm it is compared with", other)


def _unbounded(other: str | float) -> bool:
    return not isinstance(other, str) and not abs(other) <= sys.float_info.max


def _named(other: str | float) -> str:
    return other if isinstance(other, str) else f"{other:g}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
