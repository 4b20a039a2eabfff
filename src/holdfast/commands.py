"""What the commands of `cli` do, apart from reading the command line."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast import catalogue, ledger
from holdfast.decision import Verdict
from holdfast.errors import HoldfastError, InputError
from holdfast.experiment import FIRST_FINAL_REPLICATE, Scale
from holdfast.files import read_json, write_json, write_text
from holdfast.freeze import Tuner
from holdfast.freeze import freeze as write_plan
from holdfast.report.digest import write_digest
from holdfast.report.page import write_page
from holdfast.report.results import Results
from holdfast.report.tables import print_results, to_json
from holdfast.trials.campaign import Campaign
from holdfast.trials.display import display
from holdfast.trials.executors import Executor, InProcess, LocalProcesses
from holdfast.trials.plan import Source
from holdfast.trials.store import Store

if TYPE_CHECKING:
    from rich.console import Console

RUNS = Path("holdfast-runs")


@dataclass(frozen=True)
class Request:
    """The options of `holdfast run`, see there."""

    system: str
    scale: str = "demo"
    on: tuple[str, ...] = ()
    arms: tuple[str, ...] | None = None
    problems: tuple[str, ...] | None = None
    replicates: int | None = None
    jobs: int | None = None
    out: Path | None = None
    device: str = "cpu"
    ledger: bool = False
    quiet: bool = False
    json: bool = False


def run_system(request: Request) -> int:
    """Run, report, record; the exit code: 0, 1 if a trial failed, 130 if interrupted."""
    system = catalogue.load(request.system)
    source = Source(system.id, tuple(str(Path(p).absolute()) for p in request.on))
    plan, first = _plan_for(system, request)
    folder = (request.out or RUNS / system.id / ("own" if request.on else request.scale)).absolute()
    scale = _scale(source, request.scale)
    console = _console(stderr=request.json)
    if scale.status:
        console.print(f"scale {request.scale}: {scale.status}", markup=False)
    with display(console, quiet=request.quiet) as show:
        campaign = Campaign(
            source=source,
            scale=request.scale,
            folder=folder,
            executor=executor_for(request.scale, scale, request.jobs),
            show=show,
            device=request.device,
            first=first,
            arms=request.arms,
            problems=request.problems,
            tuned=plan.get("tuned", {}),
            replicates=request.replicates,
        )
        command = "holdfast " + shlex.join(sys.argv[1:])
        results = campaign.run(title=system.card.title, card=system.card, plan=plan, command=command)
    _keep(results, source)
    page = write_page(results, folder / "page.html")
    if request.json:
        sys.stdout.write(to_json(results) + "\n")
    else:
        print_results(results, _console(), page=_short(page))
    if request.ledger and not results.interrupted:
        console.print(f"ledger: {_short(ledger.write_ledger(system, plan, results))}; commit it", markup=False)
    if results.interrupted:
        console.print("interrupted: finished trials are kept; the same command goes on from there", markup=False)
        return 130
    return 1 if results.failed else 0


def _plan_for(system: catalogue.System, request: Request) -> tuple[Mapping[str, Any], int]:
    """The frozen plan to follow ({} = none) and the number of the first replicate."""
    if request.ledger:
        for option in ("on", "arms", "problems", "replicates"):
            if getattr(request, option):
                raise InputError(f"--{option}", "cannot be combined with --ledger, which runs the whole plan")
        plan = ledger.ready(system, request.scale)
        return plan, plan["first_replicate"]
    found = ledger.read_plan(system, request.scale)
    if found is None or found["declaration"] != ledger.declaration(system.experiment, request.scale):
        # Nothing frozen to decide: the run explores, on replicates that no verdict will ever rest on. The user's own
        # data have no pilots: nobody has looked at them.
        return {}, FIRST_FINAL_REPLICATE if request.on else 0
    return found, found["first_replicate"]


def executor_for(name: str, scale: Scale, jobs: int | None) -> Executor:
    """In this process for smoke runs and `--jobs 0`, else worker processes."""
    if jobs == 0 or (jobs is None and name == "smoke"):
        return InProcess()
    return LocalProcesses(jobs or max(1, (os.cpu_count() or 1) // scale.threads))


def _scale(source: Source, name: str) -> Scale:
    scales = source.load().scales
    if name not in scales:
        raise InputError("--scale", f"must be one of {', '.join(scales)}", name)
    return scales[name]


def freeze_system(
    name: str, scale: str, *, why: str, jobs: int | None, out: Path | None, device: str, quiet: bool
) -> None:
    """Tune, write the plan, and say what comes next."""
    system = catalogue.load(name)
    source = Source(system.id)
    console = _console()
    with display(console, quiet=quiet) as show:
        executor = executor_for(scale, _scale(source, scale), jobs)
        folder = (out or RUNS / system.id / "pilots").absolute()
        tuner = Tuner(source, scale, folder, executor=executor, show=show, device=device)
        path = write_plan(system, tuner, why=why)
    plan = ledger.read_plan(system, scale) or {}
    for arm, values in plan["tuned"].items():
        shown = ", ".join(f"{k} = {_brief(v)}" for k, v in values.items())
        console.print(f"{arm}: {shown or 'nothing to tune'}", markup=False)
    console.print(f"plan {plan['number']}: {_short(path)}", markup=False)
    console.print(f"next: commit it, then holdfast run {system.id} --scale {scale} --ledger", markup=False)


def _brief(value: Any) -> str:
    return str(value.get("type", value)) if isinstance(value, Mapping) else str(value)


def show_verdicts(name: str | None, *, check: bool) -> int:
    """Print the ledger; the exit code: 1 if checked and something is stale or edited."""
    systems = [catalogue.load(name)] if name else list(catalogue.find().systems.values())
    bad = False
    for system in systems:
        plans = sorted(system.ledger.glob("*.plan.json")) if system.ledger.is_dir() else []
        for scale in (path.name.removesuffix(".plan.json") for path in plans):
            found = ledger.read_ledger(system, scale)
            state = ledger.state(system, scale) if check else ""
            bad |= state in ("stale", "edited")
            heading = f"{system.id}, {scale}" + (f": {state}" if state else "")
            print(heading if found else f"{heading}: plan frozen, not run yet")
            for verdict in ledger.verdicts_of(found) if found else []:
                print(f"  {_line(verdict)}")
    return 1 if bad else 0


def _line(verdict: Verdict) -> str:
    from holdfast.report import wording

    role = "" if verdict.role == "secondary" else f" ({verdict.role})"
    return f"{verdict.verdict:<17} {verdict.text}{role}: {wording.effect(verdict) or verdict.reason}"


def report_run(folder: Path, out: Path | None, *, as_json: bool) -> None:
    """Print the results of an earlier run and write their page."""
    results = _kept(folder.absolute())
    page = write_page(results, (out or folder / "page.html").absolute())
    if as_json:
        sys.stdout.write(to_json(results) + "\n")
    else:
        print_results(results, _console(), page=_short(page))


def make_digest(out: Path) -> None:
    """Write the digest of the whole catalogue and say where it is."""
    found = catalogue.find()
    page = write_digest(found, out.absolute())
    print(f"{len(found.systems)} system{'' if len(found.systems) == 1 else 's'}: {_short(page)}")
    for name, why in found.broken.items():
        print(f"cannot be used: {name}: {' '.join(why.split())}", file=sys.stderr)


def _keep(results: Results, source: Source) -> None:
    content = {
        "source": [source.reference, list(source.own)],
        "scale": results.scale,
        "keys": [record.key for record in results.records],
        "verdicts": [verdict.to_json() for verdict in results.verdicts],
        "plan": dict(results.plan),
        "provenance": dict(results.provenance),
        "command": results.command,
        "pilot": results.pilot,
        "interrupted": results.interrupted,
    }
    write_json(results.folder / "run.json", content)
    write_text(results.folder / "results.json", to_json(results) + "\n")


def _kept(folder: Path) -> Results:
    path = folder / "run.json"
    if not path.exists():
        raise InputError("folder", "must be the folder of a run that `holdfast run` wrote", str(folder))
    content = read_json(path)
    try:
        reference, own = content["source"]
        source = Source(reference, tuple(own))
        system = catalogue.load(reference)
        with Store(folder / "trials.sqlite") as store:
            records = store.get(content["keys"])
        return Results(
            system=system.id,
            title=system.card.title,
            card=system.card,
            scale=content["scale"],
            experiment=source.load(),
            records=[records[key] for key in content["keys"] if key in records],
            verdicts=[Verdict.from_json(v) for v in content["verdicts"]],
            plan=content["plan"],
            provenance=content["provenance"],
            command=content["command"],
            folder=folder,
            pilot=content["pilot"],
            interrupted=content["interrupted"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, HoldfastError):
            raise
        raise InputError(str(path), "must be as holdfast wrote it; run again to restore it", repr(error)) from error


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def _short(path: Path) -> Path:
    """Relative to where the user is, if it is below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
