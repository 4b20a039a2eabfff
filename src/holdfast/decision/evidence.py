"""What the records say about a claim, gathered once and judged at as many levels of confidence as needed."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np

from holdfast.decision.resampling import CaseSpread, NotResampled, case_spread, resampled_problems
from holdfast.errors import InputError
from holdfast.experiment import FIRST_FINAL_REPLICATE, RecordTable
from holdfast.experiment.claims import Claim, Compound, Measured

if TYPE_CHECKING:
    from holdfast.experiment import Record


@dataclass(frozen=True)
class Sample:
    """One look at a claim.

    Attributes:
        tried: the replicates of the look, in order.
        values: replicate -> effect, for those that have a finite one.
        cases: how much the effect depends on the cases; None where they were not redrawn.
        note: why they were not, if they should have been.
        remark: an extra number for the reader.
    """

    tried: tuple[int, ...]
    values: dict[int, float]
    cases: CaseSpread | None = None
    note: str = ""
    remark: str = ""

    @property
    def missing(self) -> tuple[int, ...]:
        """Replicates that were tried and gave no value."""
        return tuple(r for r in self.tried if r not in self.values)

    @property
    def array(self) -> np.ndarray:
        """The effects, `(n,)`."""
        return np.fromiter(self.values.values(), float, len(self.values))


class Evidence:
    """A claim together with the records it is about, its parts and its preconditions.

    Args:
        claim: checked against `table.experiment`.
        table: all finished records, failed ones included.
    """

    def __init__(self, claim: Claim, table: RecordTable) -> None:
        self.claim = claim
        self.preconditions = [Evidence(c, table) for c in claim.preconditions]
        self.parts = [Evidence(c, table) for c in claim.parts] if isinstance(claim, Compound) else []
        experiment = table.experiment
        arms, problems = set(claim.arms), set(claim.problems)

        def ours(records: Iterable[Record]) -> list[Record]:
            return [r for r in records if r.arm in arms and r.problem in problems]

        self.table = RecordTable([*ours(table.records), *ours(table.failed)], experiment, table.scale)
        self.deterministic = all(experiment.runs_once(arm, p) for arm in claim.arms for p in claim.problems)
        self._samples: dict[int, Sample] = {}

    @property
    def measured(self) -> Measured:
        """The claim, where it is no compound."""
        return cast(Measured, self.claim)

    @cached_property
    def tried(self) -> tuple[int, ...]:
        """Replicates of which a trial of every arm on every problem of the claim has ended, well or not.

        Failed ones count: they must not let later ones move up. Those that some arm was not even asked for do not:
        another claim may have wanted more replicates of the other arms. A claim about deterministic arms alone has one
        replicate, number 0.
        """
        if self.deterministic:
            return (0,) if self.table.records or self.table.failed else ()
        asked: dict[tuple[str, str], set[int]] = {}
        for r in [*self.table.records, *self.table.failed]:
            if r.replicate is not None:
                asked.setdefault((r.arm, r.problem), set()).add(r.replicate)
        found = set().union(*asked.values())
        if found and min(found) < FIRST_FINAL_REPLICATE <= max(found):
            raise InputError("table", "must not mix pilots with final replicates", f"{min(found)} ... {max(found)}")
        return tuple(sorted(found.intersection(*asked.values())))

    @cached_property
    def absent(self) -> list[str]:
        """Pairs of arm and problem of which not one trial has ended: the scale leaves them out."""
        ran = {(r.arm, r.problem) for r in [*self.table.records, *self.table.failed]}
        return [f"{a} on {p}" for p in self.claim.problems for a in self.claim.arms if (a, p) not in ran]

    @cached_property
    def overlap(self) -> float:
        """n_test / n_train of the pool that replicates re-split: the largest among the problems, 0 where none does."""
        problems = self.table.experiment.problems
        pools = [problems[name].resplit for name in self.claim.problems]
        return max((test / train for test, train in (pool for pool in pools if pool)), default=0.0)

    def sample(self, size: int) -> Sample:
        """The first `size` replicates that were tried."""
        if size not in self._samples:
            self._samples[size] = self._gather(self.tried[:size])
        return self._samples[size]

    def _gather(self, tried: tuple[int, ...]) -> Sample:
        view = self._only(tried)
        statistic = self.measured.statistic(view)
        values = {r: float(statistic[r]) for r in tried if r in statistic and math.isfinite(statistic[r])}
        if not values:
            return Sample(tried, values)
        complete = self._only(tuple(values))
        remark = self.measured.remark(complete)
        if not self.claim.sampled or not resampled_problems(self.measured, self.table.experiment):
            return Sample(tried, values, remark=remark)
        try:
            return Sample(tried, values, case_spread(self.measured, complete), remark=remark)
        except NotResampled as error:
            return Sample(tried, values, note=f"cases were not redrawn: {error}", remark=remark)

    def _only(self, replicates: tuple[int, ...]) -> RecordTable:
        """The records of these replicates, and those of deterministic arms."""
        keep = {None, *replicates}
        records = [r for r in [*self.table.records, *self.table.failed] if r.replicate in keep]
        return RecordTable(records, self.table.experiment, self.table.scale)
