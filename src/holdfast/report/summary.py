"""The numbers of the arms table: means, spreads and costs over replicates."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from holdfast.experiment import Record
from holdfast.report.wording import is_finite, spread
from holdfast.trials.results import Results


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation over replicates.

    Attributes:
        mean: over the finite values; NaN where there is none.
        sd: sample standard deviation (n - 1); NaN for fewer than two values.
        n: number of finite values.
        low, high: the extremes.
    """

    mean: float = math.nan
    sd: float = math.nan
    n: int = 0
    low: float = math.nan
    high: float = math.nan

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """The spread of the finite ones among `values`.

        Example:
            >>> Spread.of([1.0, 3.0, float("nan")]).mean
            2.0
        """
        finite = [float(v) for v in values if is_finite(v)]
        if not finite:
            return cls()
        n, mean = len(finite), math.fsum(finite) / len(finite)
        sd = math.sqrt(math.fsum((v - mean) ** 2 for v in finite) / (n - 1)) if n > 1 else math.nan
        return cls(mean, sd, n, min(finite), max(finite))

    def __str__(self) -> str:
        return spread(self.mean, self.sd)


@dataclass(frozen=True)
class ArmRow:
    """One line of the arms table of a problem.

    Attributes:
        metrics: metric -> spread over replicates.
        best: metrics in which no other arm has a better mean.
        costs: "seconds", "MB" and whatever else the trials recorded, per trial.
        trials, failed: how many trials were recorded, and how many of them failed.
        points: how many swept points each replicate's value is averaged over (1 = nothing swept).
    """

    arm: str
    about: str
    metrics: Mapping[str, Spread]
    best: frozenset[str]
    costs: Mapping[str, Spread]
    trials: int
    failed: int
    points: int
    deterministic: bool


def values_of(results: Results, metric: str, arm: str, problem: str) -> dict[int | None, float]:
    """Replicate -> value of a metric, averaged over swept points; the replicate of a deterministic arm is None.

    Non-finite values stay in, so that a diverged replicate is seen as such.
    """
    found: dict[int | None, list[float]] = {}
    for record in results.finished:
        if record.arm == arm and record.problem == problem and metric in record.scalars:
            found.setdefault(record.replicate, []).append(record.scalars[metric])
    ordered = sorted(found, key=lambda replicate: -1 if replicate is None else replicate)
    return {replicate: math.fsum(found[replicate]) / len(found[replicate]) for replicate in ordered}


def arm_rows(results: Results, problem: str) -> list[ArmRow]:
    """The arms table of a problem, in the order of the arms' declaration."""
    arms = results.arms(problem)
    spreads = {
        arm: {metric: Spread.of(values_of(results, metric, arm, problem).values()) for metric in results.metrics}
        for arm in arms
    }
    best = {
        metric: _best(results, metric, {arm: spreads[arm][metric].mean for arm in arms}) for metric in results.metrics
    }
    rows = []
    for arm in arms:
        records = [r for r in results.records if r.arm == arm and r.problem == problem]
        declared = results.experiment.arms.get(arm)
        rows.append(
            ArmRow(
                arm=arm,
                about=declared.about if declared else "",
                metrics=spreads[arm],
                best=frozenset(metric for metric in results.metrics if arm in best[metric]),
                costs=_costs([r for r in records if r.status == "ok"]),
                trials=len(records),
                failed=sum(r.status != "ok" for r in records),
                points=len({tuple(sorted((k, repr(v)) for k, v in r.point.items())) for r in records}),
                deterministic=bool(records) and all(r.replicate is None for r in records),
            )
        )
    return rows


def _best(results: Results, metric: str, means: Mapping[str, float]) -> set[str]:
    finite = {arm: mean for arm, mean in means.items() if is_finite(mean)}
    if len(finite) < 2:
        return set()
    top = (max if results.metric(metric).higher_is_better else min)(finite.values())
    return {arm for arm, mean in finite.items() if mean == top}


def _costs(records: list[Record]) -> dict[str, Spread]:
    """Costs per trial. Bytes become megabytes (10^6); shared stages are kept apart from the trial's own seconds."""
    names = dict.fromkeys(name for record in records for name in record.cost)
    costs = {name: [r.cost[name] for r in records if name in r.cost] for name in names}
    if "peak_bytes" in costs:
        costs["MB"] = [value / 1e6 for value in costs.pop("peak_bytes")]
    return {name: Spread.of(values) for name, values in costs.items()}


def pareto_front(points: Mapping[str, tuple[float, float]], *, higher_is_better: bool) -> list[str]:
    """Names on the front of (cost, benefit), cheapest first: no other arm costs no more and brings more.

    Args:
        points: name -> (cost, benefit); names with a non-finite coordinate are left out.
        higher_is_better: direction of the benefit.

    Example:
        >>> pareto_front({"a": (1, 50), "b": (2, 80), "c": (3, 70)}, higher_is_better=True)
        ['a', 'b']
    """
    sign = 1 if higher_is_better else -1
    usable = [
        (cost, -sign * gain, name) for name, (cost, gain) in points.items() if is_finite(cost) and is_finite(gain)
    ]
    front, reached = [], math.inf
    for _, loss, name in sorted(usable):
        if loss < reached:
            front.append(name)
            reached = loss
    return front
