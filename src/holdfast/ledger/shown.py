"""Ledgers as results, for tables, figures and pages."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.errors import InputError
from holdfast.files import read_json
from holdfast.ledger.files import (
    DECIDED,
    PLANNED,
    ledger_path,
    plan_path,
    read_content,
    read_ledger,
    read_plan,
    record_of,
    verdicts_of,
)
from holdfast.trials.results import Results

if TYPE_CHECKING:
    from holdfast.catalogue import System


def as_results(system: System, scale: str) -> Results | None:
    """A ledger as results, for tables, figures and pages; None where there is none."""
    plan, ledger = read_plan(system, scale), read_ledger(system, scale)
    return None if plan is None or ledger is None else _as_results(system, plan, ledger, ledger_path(system, scale))


def results_from(path: Path) -> Results:
    """Any ledger file as results: an earlier commit's, another machine's.

    Its plan is the one beside it or the system's own, whichever it was measured against; without either, the results
    say nothing of what was tuned how.

    Raises:
        HoldfastError: the file is no ledger, was damaged or edited, or its system is not installed.
    """
    from holdfast import catalogue

    content = read_json(path)
    if not isinstance(content, dict) or not {"records", "verdicts", "plan", "commit"} <= content.keys():
        what = "a plan" if isinstance(content, dict) and "declaration" in content else "something else"
        raise InputError(str(path), "must be a ledger that `holdfast run --ledger` wrote", what)
    content = read_content(path, DECIDED) or {}
    system = catalogue.load(content["system"])
    near = [path.with_name(f"{path.stem}.plan.json"), plan_path(system, content["scale"])]
    fitting = (plan for file in near if (plan := _plan_with(content["plan"], file)))
    return _as_results(system, next(fitting, {}), content, path)


def _plan_with(digest: str, path: Path) -> dict[str, Any] | None:
    """The plan in a file, if it is the one with this digest; a file that is damaged is not."""
    try:
        plan = read_content(path, PLANNED)
    except InputError:
        return None
    return plan if plan is not None and plan["digest"] == digest else None


def _as_results(system: System, plan: Mapping[str, Any], ledger: Mapping[str, Any], path: Path) -> Results:
    versions = ", ".join(f"{name} {version}" for name, version in ledger["versions"].items())
    return Results(
        system=system.id,
        scale=ledger["scale"],
        experiment=system.experiment,
        records=[dataclasses.replace(record_of(row), key=str(i)) for i, row in enumerate(ledger["records"])],
        verdicts=verdicts_of(ledger),
        plan=plan,
        declaration=plan.get("declaration", {}),
        provenance={
            "commit": ledger["commit"],
            "code": ledger["code"],
            "versions": versions,
            "machine": ledger["machine"],
            "started": ledger["started"],
            "plan": f"number {ledger['plan_number']}, {ledger['plan'][:12]}",
        },
        command=f"holdfast run {system.id} --scale {ledger['scale']}",
        folder=path.parent,
    )


__all__ = ["as_results", "results_from"]
