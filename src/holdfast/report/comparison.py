"""Two or more runs against the first of them: means, differences, verdicts and costs, cell by cell."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from holdfast.decision.intervals import t_interval, welch_interval
from holdfast.errors import InputError
from holdfast.experiment import Metric
from holdfast.report.summary import Spread, arm_rows
from holdfast.report.wording import is_finite
from holdfast.trials.results import Results

CONFIDENCE = 0.95
LETTERS = "ABCDEFGH"
EVERY_POINT = "mean over points"

Values = dict[int | None, float]  # replicate -> value; None is the single trial of a deterministic arm


@dataclass(frozen=True)
class Side:
    """One of the compared runs.

    Attributes:
        letter: what it is called in tables and figures.
        name: what the user called it.
        problems: problem of this run -> the name it is compared under. They differ where the runs share no problem and
            the one of each headline stands for the other.
    """

    letter: str
    name: str
    results: Results
    problems: Mapping[str, str]

    @cached_property
    def renamed(self) -> dict[str, str]:
        """Only those problems that are compared under another's name."""
        return {own: shared for own, shared in self.problems.items() if own != shared}


@dataclass(frozen=True)
class Difference:
    """A run's mean minus the first run's.

    Attributes:
        mean: over the pairs where paired, else of the two means.
        interval: at 95 %: Student's t over the pairs, Welch's where unpaired; None with too few replicates. Where
            replicates re-split one pool the standard error is corrected for it, as in verdicts.
        n: number of pairs; where unpaired, of replicates of either run.
        values: replicate -> difference, where paired.
    """

    mean: float
    interval: tuple[float, float] | None
    n: tuple[int, ...]
    values: Mapping[int | None, float]

    @property
    def paired(self) -> bool:
        """Whether replicates were matched."""
        return bool(self.values)

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]

    @property
    def how(self) -> str:
        """`8 pairs`, `unpaired, 8 and 16`."""
        if not self.paired:
            return f"unpaired, {' and '.join(map(str, self.n))}"
        return "1 pair" if self.n == (1,) else f"{self.n[0]} pairs"


@dataclass(frozen=True)
class Row:
    """One arm, problem, point and metric in every run.

    Attributes:
        point: in words; "" where nothing is swept, `EVERY_POINT` for the mean over the points that the runs share.
        spreads: per run; None where it has no value there.
        differences: per run, None for the first and wherever one of the two has no value.
    """

    arm: str
    problem: str
    point: str
    metric: str
    spreads: tuple[Spread | None, ...]
    differences: tuple[Difference | None, ...]


@dataclass(frozen=True)
class CostRow:
    """A cost of an arm on a problem, in every run; None where it was not recorded."""

    arm: str
    problem: str
    cost: str
    spreads: tuple[Spread | None, ...]

    def ratio(self, place: int) -> float:
        """Mean of a run as a multiple of the first run's; NaN where either is missing or the first is zero."""
        first, other = self.spreads[0], self.spreads[place]
        return other.mean / first.mean if first and other and first.mean else math.nan


@dataclass(frozen=True)
class Comparison:
    """What `compare` found; see `holdfast.report.matching` for verdicts and provenance."""

    sides: tuple[Side, ...]
    rows: tuple[Row, ...]
    costs: tuple[CostRow, ...]

    @property
    def first(self) -> Side:
        """The run that the others are compared with."""
        return self.sides[0]

    @property
    def others(self) -> tuple[Side, ...]:
        """All runs but the first."""
        return self.sides[1:]

    @cached_property
    def problems(self) -> list[str]:
        """Names that problems are compared under."""
        return list(dict.fromkeys(row.problem for row in self.rows))

    @cached_property
    def arms(self) -> list[str]:
        """Every arm of every run, in the order of declaration; gives each its mark."""
        return list(dict.fromkeys(a for s in self.sides for a in (*s.results.experiment.arms, *s.results.every_arm)))

    def metrics(self, problem: str) -> list[str]:
        """Metrics compared on a problem."""
        return list(dict.fromkeys(row.metric for row in self.rows if row.problem == problem))

    def metric(self, name: str) -> Metric:
        """Its declaration in the first run that has it."""
        return next((s.results.metric(name) for s in self.sides if name in s.results.metrics), Metric())

    def overall(self, problem: str, metric: str) -> list[Row]:
        """One row per arm: the mean over points where several were swept."""
        found: dict[str, Row] = {}
        for row in self.rows:
            if row.problem == problem and row.metric == metric and (row.arm not in found or row.point == EVERY_POINT):
                found[row.arm] = row
        return list(found.values())

    def judged(self) -> tuple[int, int]:
        """How many differences have an interval, and how many of these leave zero out; means over points do not count
        again."""
        found = [d for r in self.rows if r.point != EVERY_POINT for d in r.differences if d and d.interval]
        return len(found), sum(d.clear for d in found)


def compare(runs: Sequence[tuple[str, Results]]) -> Comparison:
    """Compare every run with the first.

    Args:
        runs: what the user called each, and its results; 2 to 8.

    Raises:
        InputError: too few or too many runs, or one that has nothing in common with the first.
    """
    if not 2 <= len(runs) <= len(LETTERS):
        raise InputError("runs", f"must be 2 to {len(LETTERS)} to be compared", len(runs))
    sides = tuple(
        Side(letter, name, results, _problems(runs[0], (name, results)))
        for letter, (name, results) in zip(LETTERS, runs, strict=False)
    )
    rows = tuple(_rows(sides))
    for place, side in enumerate(sides[1:], start=1):
        if not any(row.differences[place] for row in rows):
            raise _nothing_shared(runs[0], (side.name, side.results))
    return Comparison(sides, rows, tuple(_costs(sides)))


def _problems(first: tuple[str, Results], other: tuple[str, Results]) -> dict[str, str]:
    """Names of the other's problems in the comparison: their own, or the first headline's for the other headline's."""
    mine, theirs = first[1], other[1]
    if not theirs.problems or set(mine.problems) & set(theirs.problems):
        return {problem: problem for problem in theirs.problems}
    ours, its = _main(mine), _main(theirs)
    if ours is None or its is None:
        raise _nothing_shared(first, other)
    return {its: ours}


def _main(results: Results) -> str | None:
    """The problem of the headline, or the only one."""
    found = results.named_in_headline(results.problems) or results.problems
    return found[0] if len(found) == 1 else None


def _nothing_shared(first: tuple[str, Results], other: tuple[str, Results]) -> InputError:
    rule = f"must have an arm, a problem, a point and a metric in common with {first[0]}"
    return InputError(other[0], rule, f"{_summary(other[1])}; there {_summary(first[1])}")


def _summary(results: Results) -> str:
    if not results.finished:
        return "no finished trial"
    return f"{len(results.every_arm)} arms of {results.system} on {', '.join(results.problems)}"


# --------------------------------------------------------------------------------------------------------------- rows
Cells = dict[tuple[str, str, str], dict[str, Values]]  # (problem, arm, metric) -> point as JSON -> values


def _cells(side: Side) -> Cells:
    found: Cells = {}
    for record in side.results.finished:
        problem = side.problems.get(record.problem)
        if problem is not None:
            point = json.dumps(record.point, sort_keys=True)
            for metric, value in record.scalars.items():
                cell = found.setdefault((problem, record.arm, metric), {})
                cell.setdefault(point, {})[record.replicate] = value
    return found


def _rows(sides: Sequence[Side]) -> Iterable[Row]:
    """In declared order: problems, metrics, arms, points; only what two runs have."""
    cells = [_cells(side) for side in sides]
    keys = dict.fromkeys(key for found in cells for key in found)
    problems = list(dict.fromkeys(p for side in sides for p in side.problems.values()))
    arms = list(dict.fromkeys(a for side in sides for a in side.results.every_arm))
    metrics = list(dict.fromkeys(m for side in sides for m in side.results.metrics))
    for problem, arm, metric in sorted(
        keys, key=lambda k: (problems.index(k[0]), metrics.index(k[2]), arms.index(k[1]))
    ):
        here = [found.get((problem, arm, metric), {}) for found in cells]
        points = [p for p in dict.fromkeys(p for found in here for p in found) if sum(p in found for found in here) > 1]
        shared = [p for p in points if all(p in found for found in here if found)]
        if len(shared) > 1:
            means = [_over(found, shared) if found else {} for found in here]
            yield _row(sides, problem, arm, metric, EVERY_POINT, means)
        for point in points:
            values = json.loads(point)
            words = ", ".join(f"{name} = {value}" for name, value in values.items())
            yield _row(sides, problem, arm, metric, words, [found.get(point, {}) for found in here])


def _over(found: Mapping[str, Values], points: Sequence[str]) -> Values:
    """The mean over points, of the replicates that have all of them."""
    complete = [r for r in found[points[0]] if all(r in found[p] for p in points)]
    return {r: math.fsum(found[p][r] for p in points) / len(points) for r in complete}


def _row(
    sides: Sequence[Side], problem: str, arm: str, metric: str, point: str, values: Sequence[Mapping[int | None, float]]
) -> Row:
    finite = [{r: v for r, v in found.items() if is_finite(v)} for found in values]
    differences = [
        difference(finite[0], found, paired=not side.renamed, overlap=_overlap((sides[0], side), problem))
        for side, found in zip(sides[1:], finite[1:], strict=True)
    ]
    spreads = tuple(Spread.of(found.values()) if found else None for found in values)
    return Row(arm, problem, point, metric, spreads, (None, *differences))


def _overlap(sides: Iterable[Side], problem: str) -> float:
    """n_test / n_train of the pools that the runs re-split, the larger one; 0 where none does."""
    pools = [
        side.results.experiment.problems[own].resplit
        for side in sides
        for own, shared in side.problems.items()
        if shared == problem and own in side.results.experiment.problems
    ]
    return max((test / train for test, train in (pool for pool in pools if pool)), default=0.0)


def difference(a: Values, b: Values, *, paired: bool = True, overlap: float = 0.0) -> Difference | None:
    """The mean of b minus that of a; None where either is empty.

    Args:
        a, b: replicate -> finite value. The one value of a deterministic arm is paired with every replicate.
        paired: match replicates, where at least one is in both.
        overlap: n_test / n_train of a pool that replicates re-split, else 0.

    Example:
        >>> difference({0: 1.0, 1: 2.0}, {0: 2.0, 1: 4.0, 2: 9.0}).mean, difference({0: 1.0}, {7: 3.0}).how
        (1.5, 'unpaired, 1 and 1')
    """
    if not a or not b:
        return None
    a, b = _everywhere(a, b), _everywhere(b, a)
    common = [replicate for replicate in a if replicate in b] if paired else []
    if common:
        values = {replicate: b[replicate] - a[replicate] for replicate in common}
        array = np.fromiter(values.values(), float)
        found = t_interval(array, CONFIDENCE, overlap) if len(array) > 1 else None
        ends = (float(found.lo), float(found.hi)) if found else None
        return Difference(float(found.mean) if found else float(array[0]), ends, (len(array),), values)
    one, other = (np.fromiter(x.values(), float) for x in (a, b))
    if min(len(one), len(other)) < 2:
        return Difference(float(other.mean() - one.mean()), None, (len(one), len(other)), {})
    mean, low, high = welch_interval(one, other, CONFIDENCE, overlap)
    return Difference(mean, (low, high), (len(one), len(other)), {})


def _everywhere(values: Values, other: Values) -> Values:
    """A deterministic arm's value for every replicate of the other's."""
    return dict.fromkeys(other, values[None]) if set(values) == {None} else values


# -------------------------------------------------------------------------------------------------------------- costs
def _costs(sides: Sequence[Side]) -> Iterable[CostRow]:
    found: dict[tuple[str, str, str], list[Spread | None]] = {}
    for place, side in enumerate(sides):
        for own, shared in side.problems.items():
            for row in arm_rows(side.results, own):
                for cost, spread in row.costs.items():
                    if spread.n:
                        found.setdefault((shared, row.arm, cost), [None] * len(sides))[place] = spread
    for (problem, arm, cost), spreads in found.items():
        there = [spread for spread in spreads if spread is not None]
        if len(there) > 1 and any(spread.mean for spread in there):  # shared seconds are zero for most arms
            yield CostRow(arm, problem, cost, tuple(spreads))
