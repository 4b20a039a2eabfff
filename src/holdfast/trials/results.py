"""What a run left behind and what was decided, in one immutable object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.experiment import Experiment, Metric, Record

if TYPE_CHECKING:
    from holdfast.decision import Verdict


@dataclass(frozen=True)
class Results:
    """One run: its declarations, what was recorded and what was decided.

    Attributes:
        system: id of the system.
        scale: name of the scale that ran.
        experiment: the declarations.
        records: every trial, failed ones included.
        verdicts: in the order they should be read.
        plan: the frozen plan as JSON, or {} where nothing was frozen. May contain "tuned" ({arm: {field: value}}),
            "tuning" ([{"arm", "configuration", "pilots", "mean", "chosen"}]), "replicates", "looks", "frozen_at".
        declaration: what was declared when it ran, as JSON (see `ledger.declaration`); {} where that was not kept.
        provenance: commit, versions, machine, device, threads, started, seconds, in words.
        command: repeats the run.
        folder: what the `file`s of artifacts are relative to.
        pilot: the replicates are pilots, so nothing here may be quoted as a verdict.
        interrupted: the run was stopped before all planned trials had ended.
    """

    system: str
    scale: str
    experiment: Experiment
    records: Sequence[Record]
    verdicts: Sequence[Verdict]
    plan: Mapping[str, Any] = field(default_factory=dict)
    declaration: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    folder: Path = Path()
    pilot: bool = False
    interrupted: bool = False

    @cached_property
    def finished(self) -> list[Record]:
        """The trials that ended well."""
        return [record for record in self.records if record.status == "ok"]

    @cached_property
    def failed(self) -> list[Record]:
        """The trials that raised, died or ran out of time."""
        return [record for record in self.records if record.status != "ok"]

    @cached_property
    def problems(self) -> list[str]:
        """Problems with at least one trial, in the order of their declaration."""
        return _in_order((r.problem for r in self.records), self.experiment.problems)

    @cached_property
    def metrics(self) -> list[str]:
        """Metrics with at least one recorded value, in the order of their declaration."""
        return _in_order((name for r in self.finished for name in r.scalars), self.experiment.metrics)

    @cached_property
    def every_arm(self) -> list[str]:
        """Arms with at least one trial, in the order of their declaration."""
        return _in_order((r.arm for r in self.records), self.experiment.arms)

    def arms(self, problem: str) -> list[str]:
        """Arms with at least one trial on the problem, in the order of their declaration."""
        return _in_order((r.arm for r in self.records if r.problem == problem), self.experiment.arms)

    def metric(self, name: str) -> Metric:
        """The declaration of a metric, of its time or of now; a neutral one where nothing declares it."""
        kept = (self.declaration.get("metrics") or {}).get(name)
        if kept is not None:
            return Metric(**{field: kept[field] for field in ("unit", "higher_is_better", "about") if field in kept})
        return self.experiment.metrics.get(name) or Metric()

    @cached_property
    def headline(self) -> Verdict | None:
        """The verdict on the headline claim, if there is one."""
        return next((v for v in self.verdicts if v.role == "headline"), None)

    def named_in_headline(self, names: Iterable[str]) -> list[str]:
        """Those of `names` (arms, problems, metrics) that the headline claim mentions, whatever the kind of claim."""
        mentioned = set(_strings(self.headline.claim)) if self.headline else set()
        return [name for name in names if name in mentioned]

    @cached_property
    def benefit(self) -> str | None:
        """The metric shown against cost: the declared one, else the headline's, else the first."""
        if self.experiment.benefit in self.metrics:
            return self.experiment.benefit
        return next(iter(self.named_in_headline(self.metrics) or self.metrics), None)


def _in_order(found: Iterable[str], declared: Iterable[str]) -> list[str]:
    """What was found, declared names first and in their order, then the rest in order of appearance."""
    seen = dict.fromkeys(found)
    return [name for name in declared if name in seen] + [name for name in seen if name not in set(declared)]


def _strings(value: Any) -> Iterable[str]:
    """Every string inside nested JSON, keys excluded."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from _strings(item)
