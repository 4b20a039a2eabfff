"""How much a claim's effect depends on the cases it was measured on: rows of a test set, origins of a series.

The bootstrap redraws cases (single rows, or blocks of neighbours where the problem says so), the same ones for all arms
and replicates, recomputes every mean over cases, and lets the claim compute its statistic from those, for all draws at
once, so that it need not be a mean itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from holdfast.decision.intervals import t_quantile
from holdfast.experiment.claims import Claim, Compound, Measured

if TYPE_CHECKING:
    from holdfast.experiment import Experiment, RecordTable

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
        keys, matrix = _cases(table, {cell: values for cell, values in reader.seen.items() if cell[2] == name})
        block = int(getattr(experiment.problems[name], "block", 1))
        cases = len(matrix)
        if cases // block < FEWEST_BLOCKS:
            raise NotResampled(f"{cases} cases in blocks of {block} are fewer than {FEWEST_BLOCKS} blocks")
        sizes.append((cases // block, cases, block))
        means = block_bootstrap(matrix, block, DRAWS, rng)  # (draws, keys)
        for column, (cell, replicate, factor) in enumerate(keys):
            metric = experiment.metrics[cell[0]]
            redrawn.setdefault(cell, {})[replicate] = factor * metric.of_mean(means[:, column])
    draws = np.asarray(_mean(claim.statistic(cast("RecordTable", _Redrawn(table, redrawn)))), float)
    if not np.all(np.isfinite(draws)):
        raise NotResampled("the statistic is not finite for some draws of cases")
    blocks, cases, block = min(sizes)
    # Means of blocks drawn from one series vary by a factor 1 - block/cases too little (as s^2 does with 1/n).
    return CaseSpread(effect, float(draws.std(ddof=1)) / math.sqrt(1 - block / cases), cases, block, blocks)


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
    cases = len(values)
    per_draw = -(-cases // block)
    means = np.empty((draws, values.shape[1]))
    step = max(1, CHUNK // cases)
    for first in range(0, draws, step):
        count = min(step, draws - first)
        starts = rng.integers(0, cases - block + 1, (count, per_draw, 1))
        rows = (starts + np.arange(block)).reshape(count, -1)[:, :cases]
        rows += cases * np.arange(count)[:, None]
        times = np.bincount(rows.ravel(), minlength=count * cases).reshape(count, cases)
        means[first : first + count] = times @ values / cases
    return means


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


def _cases(
    table: RecordTable, cells: Mapping[Cell, Mapping[int, float]]
) -> tuple[list[tuple[Cell, int, float]], np.ndarray]:
    """Columns (cell, replicate, factor from mean over cases to the metric) and their values `(cases, columns)`."""
    keys: list[tuple[Cell, int, float]] = []
    columns: list[np.ndarray] = []
    order: list[Any] | None = None
    for cell, values in cells.items():
        metric, arm, problem, point = cell
        per_unit = table.per_unit(metric, arm, problem, dict(point))
        for replicate, value in values.items():
            if replicate not in per_unit:
                raise NotResampled(f"{arm!r} left no values per case of {metric!r} on {problem!r}")
            units, column = list(per_unit[replicate]["units"]), per_unit[replicate]["values"]
            order = units if order is None else order
            if units != order:
                raise NotResampled(f"the cases of {problem!r} are not the same in every trial")
            if any(v is None or not math.isfinite(v) for v in column):
                raise NotResampled(f"{arm!r} left values per case of {metric!r} that are not finite")
            declared = table.experiment.metrics[metric]
            columns.append(declared.of_case(np.asarray(column, float)))
            keys.append((cell, replicate, _factor(float(declared.of_mean(columns[-1].mean())), value, metric)))
    if not columns:
        raise NotResampled("no values per case were left")
    return keys, np.stack(columns, axis=1)


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
