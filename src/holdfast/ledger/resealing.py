"""Verdicts computed again from a ledger's records, without a run: after a mistake in how they were computed."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING

from holdfast.errors import HoldfastError, InputError
from holdfast.experiment import declaration
from holdfast.ledger.files import ledger_path, plan_path, read_ledger, read_plan, verdicts_of, write_content
from holdfast.ledger.state import decided_again, same_declaration, same_verdicts

if TYPE_CHECKING:
    from holdfast.catalogue import System
    from holdfast.decision import Verdict


def reseal(system: System, scale: str, why: str = "") -> list[str]:
    """Write a ledger with the verdicts that its records give today, and keep the earlier ones with the reason.

    Where the numbers are the same, only the form of the file and the sentences of its claims are renewed.

    Args:
        why: a reason, if numbers change.

    Returns:
        What changed, a line a verdict.

    Raises:
        HoldfastError: there is no ledger, it belongs to another plan than the code's, or its records do.
        InputError: numbers change and no reason is given.
    """
    path = ledger_path(system, scale)
    plan, content = read_plan(system, scale), read_ledger(system, scale)
    if plan is None or content is None:
        raise HoldfastError(f"{path}: no ledger; `holdfast run {system.id} --scale {scale} --ledger` makes one")
    if not same_declaration(plan["declaration"], declaration(system.experiment, scale)):
        raise HoldfastError(f"{plan_path(system, scale)}: the code declares something else; freeze a new plan")
    again = decided_again(system, scale, plan, content)
    if content["plan"] != plan["digest"] or again is None:
        raise HoldfastError(f"{path}: its records are not those of the plan beside it")
    kept = verdicts_of(content)
    changed = [] if same_verdicts(kept, again) else _differences(kept, again)
    if changed and not why:
        raise InputError("--why", "must say why the verdicts are computed again; the earlier ones are kept", "nothing")
    if changed:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        entry = {"at": now, "why": why, "verdicts": [verdict.to_json() for verdict in kept]}
        content = {**content, "resealed": [*content.get("resealed", ()), entry]}
    content = {**content, "verdicts": [verdict.to_json() for verdict in again]}
    write_content(path, content, system.experiment)
    return changed


def _differences(kept: Sequence[Verdict], again: Sequence[Verdict]) -> list[str]:
    lines = []
    for old, new in zip(kept, again, strict=False):
        if not same_verdicts([old], [new]):
            lines.append(f"{new.text}: {_short(old)}; now {_short(new)}")
    if len(kept) != len(again):
        lines.append(f"{len(kept)} verdicts; now {len(again)}")
    return lines


def _short(verdict: Verdict) -> str:
    wins = "" if verdict.wins is None else f", wins {verdict.wins} of {verdict.n}"
    return f"{verdict.verdict}{wins}"


__all__ = ["reseal"]
