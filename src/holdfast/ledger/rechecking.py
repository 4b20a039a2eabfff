"""One final replicate of everything in a ledger, run again with the code of now: are these still its numbers?"""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, stdev
from typing import TYPE_CHECKING, Any

from holdfast.errors import HoldfastError
from holdfast.experiment import Record, declaration
from holdfast.ledger.files import ledger_path, read_ledger, read_plan, record_of, write_content
from holdfast.ledger.state import same_declaration
from holdfast.trials import provenance
from holdfast.trials.campaign import run_missing, sole_use
from holdfast.trials.closure import closure_hash
from holdfast.trials.display import Quiet
from holdfast.trials.execute import Task
from holdfast.trials.executors import InProcess, TrialExecutor
from holdfast.trials.plan import ExperimentSource, plan
from holdfast.trials.store import Store

if TYPE_CHECKING:
    from holdfast.catalogue import System

FALSE_ALARMS = 0.01  # chance that unchanged code is said to differ, over all that is compared statistically
FIXED = 1e-4  # relative difference that processors may make of a number that does not vary over replicates
Cell = tuple[str, str, tuple[tuple[str, Any], ...]]  # names of an arm and a problem, and the swept point


@dataclass(frozen=True)
class Rechecked:
    """What came of it.

    Attributes:
        cells: combinations of arm, problem and swept point that were run again.
        exact: compared bit for bit, as machine and libraries are those of the ledger; else statistically.
        differing: what does not agree, a line each; the ledger is stamped with today's code only if there is none.
        typical, largest: differences where they are judged statistically, median and maximum, in units of what another
            seed would make of them (standard deviation over replicates times sqrt 2). Another code that happens to pass
            shows here: float noise is typically a small part of 1.
    """

    cells: int
    exact: bool
    differing: tuple[str, ...]
    typical: float = 0.0
    largest: float = 0.0


@dataclass(frozen=True)
class Recheck:
    """Runs the trials again.

    Attributes:
        system, scale: whose ledger.
        folder: of the store; trials that are in it are not run again.
        executor, show: as in a campaign.
    """

    system: System
    scale: str
    folder: Path
    executor: TrialExecutor = field(default_factory=InProcess)
    show: Quiet = field(default_factory=Quiet)

    def run(self) -> Rechecked:
        """Run, compare and, if nothing differs, stamp the ledger.

        Raises:
            HoldfastError: there is no ledger, or its plan is not what the code declares.
        """
        system, scale = self.system, self.scale
        path = ledger_path(system, scale)
        frozen, content = read_plan(system, scale), read_ledger(system, scale)
        if frozen is None or content is None:
            raise HoldfastError(f"{path}: no ledger; `holdfast run {system.id} --scale {scale} --ledger` makes one")
        if not same_declaration(frozen["declaration"], declaration(system.experiment, scale)):
            raise HoldfastError(f"{path}: the code declares something else than its plan; freeze a new plan")
        kept = [record_of(row) for row in content["records"]]
        first = _first_of_each(kept)
        again = self._again(frozen, first)
        exact = content["machine"] == provenance.machine() and content["versions"] == provenance.all_versions()
        wrong, sizes = (_not_equal(first, again), []) if exact else _too_far(kept, first, again)
        found = Rechecked(len(first), exact, tuple(wrong), median(sizes or [0.0]), max(sizes, default=0.0))
        if not wrong:
            write_content(path, _stamped(content, system, found), system.experiment)
        return found

    def _again(self, frozen: Mapping[str, Any], first: Mapping[Cell, Record]) -> dict[Cell, Record]:
        source = ExperimentSource(self.system.id)
        limit = source.load().scales[self.scale].time_limit_s
        tasks: list[Task] = []
        for replicate in sorted({r.replicate for r in first.values()}, key=lambda r: -1 if r is None else r):
            pairs = dict.fromkeys((r.arm, r.problem) for r in first.values() if r.replicate == replicate)
            numbers = [frozen["first_replicate"] if replicate is None else replicate]
            trials = plan(source, self.scale, numbers, tuned=frozen["tuned"], pairs=pairs)
            wanted = {cell for cell, record in first.items() if record.replicate == replicate}
            tasks += [
                Task(source, self.scale, t, self.folder, "cpu", limit)
                for t in trials
                if (t.arm, t.problem, _point(t.point)) in wanted
            ]
        with sole_use(self.folder), Store(self.folder / "trials.sqlite") as store:
            run_missing(store, tasks, self.executor, self.show, f"{self.system.id} at {self.scale}, again")
            records = store.get(task.trial.key for task in tasks)
        return {_cell(record): record for record in records.values()}


def _point(point: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(point.items()))


def _cell(record: Record) -> Cell:
    return record.arm, record.problem, _point(record.point)


def _first_of_each(records: Sequence[Record]) -> dict[Cell, Record]:
    """The finished record with the lowest replicate of every arm, problem and point."""
    found: dict[Cell, Record] = {}
    for record in records:
        before = found.get(_cell(record))
        if record.status == "ok" and (before is None or (record.replicate or 0) < (before.replicate or 0)):
            found[_cell(record)] = record
    return found


def _not_equal(first: Mapping[Cell, Record], again: Mapping[Cell, Record]) -> list[str]:
    wrong = []
    for cell, old in first.items():
        new = again.get(cell)
        if new is None or new.status != "ok":
            wrong.append(f"{_named(old)}: {'did not end' if new is None else f'failed now ({new.error})'}")
            continue
        both = ((m, old.scalars.get(m), new.scalars.get(m)) for m in dict.fromkeys([*old.scalars, *new.scalars]))
        wrong += [f"{_named(old)}: {metric} {was}, now {now}" for metric, was, now in both if was != now]
        cases = [m for m, kept in old.per_unit.items() if _cases(kept) != _cases(new.per_unit.get(m, {}))]
        wrong += [f"{_named(old)}: values per case of {metric}" for metric in cases]
    return wrong


def _cases(found: Mapping[str, Any]) -> tuple[Any, Any]:
    values = [list(v) if isinstance(v, list | tuple) else v for v in found.get("values", ())]
    return values, list(found.get("units", ()))


def _too_far(
    kept: Sequence[Record], first: Mapping[Cell, Record], again: Mapping[Cell, Record]
) -> tuple[list[str], list[float]]:
    """Differences that are too large for the same replicate on another machine.

    Rounding that differs between processors moves a trained number by up to as much as another seed does, and not by
    more. So each difference is divided by the standard deviation over replicates of its arm on its problem, times
    sqrt(2), and compared with Student's t at 1 % over all that is compared (Bonferroni). Numbers that do not vary over
    replicates must agree to 4 digits: forecasts that feed on themselves let rounding grow, and a ridge regression's
    error on a real series moved by 6e-5 from one processor to another with the same code.
    """
    from scipy.stats import t

    spread = _spread(kept)
    compared: list[tuple[Record, str, float, float, int]] = []
    wrong = []
    for cell, old in first.items():
        new = again.get(cell)
        if new is None or new.status != "ok":
            wrong.append(f"{_named(old)}: {'did not end' if new is None else f'failed now ({new.error})'}")
            continue
        for metric, value in old.scalars.items():
            if metric not in new.scalars:
                wrong.append(f"{_named(old)}: no {metric} now")
                continue
            sd, n = spread.get((cell, metric), (0.0, 1))
            difference = new.scalars[metric] - value
            if n < 2 or sd == 0:
                if not math.isclose(new.scalars[metric], value, rel_tol=FIXED, abs_tol=1e-9):
                    wrong.append(f"{_named(old)}: {metric} {value:.6g}, now {new.scalars[metric]:.6g}")
            else:
                compared.append((old, metric, difference, sd, n))
    for old, metric, difference, sd, n in compared:
        limit = float(t.isf(FALSE_ALARMS / 2 / len(compared), n - 1))
        if abs(difference) > limit * sd * math.sqrt(2):
            wrong.append(f"{_named(old)}: {metric} moved by {difference:+.3g}; replicates vary by {sd:.3g}")
    return wrong, [abs(difference) / sd / math.sqrt(2) for _, _, difference, sd, _ in compared]


def _spread(records: Sequence[Record]) -> dict[tuple[Cell, str], tuple[float, int]]:
    values: dict[tuple[Cell, str], list[float]] = {}
    for record in records:
        if record.status == "ok":
            for metric, value in record.scalars.items():
                values.setdefault((_cell(record), metric), []).append(value)
    return {which: (stdev(found) if len(found) > 1 else 0.0, len(found)) for which, found in values.items()}


def _named(record: Record) -> str:
    point = "".join(f", {name} = {value}" for name, value in record.point.items())
    number = "" if record.replicate is None else f", replicate {record.replicate}"
    return f"{record.arm} on {record.problem}{point}{number}"


def _stamped(content: Mapping[str, Any], system: System, found: Rechecked) -> dict[str, Any]:
    """The ledger with the hash of today's code, and a note of how that was found to give its numbers."""
    code = closure_hash(f"{system.package}.experiment")
    note = {
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": provenance.commit(ledger_path(system, content["scale"]).parent),
        "code": code,
        "machine": provenance.machine(),
        "cells": found.cells,
        "compared": "bit for bit" if found.exact else "statistically",
    }
    if not found.exact:
        note |= {"typical": float(f"{found.typical:.3g}"), "largest": float(f"{found.largest:.3g}")}
    return {**content, "code": code, "rechecked": [*content.get("rechecked", ()), note]}


__all__ = ["Recheck", "Rechecked"]
