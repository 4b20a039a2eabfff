"""Writing a ledger: only against a committed, unchanged plan, and from a clean commit."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.errors import HoldfastError
from holdfast.experiment import FIRST_FINAL_REPLICATE, declaration
from holdfast.files import clear_up
from holdfast.ledger.files import ledger_path, plan_path, read_plan, row_of, write_content
from holdfast.ledger.state import same_declaration, tested
from holdfast.trials import provenance
from holdfast.trials.closure import closure_hash

if TYPE_CHECKING:
    from holdfast.catalogue import System
    from holdfast.trials.results import Results


def ready(system: System, scale: str) -> dict[str, Any]:
    """The plan, if final replicates may be run for the ledger.

    Raises:
        HoldfastError: there is no plan, it is not what the code declares, not committed, was edited, uses pilot
            replicates, or the checkout has uncommitted changes.
    """
    path = plan_path(system, scale)
    plan = read_plan(system, scale)
    if plan is None:
        raise HoldfastError(
            f"{path}: no plan; `holdfast freeze {system.id} --scale {scale}` writes one, then commit it"
        )
    if not same_declaration(plan["declaration"], now := declaration(system.experiment, scale)):
        changed = difference(tested(plan["declaration"]), tested(now))
        again = f"`holdfast freeze {system.id} --scale {scale} --why ...` makes a new plan"
        raise HoldfastError(f"{path}: the experiment has changed since the plan was frozen ({changed}); {again}")
    if plan["first_replicate"] < FIRST_FINAL_REPLICATE:
        raise HoldfastError(f"{path}: final replicates start at {FIRST_FINAL_REPLICATE}, not at a pilot")
    clear_up(path.parent)  # a run that was killed while it wrote the ledger is no change of the checkout
    if provenance.git("status", "--porcelain", folder=path.parent) is None:
        why = "is in no git repository" if shutil.which("git") else "git is not installed, so nothing is known of it"
        raise HoldfastError(f"{path}: {why}; a ledger is only written against a committed plan")
    if provenance.git("ls-files", "--error-unmatch", path.name, folder=path.parent) is None:
        raise HoldfastError(f"{path}: is not committed; git add and git commit it first")
    top = Path(provenance.git("rev-parse", "--show-toplevel", folder=path.parent) or path.parent)
    if dirty := provenance.git("status", "--porcelain", folder=top):
        first = dirty.splitlines()[0]
        raise HoldfastError(f"{top}: has uncommitted changes ({first}); a ledger is written from a clean commit")
    return plan


def difference(old: Any, new: Any, where: str = "") -> str:
    """The first place at which two pieces of JSON differ, in words.

    Example:
        >>> difference({"claims": [{"margin": 5}]}, {"claims": [{"margin": 4}]})
        'claims[0].margin: 5, now 4'
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            if key not in old or key not in new:
                return f"{where}{key}: {'added' if key not in old else 'removed'}"
            if old[key] != new[key]:
                return difference(old[key], new[key], f"{where}{key}.")
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (a, b) in enumerate(zip(old, new, strict=True)):
            if a != b:
                return difference(a, b, f"{where.rstrip('.')}[{i}].")
    place = where.rstrip(".")
    if isinstance(old, list | dict) or isinstance(new, list | dict):
        return f"{place}: changed"
    return f"{place}: {old!r}, now {new!r}"


def write_ledger(system: System, plan: Mapping[str, Any], results: Results) -> Path:
    """Write a finished run's records and verdicts.

    Raises:
        HoldfastError: the run is not complete, used pilots, or the commit is not clean.
    """
    path = ledger_path(system, results.scale)
    if results.interrupted or results.pilot:
        raise HoldfastError(f"{path}: not written: the run was {'interrupted' if results.interrupted else 'a pilot'}")
    commit = provenance.commit(path.parent)
    if not commit or commit.endswith("-dirty"):
        raise HoldfastError(f"{path}: not written: the checkout changed while the run was under way")
    content = {
        "system": system.id,
        "scale": results.scale,
        "commit": commit,
        "machine": provenance.machine(),
        "versions": provenance.all_versions(),
        "code": closure_hash(f"{system.package}.experiment"),
        "plan": plan["digest"],
        "plan_number": plan["number"],
        "started": results.provenance["started"],
        "records": [row_of(record) for record in results.records],
        "verdicts": [verdict.to_json() for verdict in results.verdicts],
    }
    return write_content(path, content, system.experiment)


__all__ = ["difference", "ready", "write_ledger"]
