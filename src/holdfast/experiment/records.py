"""What trials left behind, as claims read it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from holdfast.experiment.declarations import Experiment, Scale

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Record:
    """What one trial left behind. `replicate` is None for a deterministic arm.

    `curves` maps a name to {"x": [...], "y": [...], "x_label": ...}; `per_unit` to {"values": [...], "units": [...]};
    `artifacts` is a list of {"name", "file", "kind", "caption"} with `file` relative to the run's folder.
    `cost` always has "seconds", that of a finished trial also "peak_bytes", and "shared_seconds" where it computed
    stages; what stages take is in neither of the first two.
    """

    key: str
    arm: str
    problem: str
    point: Mapping[str, Any]
    replicate: int | None
    status: Literal["ok", "failed"]
    scalars: Mapping[str, float] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    per_unit: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    artifacts: Sequence[Mapping[str, str]] = ()
    error: str = ""


class RecordTable:
    """The finished records of a run, as claims read them.

    Args:
        records: any iterable of `Record`; failed ones are kept apart in `failed`.
        experiment: for directions and units of metrics, re-split sizes of problems, flags of arms.
        scale: that was run; None = one that uses all values of the swept parameters.
    """

    def __init__(self, records: Iterable[Record], experiment: Experiment, scale: Scale | None = None) -> None:
        self.experiment, self.scale = experiment, scale
        self.records: list[Record] = []
        self.failed: list[Record] = []
        for record in records:
            (self.records if record.status == "ok" else self.failed).append(record)
        self._replicates = sorted({r.replicate for r in self.records if r.replicate is not None})

    def swept(self, problem: str, arms: Iterable[str] = ()) -> Mapping[str, Sequence[Any]]:
        """Swept parameter -> its values at this scale, on a problem, that all of the arms use."""
        return self.experiment.swept(self.scale, problem, arms)

    @property
    def replicates(self) -> list[int]:
        """All replicates that any record has, in order."""
        return self._replicates

    def points(self, arm: str, problem: str) -> list[Mapping[str, Any]]:
        """The distinct swept points recorded for an arm on a problem, in order of first appearance."""
        seen: list[Mapping[str, Any]] = []
        for record in self.records:
            if record.arm == arm and record.problem == problem and record.point not in seen:
                seen.append(record.point)
        return seen

    def values(self, metric: str, arm: str, problem: str, point: Mapping[str, Any] = NOTHING) -> dict[int, float]:
        """Replicate -> value. A deterministic arm's single value stands for every replicate of the table."""
        return self._by_replicate("scalars", metric, arm, problem, point)

    def per_unit(
        self, metric: str, arm: str, problem: str, point: Mapping[str, Any] = NOTHING
    ) -> dict[int, Mapping[str, Any]]:
        """Replicate -> {"values", "units"}, as `values` but per case."""
        return self._by_replicate("per_unit", metric, arm, problem, point)

    def _by_replicate(self, kind: str, metric: str, arm: str, problem: str, point: Mapping[str, Any]) -> dict[int, Any]:
        out: dict[int, Any] = {}
        for record in self.records:
            found = getattr(record, kind)
            if record.arm == arm and record.problem == problem and record.point == point and metric in found:
                # A deterministic arm stands for every replicate; where all arms are, there is one, number 0.
                every = (self._replicates or [0]) if record.replicate is None else [record.replicate]
                out.update(dict.fromkeys(every, found[metric]))
        return dict(sorted(out.items()))

    def head(self, n: int) -> RecordTable:
        """The table restricted to its first n replicates (one "look")."""
        keep = set(self._replicates[:n])
        chosen = [r for r in self.records if r.replicate is None or r.replicate in keep]
        return RecordTable([*chosen, *self.failed], self.experiment, self.scale)


__all__ = ["NOTHING", "Record", "RecordTable"]
