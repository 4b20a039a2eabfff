"""How much a claim's effect depends on the cases it was measured on: rows of a test set, origins of a series.

The bootstrap redraws cases (single rows, or blocks of neighbours where the problem says so), the same ones for all arms
and replicates, recomputes every mean over cases, and lets the claim compute its statistic from those, for all draws at
once, so that it need not be a mean itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from holdfast.decision.intervals import t_quantile
from holdfast.experiment.claims import Claim, Compound, Measured

if TYPE_CHECKING:
    from holdfast.experiment import Experiment, Metric, RecordTable

DRAWS = 2000
SEED = 20240229  # a verdict is a function of the table alone
FEWEST_BLOCKS = 6
CHUNK = 2_000_000  # indices held at a time
Cell = tuple[str, str, str, tuple[tuple[str, Any], ...]]  # metric, arm, problem, point


class NotResampled(Exception):
    """The cases cannot be resampled; the message says why."""


@dataclass(frozen=True)
class CaseSpread:
    """What redrawing the cases did to a claim's effect.

    Attributes:
        effect: as measured.
        se: standard deviation over draws, corrected for the number of blocks.
        cases, block, blocks: of the problem with the fewest blocks.
    """

    effect: float
    se: float
    cases: int
    block: int
    blocks: int

    def interval(self, confidence: float) -> tuple[float, float]:
        """effect -+ t * se, with blocks - 1 degrees of freedom: the spread of few blocks is itself an estimate."""
        half = float(t_quantile(confidence, self.blocks - 1)) * self.se
        return self.effect - half, self.effect + half


def case_spread(claim: Measured, table: RecordTable) -> CaseSpread:
    """Redraw the cases of a claim whose replicates in `table` are all complete.

    Problems with `fixed_test`, and all of them where every arm is deterministic, are redrawn; others keep their values.
    A problem whose cases depend on their neighbours (origins of a series) has an attribute `block`: how many
    consecutive cases are redrawn together, at least the horizon.

    Raises:
        NotResampled: no or unusable values per case, or fewer than 6 blocks.
    """
    experiment = table.experiment
    reader = _Recorder(table)
    effect = float(_mean(claim.statistic(cast("RecordTable", reader))))
    redrawn: dict[Cell, dict[int, Any]] = {}
    sizes: list[tuple[int, int, int]] = []
    rng = np.random.default_rng(SEED)
    for name in resampled_problems(claim, experiment):
        columns = _cases(table, {cell: values for cell, values in reader.seen.items() if cell[2] == name})
        block = int(getattr(experiment.problems[name], "block", 1))
        cases = len(columns[0].values)
        if cases // block < FEWEST_BLOCKS:
            raise NotResampled(f"{cases} cases in blocks of {block} are fewer than {FEWEST_BLOCKS} blocks")
        sizes.append((cases // block, cases, block))
        for column, draws in zip(columns, _redraw(columns, block, rng), strict=True):
            redrawn.setdefault(column.cell, {})[column.replicate] = column.factor * draws
    draws = np.asarray(_mean(claim.statistic(cast("RecordTable", _Redrawn(table, redrawn)))), float)
    if not np.all(np.isfinite(draws)):
        raise NotResampled("the statistic is not finite for some draws of cases")
    blocks, cases, block = min(sizes)
    # Means of blocks drawn from one series vary by a factor 1 - block/cases too little (as s^2 does with 1/n).
    return CaseSpread(effect, float(draws.std(ddof=1)) / math.sqrt(1 - block / cases), cases, block, blocks)


@dataclass(frozen=True)
class _Column:
    """The values per case of one cell of the table in one replicate, `(cases,)` or `(cases, numbers a case)`.

    `factor` leads from what the metric makes of them to the recorded value: shares are printed as percentages.
    """

    cell: Cell
    replicate: int
    metric: Metric
    values: np.ndarray
    factor: float


def _redraw(columns: Sequence[_Column], block: int, rng: np.random.Generator) -> list[np.ndarray]:
    """The metric of each column for every draw of cases, the same draws for all: `(DRAWS,)` each.

    Metrics that follow from a mean over cases are computed for all draws at once, others draw by draw.
    """
    averaged = [c for c in columns if c.metric.averages_cases]
    wide = [c.metric.of_case(c.values).reshape(len(c.values), -1) for c in averaged]
    matrix = np.concatenate(wide, axis=1) if wide else np.zeros((len(columns[0].values), 0))
    means, others = [], {id(c): [] for c in columns if not c.metric.averages_cases}  # type: ignore[var-annotated]
    for rows in redrawn_rows(len(columns[0].values), block, DRAWS, rng):
        means.append(_means(rows, matrix))
        for c in columns:
            if id(c) in others:
                others[id(c)] += [c.metric.of_cases(c.values[drawn]) for drawn in rows]
    ends: Any = np.cumsum([w.shape[1] for w in wide])[:-1] if wide else []
    split = dict(zip(map(id, averaged), np.split(np.concatenate(means), ends, axis=1) if wide else [], strict=True))
    found = []
    for c in columns:
        if id(c) in others:
            found.append(np.asarray(others[id(c)], float))
        else:
            mean = split[id(c)] if c.values.ndim > 1 else split[id(c)][:, 0]
            found.append(np.asarray(c.metric.of_mean(mean), float))
    return found


def resampled_problems(claim: Measured, experiment: Experiment) -> list[str]:
    """The problems of a claim whose cases are redrawn: those with one test set for all replicates."""
    problems = experiment.problems
    return [
        name
        for name in claim.problems
        if problems[name].fixed_test or all(experiment.runs_once(arm, name) for arm in claim.arms)
    ]


def cases_read(claims: Iterable[Claim], experiment: Experiment) -> set[tuple[str, str, str]]:
    """(arm, problem, metric) whose values per case some claim's interval is computed from."""
    found: set[tuple[str, str, str]] = set()
    for claim in claims:
        found |= cases_read(claim.preconditions, experiment)
        if isinstance(claim, Compound):
            found |= cases_read(claim.parts, experiment)
        elif isinstance(claim, Measured) and claim.sampled:
            problems = resampled_problems(claim, experiment)
            found |= {(arm, problem, metric) for arm in claim.arms for problem in problems for metric in claim.metrics}
    return found


def block_bootstrap(values: np.ndarray, block: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Means of redrawn rows: the moving-block bootstrap (Künsch 1989); with block = 1 the ordinary one.

    Args:
        values: `(cases, columns)`, in order of time where that matters.
        block: rows kept together. Blocks start anywhere in 0 ... cases - block; the last one drawn is cut to fit.
        draws: number of redrawn samples, each of `cases` rows, the same for all columns.
        rng: where the draws come from.

    Returns:
        `(draws, columns)`.
    """
    return np.concatenate([_means(rows, values) for rows in redrawn_rows(len(values), block, draws, rng)])


def redrawn_rows(cases: int, block: int, draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The rows of redrawn samples, `(some draws, cases)` at a time; see `block_bootstrap`."""
    per_draw = -(-cases // block)
    step = max(1, CHUNK // cases)
    for first in range(0, draws, step):
        count = min(step, draws - first)
        starts = rng.integers(0, cases - block + 1, (count, per_draw, 1))
        yield (starts + np.arange(block)).reshape(count, -1)[:, :cases]


def _means(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    count, cases = rows.shape
    places = rows + cases * np.arange(count)[:, None]
    times = np.bincount(places.ravel(), minlength=count * cases).reshape(count, cases)
    return times @ values / cases


# --------------------------------------------------------------------------------------------- reading the table
class _Recorder:
    """A table that remembers what a claim reads."""

    def __init__(self, table: RecordTable) -> None:
        self._table = table
        self.experiment: Experiment = table.experiment
        self.swept = table.swept
        self.seen: dict[Cell, dict[int, float]] = {}

    def values(self, metric: str, arm: str, problem: str, point: Mapping[str, Any]) -> dict[int, float]:
        found = self._table.values(metric, arm, problem, point)
        self.seen[_cell(metric, arm, problem, point)] = found
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)


class _Redrawn(_Recorder):
    """A table whose values are arrays, one entry per draw."""

    def __init__(self, table: RecordTable, redrawn: Mapping[Cell, dict[int, Any]]) -> None:
        super().__init__(table)
        self._redrawn = redrawn

    def values(self, metric: str, arm: str, problem: str, point: Mapping[str, Any]) -> dict[int, Any]:
        found = self._redrawn.get(_cell(metric, arm, problem, point))
        return super().values(metric, arm, problem, point) if found is None else found


def _cell(metric: str, arm: str, problem: str, point: Mapping[str, Any]) -> Cell:
    return metric, arm, problem, tuple(sorted(point.items()))


def _cases(table: RecordTable, cells: Mapping[Cell, Mapping[int, float]]) -> list[_Column]:
    """The values per case of every cell and replicate, all of the same cases."""
    columns: list[_Column] = []
    order: list[Any] | None = None
    for cell, values in cells.items():
        metric, arm, problem, point = cell
        per_unit = table.per_unit(metric, arm, problem, dict(point))
        for replicate, value in values.items():
            if replicate not in per_unit:
                raise NotResampled(f"{arm!r} left no values per case of {metric!r} on {problem!r}")
            units, kept = list(per_unit[replicate]["units"]), per_unit[replicate]["values"]
            order = units if order is None else order
            if units != order:
                raise NotResampled(f"the cases of {problem!r} are not the same in every trial")
            numbers = np.array([[math.nan if v is None else v for v in _several(case)] for case in kept], float)
            if not np.isfinite(numbers).all():
                raise NotResampled(f"{arm!r} left values per case of {metric!r} that are not finite")
            several = bool(kept) and isinstance(kept[0], list | tuple)
            numbers = numbers if several else numbers[:, 0]
            declared = table.experiment.metrics[metric]
            factor = _factor(declared.of_cases(numbers), value, metric)
            columns.append(_Column(cell, replicate, declared, numbers, factor))
    if not columns:
        raise NotResampled("no values per case were left")
    return columns


def _several(case: Any) -> Sequence[Any]:
    return case if isinstance(case, list | tuple) else (case,)


def _factor(mean: float, value: float, metric: str) -> float:
    """1 or 100, whichever turns the cases' value into the metric's (shares are printed as percentages)."""
    for factor in (1.0, 100.0):
        if math.isclose(factor * mean, value, rel_tol=1e-4, abs_tol=1e-9):
            return factor
    raise NotResampled(f"{metric!r} does not follow from its values per case")


def _mean(statistic: Mapping[int, Any]) -> Any:
    if not statistic:
        raise NotResampled("no replicate has a value")
    return sum(statistic.values()) / len(statistic)
