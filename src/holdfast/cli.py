"""The command line. Nothing heavy is imported before a command needs it; systems' own verbs are mounted lazily."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

import holdfast
from holdfast import catalogue
from holdfast.errors import HoldfastError

MANY = ("--on", "--arms", "--problems")


class _TakesMany(TyperCommand):
    """Lets `--on A B` stand for `--on A --on B`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        spread: list[str] = []
        option = None
        for i, word in enumerate(args):
            if word.startswith("-"):
                option = word if word in MANY else None
            elif option is not None and args[i - 1] != option:
                spread.append(option)
            spread.append(word)
        return super().parse_args(ctx, spread)


class _System(TyperCommand):
    """Stands for a system's group of verbs in `--help`; imports them when called."""

    def __init__(self, system: catalogue.System, word: str) -> None:
        super().__init__(word, help=system.card.texts.en.sentence, rich_help_panel="Systems, on your own data")
        self._system = system

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        verbs: Any = typer.main.get_group(self._system.cli())
        return verbs.make_context(info_name, args, parent=parent, **extra)


class _Systems(TyperGroup):
    """The commands below, and one per command word of every system that has verbs."""

    def list_commands(self, ctx: Any) -> list[str]:
        words = [w for s in catalogue.find().systems.values() if s.has_cli for w in s.commands]
        return [*super().list_commands(ctx), *words]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        for system in catalogue.find().systems.values():
            if system.has_cli and cmd_name in system.commands:
                return _System(system, cmd_name)
        return None


app = typer.Typer(
    cls=_Systems,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Machine-learning papers as parts, tools and tested claims: does it hold?",
    epilog="First steps: `holdfast list`, then `holdfast run adamatch`.",
)
System = Annotated[str, typer.Argument(help="Id of a system, see `holdfast list`.")]
ScaleName = Annotated[str, typer.Option("--scale", help="smoke, demo, small or full.")]
Jobs = Annotated[int | None, typer.Option(help="Trials at a time; 0 = in this process. Default: cores / threads.")]
Out = Annotated[Path | None, typer.Option(help="Folder of the run. Default: holdfast-runs/SYSTEM/SCALE.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...")]
QuietFlag = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]


def _version(value: bool) -> None:
    if value:
        typer.echo(holdfast.__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of expected errors, too.")] = False,
) -> None:
    """Options of every command."""


@app.command("list")
def list_systems(
    task: Annotated[str, typer.Option(help="Only tasks that contain this text.")] = "",
    area: Annotated[str, typer.Option(help="Only this area: LG, CV, CL, AS or RO.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """List the systems.

    Example: holdfast list --area CV --task "new domain"
    """
    found = catalogue.find()
    systems = [
        s
        for s in found.systems.values()
        if task.lower() in s.card.task.lower() and (not area or area.upper() in s.card.areas)
    ]
    if as_json:
        typer.echo(json.dumps([{**s.card.model_dump(mode="json"), "origin": s.origin} for s in systems], indent=1))
        return
    width = max((len(s.id) for s in systems), default=0)
    for system in systems:
        origin = "" if system.origin == "built in" else f"  [{system.origin}]"
        typer.echo(f"{system.id:<{width}}  {system.card.task} ({system.card.year}){origin}")
    if not systems:
        typer.echo("no system matches; `holdfast list` shows all")
    for name, why in found.broken.items():
        typer.echo(f"cannot be used: {name}: {' '.join(why.split())}", err=True)


@app.command()
def show(system: System) -> None:
    """Show what a system is for, what was claimed, and how to cite it.

    Example: holdfast show adamatch
    """
    from holdfast.report.card import card_text

    typer.echo(card_text(catalogue.load(system)))


@app.command(cls=_TakesMany)
def run(
    system: System,
    scale: ScaleName = "demo",
    on: Annotated[list[str] | None, typer.Option(help="Your own data instead: one or more paths.")] = None,
    arms: Annotated[list[str] | None, typer.Option(help="Only these arms.")] = None,
    problems: Annotated[list[str] | None, typer.Option(help="Only these problems.")] = None,
    replicates: Annotated[int | None, typer.Option(min=1, help="Number of replicates instead of the rule's.")] = None,
    jobs: Jobs = None,
    out: Out = None,
    device: Device = "cpu",
    to_ledger: Annotated[bool, typer.Option("--ledger", help="Record against the frozen, committed plan.")] = False,
    quiet: QuietFlag = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Put a paper's claims to the test: run the arms, decide, write a page.

    A repeated run goes on where it stopped and runs nothing twice.

    Examples:
    holdfast run adamatch |
    holdfast run adamatch --scale small --jobs 2 |
    holdfast run adamatch --on photos/ renders/
    """
    from holdfast.commands import Request, run_system

    request = Request(
        system=system,
        scale=scale,
        on=tuple(on or ()),
        arms=tuple(arms) if arms else None,
        problems=tuple(problems) if problems else None,
        replicates=replicates,
        jobs=jobs,
        out=out,
        device=device,
        ledger=to_ledger,
        quiet=quiet or as_json,
        json=as_json,
    )
    raise typer.Exit(run_system(request))


@app.command()
def freeze(
    system: System,
    scale: ScaleName = "small",
    why: Annotated[str, typer.Option(help="Why an earlier plan is replaced; its verdicts stay on record.")] = "",
    jobs: Jobs = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the pilots.")] = None,
    device: Device = "cpu",
    quiet: QuietFlag = False,
) -> None:
    """Tune every arm equally on pilots and write the plan that `run --ledger` will decide.

    Example: holdfast freeze adamatch --scale small && git add ledger && git commit
    """
    from holdfast.commands import freeze_system

    freeze_system(system, scale, why=why, jobs=jobs, out=out, device=device, quiet=quiet)


@app.command()
def verdicts(
    system: Annotated[str | None, typer.Argument(help="Only this system.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Compare plans and ledgers with the code (imports it).")
    ] = False,
) -> None:
    """Show what the ledger says: every verdict, with its interval.

    Example: holdfast verdicts adamatch --check
    """
    from holdfast.commands import show_verdicts

    raise typer.Exit(show_verdicts(system, check=check))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.")],
    out: Annotated[Path | None, typer.Option(help="The page. Default: page.html in the folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Show a run again and write its page anew.

    Example: holdfast report holdfast-runs/adamatch/demo
    """
    from holdfast.commands import report_run

    report_run(folder, out, as_json=as_json)


@app.command()
def digest(
    out: Annotated[Path, typer.Option(help="Folder for index.html; made where there is none.")] = Path("site"),
) -> None:
    """Write one page with every system, in English and Chinese: what it is for, and whether its claim holds.

    Example: holdfast digest --out site/
    """
    from holdfast.commands import make_digest

    make_digest(out)


@app.command()
def doctor() -> None:
    """Check this installation: versions, devices, threads, free disk, optional extras, plugins.

    Example: holdfast doctor
    """
    from holdfast.doctor import findings

    for name, value in findings():
        typer.echo(f"{name:<18} {value}")


def main() -> None:
    """Entry point: expected failures in one line and exit code 2, Ctrl-C with 130."""
    try:
        app(prog_name="holdfast")
    except KeyboardInterrupt:
        _say("interrupted; the same command goes on from there")
        sys.exit(130)
    except BrokenPipeError:  # `holdfast list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (HoldfastError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        _say(_in_one_line(error))
        sys.exit(2)


def _in_one_line(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, HoldfastError):
        return f"{error.filename or 'file system'}: {error.strerror or error}"
    return " ".join(str(error).split())


def _say(text: str) -> None:
    typer.echo(f"holdfast: {text}", err=True)


if __name__ == "__main__":
    main()
