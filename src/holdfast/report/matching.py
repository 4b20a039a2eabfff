"""What compared runs share besides numbers: which verdicts are on the same claim, and where the runs come from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.decision import Verdict
from holdfast.report import wording
from holdfast.report.comparison import Comparison, Side
from holdfast.report.settings import leaves, looks

# Fields of a claim that may change while it stays the same claim: how it is put, how much is asked, where it is tested.
_LOOSE = frozenset({"text", "scope", "published", "source", "role", "margin", "on", "requires", "expect"})
MOST_SETTINGS = 200  # listed; two runs with nothing in common would fill pages


@dataclass(frozen=True)
class Matched:
    """The verdicts on one claim, run by run; None where a run did not test it."""

    verdicts: tuple[Verdict | None, ...]

    @property
    def said(self) -> Verdict:
        """The first run's verdict that there is: its words stand for the claim."""
        return next(v for v in self.verdicts if v is not None)

    @property
    def shared(self) -> bool:
        """Whether two runs or more tested the claim."""
        return sum(v is not None for v in self.verdicts) > 1

    @property
    def changed(self) -> bool:
        """Whether two runs came to different verdicts."""
        return len({v.verdict for v in self.verdicts if v is not None}) > 1

    @property
    def asked_differently(self) -> bool:
        """Whether the target, and with it perhaps the verdict, is not the same."""
        return len({(v.region, v.unit) for v in self.verdicts if v is not None}) > 1


@dataclass(frozen=True)
class Fact:
    """Something that is not the same in all runs; `values` are in words, "–" where a run says nothing."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Facts of one kind, under a heading."""

    title: str
    facts: tuple[Fact, ...]
    cut: int = 0  # how many more there are


def matched_verdicts(comparison: Comparison) -> list[Matched]:
    """Verdicts on the same claim side by side, those of two runs or more first, then in the order of the runs.

    Two verdicts are on the same claim if the claims read the same arms, metric and points in the same way; words and
    margins may differ, and so may the problem where one stands for the other. Of several that fit, equal words decide.
    """
    found: list[list[Verdict | None]] = []
    for place, side in enumerate(comparison.sides):
        for verdict in side.results.verdicts:
            fitting = [m for m in found if m[place] is None and _same_claim(m, verdict, comparison.sides, place)]
            chosen = next((m for m in fitting if any(v and v.text == verdict.text for v in m)), None)
            if chosen is None and fitting:
                chosen = fitting[0]
            if chosen is None:
                chosen = [None] * len(comparison.sides)
                found.append(chosen)
            chosen[place] = verdict
    matched = [Matched(tuple(verdicts)) for verdicts in found]
    return sorted(matched, key=lambda m: not m.shared)


def _same_claim(found: Sequence[Verdict | None], verdict: Verdict, sides: Sequence[Side], place: int) -> bool:
    core = _core(verdict.claim, sides[place])
    return any(other is not None and _core(other.claim, sides[i]) == core for i, other in enumerate(found))


def _core(claim: Mapping[str, Any], side: Side) -> dict[str, Any]:
    """The claim without what may change; problems under their names in the comparison."""

    def inside(value: Any) -> Any:
        if isinstance(value, Mapping):
            return _core(value, side)
        return [inside(item) for item in value] if isinstance(value, list | tuple) else value

    on = claim.get("on")
    problems = [on] if isinstance(on, str) else list(on or ())
    kept = {key: inside(value) for key, value in claim.items() if key not in _LOOSE}
    return {**kept, "on": [side.problems.get(p, p) for p in problems]}


# --------------------------------------------------------------------------------------------------------- provenance
def differing_facts(comparison: Comparison) -> list[Facts]:
    """What differs between the runs: how they were run, code and machine, plan, tuned values, declarations."""
    sides = comparison.sides
    arms = {row.arm for row in comparison.rows}
    kinds = {
        "The run": [_run(side, comparison.problems) for side in sides],
        "Code and machine": [_provenance(side) for side in sides],
        "Plan": [_plan(side) for side in sides],
        "Tuned on pilots": [_leaves(_compared(side.results.plan.get("tuned"), arms)) for side in sides],
        "Declared settings": [_declared(side, arms, comparison.problems) for side in sides],
    }
    listed = []
    for title, told in kinds.items():
        facts = tuple(_differing(told))
        if facts:
            listed.append(Facts(title, facts[:MOST_SETTINGS], max(0, len(facts) - MOST_SETTINGS)))
    return listed


def not_compared(comparison: Comparison) -> list[Fact]:
    """Arms and problems that the first run or another lacks, so that nothing is left out silently."""
    arms = [set(side.results.every_arm) for side in comparison.sides]
    problems = [set(side.problems.values()) for side in comparison.sides]
    lost = [set(side.results.problems) - set(side.problems) for side in comparison.sides]
    facts = []
    for name, found in (("arms", arms), ("problems", problems)):
        every: set[str] = set().union(*found)
        partial = every - every.intersection(*found)
        if partial or (name == "problems" and any(lost)):
            own = [have & partial | (lost[i] if name == "problems" else set()) for i, have in enumerate(found)]
            facts.append(Fact(f"{name} that not every run has", tuple(_listed(names) for names in own)))
    return facts


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or wording.NONE


def _differing(told: Sequence[Mapping[str, str]]) -> Iterable[Fact]:
    for name in dict.fromkeys(name for facts in told for name in facts):
        values = tuple(facts.get(name, wording.NONE) for facts in told)
        if len(set(values)) > 1:
            yield Fact(name, values)


def _run(side: Side, problems: Collection[str]) -> dict[str, str]:
    results = side.results
    numbers = [r.replicate for r in results.records if r.replicate is not None]
    replicates = f"{min(numbers)} to {max(numbers)}" if numbers else ""
    declared = results.experiment.problems
    data = {shared: declared[own].describe() for own, shared in side.problems.items() if own in declared}
    return {
        "system": results.system,
        "scale": results.scale,
        **{f"data of {shared}": told for shared, told in data.items() if shared in problems},
        "replicates": f"{replicates}{' (pilots)' if results.pilot else ''}",
        "trials": str(len(results.records)),
        "failed trials": str(len(results.failed)),
        "interrupted": "yes" if results.interrupted else "no",
        "command": results.command,
    }


def _provenance(side: Side) -> dict[str, str]:
    kept = dict(side.results.provenance)
    versions = kept.pop("versions", "")
    kept.pop("plan", None)
    kept.pop("seconds", None)  # what a run took says how often it was interrupted; costs are compared per trial
    told = {name: str(value) for name, value in kept.items()}
    for entry in filter(None, versions.split(", ")):
        name, _, version = entry.partition(" ")
        told[name] = version
    return told


def _plan(side: Side) -> dict[str, str]:
    plan = side.results.plan
    names = ("number", "frozen_at", "first_replicate", "why")
    told = {name.replace("_", " "): str(plan[name]) for name in names if name in plan}
    told |= {"looks": looks(side.results)} if "looks" in plan else {}
    return {**told, "digest": str(plan["digest"])[:12]} if "digest" in plan else told or {"frozen at": "not frozen"}


def _declared(side: Side, arms: Collection[str], problems: Collection[str]) -> dict[str, str]:
    """Of what is compared. Claims are left out: their verdicts are compared."""
    kept = side.results.declaration
    parts = {"arms": arms, "problems": [p for p in problems if p not in side.renamed.values()]}
    declared = {name: _compared(kept.get(name), parts[name]) if name in parts else kept[name] for name in kept}
    return _leaves({name: part for name, part in declared.items() if name not in ("claims", "question")})


def _compared(settings: Any, names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in (settings or {}).items() if name in names}


def _leaves(settings: Mapping[str, Any]) -> dict[str, str]:
    return {place: wording.one_line(text, 120) for place, text in leaves(settings, joint=" › ").items() if place}
