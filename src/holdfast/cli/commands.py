"""What the commands of `cli` do, apart from reading the command line."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast import catalogue, ledger
from holdfast.decision import Verdict
from holdfast.errors import InputError
from holdfast.experiment import FIRST_FINAL_REPLICATE, Scale, declaration
from holdfast.files import write_text
from holdfast.ledger.freezing import Tuner
from holdfast.ledger.freezing import freeze as write_plan
from holdfast.ledger.rechecking import Recheck
from holdfast.ledger.resealing import reseal
from holdfast.ledger.state import same_declaration
from holdfast.printable import clean_line
from holdfast.report import sources, wording
from holdfast.report.bilingual import expected_errors
from holdfast.report.comparison import Comparison, compare
from holdfast.report.comparison_page import write_comparison
from holdfast.report.comparison_tables import comparison_json, print_comparison
from holdfast.report.digest import write_digest
from holdfast.report.entries import entry, false_headlines, stated
from holdfast.report.page import write_page
from holdfast.report.tables import print_results, to_json
from holdfast.trials import runfolder
from holdfast.trials.campaign import Campaign
from holdfast.trials.display import display
from holdfast.trials.executors import InProcess, LocalProcesses, TrialExecutor
from holdfast.trials.plan import ExperimentSource

if TYPE_CHECKING:
    from rich.console import Console

    from holdfast.trials.results import Results

RUNS = Path("holdfast-runs")


@dataclass(frozen=True)
class Request:
    """The options of `holdfast run`, see there."""

    system: str
    scale: str = "demo"
    on: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
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
    with _stdout_apart() if request.json else nullcontext():
        code, results = _run(request)
    if request.json:
        sys.stdout.write(to_json(results) + "\n")
    return code


@contextmanager
def _stdout_apart() -> Iterator[None]:
    """What anything prints in the block, trials and libraries too, goes to stderr: stdout belongs to the results."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)  # also for workers and for what does not print through Python
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _run(request: Request) -> tuple[int, Results]:
    system = catalogue.load(request.system)
    own = tuple(str(Path(p).absolute()) for p in request.on)
    columns = _pairs(request, "--column", request.columns, "role=name, such as label=diagnosis")
    settings = _pairs(request, "--set", request.settings, "name=value, such as horizon=28")
    source = ExperimentSource(system.id, own, columns, settings)
    scale = _scale(source, request.scale)  # before its name becomes part of a path
    _check_device(request.device)
    console = _console(stderr=request.json)
    plan, first = _plan_for(system, request, console)
    folder = (request.out or RUNS / system.id / ("own" if request.on else request.scale)).absolute()
    if scale.status:
        console.print(f"scale {request.scale}: {scale.status}", markup=False)
    said: dict[str, Any] = {"plan": plan, "command": "holdfast " + shlex.join(sys.argv[1:])}
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
            tuned=_tuned(plan, source) if request.on else plan.get("tuned", {}),
            replicates=request.replicates,
            note=lambda begun, keys: runfolder.begin(replace(begun, **said), source, keys),
        )
        results = replace(campaign.run(), **said)
    runfolder.keep(results, source)
    write_text(folder / runfolder.NUMBERS, to_json(results) + "\n")  # for other programs
    page = write_page(results, folder / runfolder.PAGE, system.card)
    if not request.json:
        print_results(results, _console(), page=_short(page))
    if request.ledger and not results.interrupted:
        console.print(f"ledger: {_short(ledger.write_ledger(system, plan, results))}; commit it", markup=False)
    if results.interrupted:
        console.print("interrupted: finished trials are kept; the same command goes on from there", markup=False)
        return 130, results
    return 1 if results.failed else 0, results


def _pairs(request: Request, option: str, said: Sequence[str], form: str) -> tuple[tuple[str, str], ...]:
    """`--column role=name` or `--set name=value` as pairs."""
    if said and not request.on:
        raise InputError(option, "needs --on: it is about your own files", said[0])
    pairs: list[tuple[str, str]] = []
    for one in said:
        name, separator, value = one.partition("=")
        if not separator or not name.strip() or not value.strip():
            raise InputError(option, f"must be {form}", one)
        if name.strip() in dict(pairs):
            raise InputError(option, "may name each once", name.strip())
        pairs.append((name.strip(), value.strip()))
    return tuple(pairs)


def _tuned(plan: Mapping[str, Any], source: ExperimentSource) -> dict[str, Any]:
    """What arms that are run on the user's data as they are declared were tuned to; others have their own settings."""
    experiment = source.load()
    tuned = plan.get("tuned", {}).items()
    return {name: found for name, found in tuned if name in experiment.arms and set(found) <= {*experiment.space(name)}}


def _plan_for(system: catalogue.System, request: Request, console: Console) -> tuple[Mapping[str, Any], int]:
    """The frozen plan to follow ({} = none) and the number of the first replicate: a pilot's until it is decided."""
    if request.ledger:
        for option in ("on", "arms", "problems", "replicates"):
            if getattr(request, option):
                raise InputError(f"--{option}", "cannot be combined with --ledger, which runs the whole plan")
        plan = ledger.ready(system, request.scale)
        return plan, plan["first_replicate"]
    found = ledger.read_plan(system, request.scale)
    if found is None or not same_declaration(found["declaration"], declaration(system.experiment, request.scale)):
        # Nothing frozen to decide: the run explores, on replicates that no verdict will ever rest on. The user's own
        # data have no pilots: nobody has looked at them.
        return {}, FIRST_FINAL_REPLICATE if request.on else 0
    if not request.on and ledger.read_ledger(system, request.scale) is None:
        # Whoever looked at the final replicates of a plan before it is decided could change his mind about it.
        said = f"plan {found['number']} is not decided yet, so this run explores, on pilots; --ledger decides it"
        console.print(said, markup=False)
        return found, 0
    return found, found["first_replicate"]


def executor_for(name: str, scale: Scale, jobs: int | None) -> TrialExecutor:
    """In this process for smoke runs and `--jobs 0`, else worker processes."""
    if jobs == 0 or (jobs is None and name == "smoke"):
        return InProcess()
    return LocalProcesses(jobs or max(1, (os.cpu_count() or 1) // scale.threads))


def _check_device(name: str) -> None:
    """Refuse what no device is called. Whether it is there, only a system knows that uses it."""
    if not re.fullmatch(r"cpu|mps|(cuda|xpu)(:[0-9]{1,3})?", name):
        raise InputError("--device", "must be cpu, cuda, cuda:1, ... or mps", name)


def _scale(source: ExperimentSource, name: str) -> Scale:
    scales = source.load().scales
    if name not in scales:
        raise InputError("--scale", f"must be one of {', '.join(scales)}", name)
    return scales[name]


def freeze_system(
    name: str, scale: str, *, why: str, jobs: int | None, out: Path | None, device: str, quiet: bool
) -> None:
    """Tune, write the plan, and say what comes next."""
    system = catalogue.load(name)
    source = ExperimentSource(system.id)
    console = _console()
    _check_device(device)
    with display(console, quiet=quiet) as show:
        executor = executor_for(scale, _scale(source, scale), jobs)
        folder = (out or RUNS / system.id / "pilots").absolute()
        tuner = Tuner(source, scale, folder, executor=executor, show=show, device=device)
        path = write_plan(system, tuner, why=why)
    plan = ledger.read_plan(system, scale) or {}
    for arm, values in plan["tuned"].items():
        shown = ", ".join(f"{k} = {_brief(v)}" for k, v in values.items())
        console.print(clean_line(f"{arm}: {shown or 'nothing to tune'}"), markup=False)
    console.print(f"plan {plan['number']}: {_short(path)}", markup=False)
    console.print(f"next: commit it, then holdfast run {system.id} --scale {scale} --ledger", markup=False)


def _brief(value: Any) -> str:
    return str(value.get("type", value)) if isinstance(value, Mapping) else str(value)


def reseal_ledger(name: str, scale: str, why: str) -> None:
    """Compute verdicts again and say what changed."""
    system = catalogue.load(name)
    _scale(ExperimentSource(system.id), scale)
    changed = reseal(system, scale, why)
    for line in changed:
        print(clean_line(line))
    said = f"{len(changed)} verdicts changed; the earlier ones are kept" if changed else "no number changed"
    print(f"{_short(ledger.ledger_path(system, scale))}: {said}; commit it")


def recheck_ledger(name: str, scale: str, *, jobs: int | None, out: Path | None, quiet: bool) -> int:
    """Run a replicate of everything again and say whether the numbers agree; the exit code: 1 if not."""
    system = catalogue.load(name)
    declared = _scale(ExperimentSource(system.id), scale)
    folder = (out or RUNS / system.id / f"recheck-{scale}").absolute()
    with display(_console(), quiet=quiet) as show:
        found = Recheck(system, scale, folder, executor_for(scale, declared, jobs), show).run()
    how = "bit for bit" if found.exact else "statistically, as this is another class of machine or other versions"
    for line in found.differing:
        print(clean_line(line))
    if found.differing:
        count = len(found.differing)
        said = f"{count} difference{'' if count == 1 else 's'} in {found.cells} trials (compared {how})"
        print(f"{said}; the ledger is left as it is")
        return 1
    path = _short(ledger.ledger_path(system, scale))
    print(f"{path}: {found.cells} trials agree (compared {how}); stamped with today's code, commit it")
    if not found.exact:
        print(f"differences are {found.typical:.2g} of those between seeds at the median, {found.largest:.2g} at most")
    return 0


def show_verdicts(name: str | None, *, check: bool) -> int:
    """Print the ledger; the exit code: 1 if checked and something is stale or edited."""
    systems = [catalogue.load(name)] if name else list(catalogue.find().systems.values())
    bad = False
    for system in systems:
        plans = sorted(system.ledger.glob("*.plan.json")) if system.ledger.is_dir() else []
        for scale in (path.name.removesuffix(".plan.json") for path in plans):
            plan = ledger.read_plan(system, scale)  # a damaged one is named
            found = ledger.read_ledger(system, scale)
            state = ledger.state(system, scale) if check else ""
            bad |= state in ("stale", "edited")
            heading = f"{system.id}, {scale}" + (f": {state}" if state else "")
            print(clean_line(heading if found else f"{heading}: plan frozen, not run yet"))
            for verdict in ledger.verdicts_of(found) if found else []:
                print(f"  {clean_line(_line(verdict))}")
            for undecided in (e for e in (plan or {}).get("earlier", ()) if not e["verdicts"]):
                print(f"  plan {undecided['number']} was replaced before it was decided")
    errors = false_headlines(entry(system).headline for system in systems)
    if name is None and errors.tested:
        print(expected_errors(errors)[0])
    return 1 if bad else 0


def _line(verdict: Verdict) -> str:
    role = "" if verdict.role == "secondary" else f" ({verdict.role})"
    return f"{stated(verdict):<19} {verdict.text}{role}: {wording.effect(verdict) or verdict.reason}"


def report_runs(names: Sequence[str], out: Path | None, *, as_json: bool) -> None:
    """Print the results of an earlier run, or a comparison of several, and write the page."""
    found = [(name, sources.find(name)) for name in names]
    if len(found) > 1:
        _report_comparison(compare(found), out, as_json=as_json)
        return
    ((_, results),) = found
    kept = runfolder.is_run(results.folder)
    folder = results.folder if kept else RUNS / results.system / f"ledger-{results.scale}"
    page = write_page(results, _page(out, folder / runfolder.PAGE), catalogue.load(results.system).card)
    if as_json:
        sys.stdout.write(to_json(results) + "\n")
    else:
        print_results(results, _console(), page=_short(page))


def _report_comparison(comparison: Comparison, out: Path | None, *, as_json: bool) -> None:
    page = write_comparison(comparison, _page(out, RUNS / "comparison.html"))
    if as_json:
        sys.stdout.write(comparison_json(comparison) + "\n")
    else:
        print_comparison(comparison, _console(), page=_short(page))


def _page(out: Path | None, default: Path) -> Path:
    """Where the page goes; into `out` if that is a folder."""
    path = (out or default).absolute()
    return path / default.name if path.is_dir() else path


def make_digest(out: Path) -> None:
    """Write the digest of the whole catalogue and say where it is."""
    found = catalogue.find()
    page = write_digest(found, out.absolute())
    drafts = f", {len(found.drafts)} not shown as drafts" if found.drafts else ""
    print(f"{len(found.systems)} system{'' if len(found.systems) == 1 else 's'}{drafts}: {_short(page)}")
    for name, why in found.broken.items():
        print(clean_line(f"cannot be used: {name}: {why}"), file=sys.stderr)


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end the program with the code that says a trial has failed

    return Ours(stderr=stderr, highlight=False)


def _short(path: Path) -> str:
    """As it is shown: relative to where the user is, if it is below; a name may hold what controls a terminal."""
    here = Path.cwd()
    return clean_line(path.relative_to(here) if path.is_relative_to(here) else path)
