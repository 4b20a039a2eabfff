"""What a ledger is worth now, against the plan, its records and the code."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from holdfast.errors import InputError
from holdfast.experiment import RecordTable, declaration
from holdfast.ledger.files import read_ledger, read_plan, record_of, verdicts_of
from holdfast.trials.closure import closure_hash

if TYPE_CHECKING:
    from holdfast.catalogue import System
    from holdfast.decision import Verdict

State = Literal["none", "not run", "current", "older code", "stale", "edited"]
# Of a verdict: what follows from the records. Its sentences are made when it is read, and may become better.
JUDGED = (
    *("role", "verdict", "effect", "interval", "confidence", "region", "n", "wins", "wins_interval", "direction"),
    *("needed", "wants_more", "outliers", "missing", "values", "expected", "as_expected"),
)
# Of a declaration: words for readers. A claim's scope is none of them, as it is part of what is claimed.
WORDS = ("question", "about")
CLAIMED = ("text", "published", "source")


def state(system: System, scale: str) -> State:
    """What a scale's ledger is worth now.

    "stale": the code declares something else than the plan. "edited": a file, or a number of a verdict in it, does not
    follow from its records. "older code": only the implementation has changed since. "not run": a plan without a
    ledger.
    """
    try:
        plan, ledger = read_plan(system, scale), read_ledger(system, scale)
    except InputError:
        return "edited"
    if plan is None:
        return "none" if ledger is None else "edited"
    if not same_declaration(plan["declaration"], declaration(system.experiment, scale)):
        return "stale"
    if ledger is None:
        return "not run"
    again = decided_again(system, scale, plan, ledger)
    if ledger["plan"] != plan["digest"] or again is None or not same_verdicts(verdicts_of(ledger), again):
        return "edited"
    return "current" if ledger["code"] == closure_hash(f"{system.package}.experiment") else "older code"


def same_declaration(plan: Mapping[str, Any], code: Mapping[str, Any]) -> bool:
    """Whether a plan fixes what the code declares, whatever words they use for it."""
    return tested(plan) == tested(code)


def tested(declared: Mapping[str, Any]) -> dict[str, Any]:
    """A declaration without the words that are only for readers."""
    kept = {name: value for name, value in declared.items() if name not in WORDS}
    for part in ("arms", "metrics"):
        found = declared.get(part)
        if isinstance(found, Mapping):
            kept[part] = {name: _without(value, WORDS) for name, value in found.items()}
    if isinstance(declared.get("claims"), list):
        kept["claims"] = [_claim(claim) for claim in declared["claims"]]
    return kept


def _without(value: Any, names: tuple[str, ...]) -> Any:
    return {k: v for k, v in value.items() if k not in names} if isinstance(value, Mapping) else value


def _claim(value: Any) -> Any:
    """A claim, and those it is made of, without the sentences that print it."""
    if isinstance(value, Mapping):
        words = CLAIMED if "requires" in value else ()  # settings of a claim may have such names
        return {k: _claim(v) for k, v in value.items() if k not in words}
    return [_claim(v) for v in value] if isinstance(value, list) else value


def decided_again(
    system: System, scale: str, plan: Mapping[str, Any], ledger: Mapping[str, Any]
) -> list[Verdict] | None:
    """The verdicts that follow from a ledger's records; None if it holds pilots, or replicates of an earlier plan."""
    from holdfast.decision import decide_all
    from holdfast.trials.campaign import claims_about

    experiment = system.experiment
    records = [record_of(row) for row in ledger["records"]]
    if any(r.replicate is not None and r.replicate < plan["first_replicate"] for r in records):
        return None
    chosen = experiment.scales[scale]
    claims = claims_about(experiment, chosen, {(r.arm, r.problem) for r in records})
    return decide_all(claims, RecordTable(records, experiment, chosen), scale=chosen)


def same_verdicts(kept: list[Verdict], again: list[Verdict]) -> bool:
    """Whether two lists of verdicts hold the same numbers about the same claims."""
    return len(kept) == len(again) and all(map(_same_verdict, kept, again))


def _same_verdict(a: Verdict, b: Verdict) -> bool:
    numbers = all(_same(getattr(a, name), getattr(b, name)) for name in JUDGED)
    return numbers and _claim(a.claim) == _claim(b.claim) and same_verdicts(list(a.parts), list(b.parts))


def _same(a: Any, b: Any) -> bool:
    """Equality up to the last digits of numbers, which differ between machines and versions of libraries."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)
    return bool(a == b)


__all__ = ["State", "decided_again", "same_declaration", "same_verdicts", "state", "tested"]
