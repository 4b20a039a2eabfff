"""Frozen plans and the ledger: what was going to be decided how, and what came out.

A plan is written before the final replicates run and committed; a ledger is written only against a committed,
unchanged plan from a clean commit. Both carry a digest of their content, verdicts can be recomputed from the records
beside them, and any trial can be run again: a file edited by hand gives itself away.
"""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from holdfast.canonical import canonical, is_intact, sealed
from holdfast.errors import HoldfastError, InputError
from holdfast.experiment import FIRST_FINAL_REPLICATE, Record, RecordTable, declaration
from holdfast.files import clear_up, read_json, write_json
from holdfast.ledger.renamed import renamed
from holdfast.trials import provenance
from holdfast.trials.closure import closure_hash
from holdfast.trials.records import check_record

if TYPE_CHECKING:
    from holdfast.catalogue import System
    from holdfast.decision import Verdict
    from holdfast.trials.results import Results

State = Literal["none", "not run", "current", "older code", "stale", "edited"]
# What the files hold. Their seals keep out accidents; whoever means harm seals what he likes.
PLANNED: dict[str, type] = dict.fromkeys(("number", "first_replicate"), int)
PLANNED |= dict.fromkeys(("declaration", "tuned", "looks"), dict) | dict.fromkeys(("tuning", "earlier"), list)
DECIDED: dict[str, type] = dict.fromkeys(("scale", "commit", "machine", "code", "plan", "started"), str)
DECIDED |= {"plan_number": int, "versions": dict, "records": list, "verdicts": list}
RECORDED = ("arm", "problem", "point", "replicate", "status", "scalars", "per_unit", "cost", "error")


def plan_path(system: System, scale: str) -> Path:
    """Where the plan of a scale is kept."""
    return system.ledger / f"{scale}.plan.json"


def ledger_path(system: System, scale: str) -> Path:
    """Where the records and verdicts of a scale are kept."""
    return system.ledger / f"{scale}.json"


def read_plan(system: System, scale: str) -> dict[str, Any] | None:
    """The plan of a scale, or None.

    Raises:
        InputError: the file was damaged or edited.
    """
    return _read(plan_path(system, scale), PLANNED)


def read_ledger(system: System, scale: str) -> dict[str, Any] | None:
    """The ledger of a scale, or None. One that an earlier plan was decided by is none: the later plan has its verdicts.

    Raises:
        InputError: the file was damaged or edited.
    """
    content = _read(ledger_path(system, scale), DECIDED)
    plan = None if content is None else read_plan(system, scale)
    if content is None or plan is None:
        return content
    return None if content["plan"] in [earlier["digest"] for earlier in plan["earlier"]] else content


def _read(path: Path, needed: Mapping[str, type]) -> dict[str, Any] | None:
    if not path.exists():
        return None
    content, rule = read_json(path), "must be as holdfast wrote it; restore it with git"
    if not isinstance(content, dict) or not is_intact(content) or not needed.keys() <= content.keys():
        raise InputError(str(path), rule, "content that was changed")
    try:
        _check(content, needed)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(str(path), rule, repr(error)) from error
    return {name: value if name == "records" else renamed(value) for name, value in content.items()}


def _check(content: Mapping[str, Any], needed: Mapping[str, type]) -> None:
    """Raise some error unless all that is read later on is of the kind it should be."""
    for name, kind in needed.items():
        if not isinstance(content[name], kind) or isinstance(content[name], bool):
            raise TypeError(f"{name} is no {kind.__name__}")
    for row in content.get("records", ()):
        check_record(record_of(row))
    for decided in (content, *content.get("earlier", ())):
        if "verdicts" in decided:
            verdicts_of(decided)
    for entry in (*content.get("tuning", ()), *content.get("tuned", {}).values(), *content.get("looks", {}).values()):
        if not isinstance(entry, dict | list):
            raise TypeError("tuning, tuned and looks hold mappings and lists")
    for tried in content.get("tuning", ()):
        if not isinstance(tried["arm"], str) or not isinstance(tried["configuration"], dict):
            raise TypeError("a configuration is an arm and its settings")


def state(system: System, scale: str) -> State:
    """What a scale's ledger is worth now.

    "stale": the code declares something else than the plan. "edited": a file, or a verdict in it, does not follow from
    its records. "older code": only the implementation has changed since. "not run": a plan without a ledger.
    """
    try:
        plan, ledger = read_plan(system, scale), read_ledger(system, scale)
    except InputError:
        return "edited"
    if plan is None:
        return "none" if ledger is None else "edited"
    if plan["declaration"] != declaration(system.experiment, scale):
        return "stale"
    if ledger is None:
        return "not run"
    if ledger["plan"] != plan["digest"] or not _same(ledger["verdicts"], _verdicts_again(system, scale, plan, ledger)):
        return "edited"
    return "current" if ledger["code"] == closure_hash(f"{system.package}.experiment") else "older code"


def _verdicts_again(system: System, scale: str, plan: Mapping[str, Any], ledger: Mapping[str, Any]) -> Any:
    from holdfast.decision import decide_all
    from holdfast.trials.campaign import claims_about

    experiment = system.experiment
    records = [record_of(row) for row in ledger["records"]]
    if any(r.replicate is not None and r.replicate < plan["first_replicate"] for r in records):
        return None  # pilots, or replicates of an earlier plan
    claims = claims_about(experiment, experiment.scales[scale], {(r.arm, r.problem) for r in records})
    verdicts = decide_all(
        claims, RecordTable(records, experiment, experiment.scales[scale]), scale=experiment.scales[scale]
    )
    return [v.to_json() for v in verdicts]


def _same(a: Any, b: Any) -> bool:
    """Equality of JSON up to the last digits of numbers, which differ between machines and versions of libraries."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)
    return bool(a == b)


def record_of(row: Mapping[str, Any]) -> Record:
    """The record that a ledger's row stands for."""
    return Record(key="", **{name: row[name] for name in RECORDED if name in row})


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
    if plan["declaration"] != declaration(system.experiment, scale):
        changed = difference(plan["declaration"], declaration(system.experiment, scale))
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
        "records": [_row(record) for record in results.records],
        "verdicts": [verdict.to_json() for verdict in results.verdicts],
    }
    write_json(path, sealed(content))
    return path


def _row(record: Record) -> dict[str, Any]:
    row = {name: canonical(getattr(record, name)) for name in RECORDED}
    return {name: value for name, value in row.items() if value or name in ("replicate", "point", "scalars")}


def headline_of(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The headline's verdict, if it was decided on."""
    return next((v for v in verdicts if v.role == "headline"), None)


def trial_seconds(content: Mapping[str, Any]) -> float:
    """What the trials of a ledger took in all, one after the other; a run may have been interrupted and gone on."""
    return float(sum(row.get("cost", {}).get("seconds", 0.0) for row in content["records"]))


def verdicts_of(content: Mapping[str, Any]) -> list[Verdict]:
    """The verdicts kept in a ledger."""
    from holdfast.decision import Verdict

    return [Verdict.from_json(v) for v in content["verdicts"]]


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
    content = _read(path, DECIDED) or {}
    system = catalogue.load(content["system"])
    near = [path.with_name(f"{path.stem}.plan.json"), plan_path(system, content["scale"])]
    fitting = (plan for file in near if (plan := _plan_with(content["plan"], file)))
    return _as_results(system, next(fitting, {}), content, path)


def _plan_with(digest: str, path: Path) -> dict[str, Any] | None:
    """The plan in a file, if it is the one with this digest; a file that is damaged is not."""
    try:
        plan = _read(path, PLANNED)
    except InputError:
        return None
    return plan if plan is not None and plan["digest"] == digest else None


def _as_results(system: System, plan: Mapping[str, Any], ledger: Mapping[str, Any], path: Path) -> Results:
    from holdfast.trials.results import Results

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
