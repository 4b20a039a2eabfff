"""Frozen plans and the ledger: what was going to be decided how, and what came out.

A plan is written before the final replicates run and committed; a ledger is written only against a committed,
unchanged plan from a clean commit. Both carry a digest of their content, verdicts can be recomputed from the records
beside them, and any trial can be run again: a file edited by hand gives itself away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.canonical import is_intact, sealed
from holdfast.decision.resampling import cases_read
from holdfast.errors import InputError
from holdfast.experiment import Experiment, Record
from holdfast.files import read_json, write_text
from holdfast.ledger.packing import as_text, pack, unpack
from holdfast.ledger.renamed import renamed
from holdfast.trials.records import check_record

if TYPE_CHECKING:
    from holdfast.catalogue import System
    from holdfast.decision import Verdict

# What the files hold. Their seals keep out accidents; whoever means harm seals what he likes.
PLANNED: dict[str, type] = dict.fromkeys(("number", "first_replicate"), int)
PLANNED |= dict.fromkeys(("declaration", "tuned", "looks"), dict) | dict.fromkeys(("tuning", "earlier"), list)
DECIDED: dict[str, type] = dict.fromkeys(("scale", "commit", "machine", "code", "plan", "started"), str)
DECIDED |= {"plan_number": int, "versions": dict, "records": list, "verdicts": list}
RECORDED = ("arm", "problem", "point", "replicate", "status", "scalars", "per_unit", "cost", "error")
UNKEPT = ("digest", "names")  # of a file: made anew whenever it is written


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
    return read_content(plan_path(system, scale), PLANNED)


def read_ledger(system: System, scale: str) -> dict[str, Any] | None:
    """The ledger of a scale, or None. One that an earlier plan was decided by is none: the later plan has its verdicts.

    Raises:
        InputError: the file was damaged or edited.
    """
    content = read_content(ledger_path(system, scale), DECIDED)
    plan = None if content is None else read_plan(system, scale)
    if content is None or plan is None:
        return content
    return None if content["plan"] in [earlier["digest"] for earlier in plan["earlier"]] else content


def read_content(path: Path, needed: Mapping[str, type]) -> dict[str, Any] | None:
    """A plan's or a ledger's content, records as mappings, names as they are today; None where there is no file.

    Args:
        needed: `PLANNED` or `DECIDED`.

    Raises:
        InputError: the file was damaged or edited.
    """
    if not path.exists():
        return None
    content, rule = read_json(path), "must be as holdfast wrote it; restore it with git"
    if not isinstance(content, dict) or not is_intact(content) or not needed.keys() <= content.keys():
        raise InputError(str(path), rule, "content that was changed")
    try:
        if "records" in content:
            content = {**content, "records": unpack(content)}
        _check(content, needed)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(str(path), rule, repr(error)) from error
    return {name: value if name == "records" else renamed(value) for name, value in content.items()}


def _check(content: Mapping[str, Any], needed: Mapping[str, type]) -> None:
    """Raise some error unless all that is read later on is of the kind it should be."""
    for name, kind in needed.items():
        if not isinstance(content[name], kind) or isinstance(content[name], bool):
            raise TypeError(f"{name} is no {kind.__name__}")
    for row in content.get("records", ()):
        check_record(record_of(row))
    for entry in content.get("resealed", ()):
        if not isinstance(entry["why"], str):
            raise TypeError("a ledger is resealed for a reason")
        verdicts_of(entry)
    for decided in (content, *content.get("earlier", ())):
        if "verdicts" in decided:
            verdicts_of(decided)
    for entry in (*content.get("tuning", ()), *content.get("tuned", {}).values(), *content.get("looks", {}).values()):
        if not isinstance(entry, dict | list):
            raise TypeError("tuning, tuned and looks hold mappings and lists")
    for tried in content.get("tuning", ()):
        if not isinstance(tried["arm"], str) or not isinstance(tried["configuration"], dict):
            raise TypeError("a configuration is an arm and its settings")


def record_of(row: Mapping[str, Any]) -> Record:
    """The record that a ledger's row stands for."""
    return Record(key="", **{name: row[name] for name in RECORDED if name in row})


def row_of(record: Record) -> dict[str, Any]:
    """The row of a ledger that stands for a record."""
    return {name: getattr(record, name) for name in RECORDED}


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


def write_content(path: Path, content: Mapping[str, Any], experiment: Experiment) -> Path:
    """Write a ledger's content, records as mappings, whole or not at all."""
    rows = [record_of(row) for row in content["records"]]
    packed = pack(rows, cases_read(experiment.claims, experiment))
    kept = {name: packed.get(name, value) for name, value in content.items() if name not in UNKEPT}
    ordered = {
        **{k: v for k, v in kept.items() if k != "records"},
        "names": packed["names"],
        "records": kept["records"],
    }
    write_text(path, as_text(sealed(ordered)))
    return path


__all__ = [
    "headline_of",
    "ledger_path",
    "plan_path",
    "read_content",
    "read_ledger",
    "read_plan",
    "record_of",
    "row_of",
    "trial_seconds",
    "verdicts_of",
    "write_content",
]
