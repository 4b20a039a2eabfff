"""The command line. Nothing heavy is imported before a command needs it; systems' own verbs are mounted lazily."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

import holdfast
from holdfast import catalogue
from holdfast.cli.signals import Signals
from holdfast.errors import HoldfastError, InputError, Stopped
from holdfast.files import open_standard_streams
from holdfast.printable import clean, clean_line

MANY = ("--on", "--arms", "--problems")
UsageError: Any = typer.BadParameter.__mro__[1]  # click's, which typer brings with it or depends on, by version


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
        from rich.markup import escape

        about = escape(clean_line(system.card.texts.en.sentence))  # a plugin's words are no markup
        super().__init__(word, help=about, rich_help_panel="Systems, on your own data")
        self._system = system

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        verbs: Any = typer.main.get_group(self._system.cli())
        return verbs.make_context(info_name, args, parent=parent, **extra)


class _Systems(TyperGroup):
    """The commands below, and one per command word of every system that has verbs."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, BrokenPipeError) as error:
            raise _Left from error

    def list_commands(self, ctx: Any) -> list[str]:
        words = [w for s in catalogue.find().systems.values() if s.has_cli for w in s.commands]
        return [*super().list_commands(ctx), *words]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        found = catalogue.find()
        for system in (*found.systems.values(), *found.drafts.values()):
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
        _print(f"{system.id:<{width}}  {system.card.task} ({system.card.year}){origin}")
    if not systems:
        typer.echo("no system matches; `holdfast list` shows all")
    if found.drafts:
        count = len(found.drafts)
        typer.echo(f"not shown: {count} draft{'' if count == 1 else 's'} (not finished)", err=True)
    for name, why in found.broken.items():
        typer.echo(clean_line(f"cannot be used: {name}: {why}"), err=True)


@app.command()
def show(system: System) -> None:
    """Show what a system is for, what was claimed, and how to cite it.

    Example: holdfast show adamatch
    """
    from holdfast.report.card import card_text

    _print(card_text(catalogue.load(system)))


@app.command(cls=_TakesMany)
def run(
    system: System,
    scale: ScaleName = "demo",
    on: Annotated[list[str] | None, typer.Option(help="Your own data instead: one or more paths.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="With --on: role=name, what a column of your files is (label=diagnosis).")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="With --on: name=value, where the system asks (horizon=28).")
    ] = None,
    arms: Annotated[list[str] | None, typer.Option(help="Only these arms.")] = None,
    problems: Annotated[list[str] | None, typer.Option(help="Only these problems.")] = None,
    replicates: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Number of replicates instead of the rule's.")
    ] = None,
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
    from holdfast.cli.commands import Request, run_system

    request = Request(
        system=system,
        scale=scale,
        on=tuple(on or ()),
        columns=tuple(column or ()),
        settings=tuple(settings or ()),
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
    from holdfast.cli.commands import freeze_system

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
    from holdfast.cli.commands import show_verdicts

    raise typer.Exit(show_verdicts(system, check=check))


books = typer.Typer(no_args_is_help=True, help="Look after ledgers that are there: compute verdicts again.")
app.add_typer(books, name="ledger")


@books.command()
def reseal(
    system: System,
    scale: ScaleName = "small",
    why: Annotated[str, typer.Option(help="Why verdicts change; the earlier ones stay on record.")] = "",
) -> None:
    """Compute the verdicts of a ledger again from its records, without a run, and keep the earlier ones.

    Example: holdfast ledger reseal adamatch --why "wins of upper bounds were counted the wrong way round"
    """
    from holdfast.cli.commands import reseal_ledger

    reseal_ledger(system, scale, why)


@app.command()
def recheck(
    system: System,
    scale: ScaleName = "small",
    jobs: Jobs = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the trials. Default: holdfast-runs/SYSTEM/recheck.")
    ] = None,
    quiet: QuietFlag = False,
) -> None:
    """Run one final replicate of everything in a ledger again, and stamp it with today's code if the numbers agree.

    On the ledger's class of machine they must agree bit for bit, elsewhere as replicates do. The exit code is 1 if some
    differ.

    Example: holdfast recheck adamatch --jobs 2
    """
    from holdfast.cli.commands import recheck_ledger

    raise typer.Exit(recheck_ledger(system, scale, jobs=jobs, out=out, quiet=quiet))


@app.command()
def report(
    runs: Annotated[
        list[str],
        typer.Argument(help="Folders of runs, ledger files, or SYSTEM or SYSTEM/SCALE for what the ledger holds."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The page. Default: page.html in the folder; holdfast-runs/comparison.html for several."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Show a run again, or compare several with the first, and write the page.

    Examples:
    holdfast report holdfast-runs/adamatch/demo |
    holdfast report adamatch |
    holdfast report adamatch holdfast-runs/adamatch/own --out comparison.html
    """
    from holdfast.cli.commands import report_runs

    report_runs(runs, out, as_json=as_json)


@app.command()
def digest(
    out: Annotated[Path, typer.Option(help="Folder for index.html; made where there is none.")] = Path("site"),
) -> None:
    """Write one page with every system, in English and Chinese: what it is for, and whether its claim holds.

    Example: holdfast digest --out site/
    """
    from holdfast.cli.commands import make_digest

    make_digest(out)


@app.command()
def doctor() -> None:
    """Check this installation: versions, devices, threads, free disk, optional extras, plugins.

    Example: holdfast doctor
    """
    from holdfast.cli.doctor import findings

    for name, value in findings():
        _print(f"{name:<18} {value}")


class _Left(Exception):
    """Ctrl-C or a reader that has gone, past typer, which would end the program in silence or with another code."""


def main() -> None:
    """Entry point: expected failures in one line and exit code 2, Ctrl-C with 130, a signal with 128 and its number."""
    open_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that knows no "✓" shows a "?"
    Signals.listen()
    try:
        _main()
    except SystemExit as end:
        raise SystemExit(Signals.code(end.code)) if isinstance(end.code, int) else end from None


def _main() -> None:
    try:
        _check_words(sys.argv[1:])
        sys.exit(app(prog_name="holdfast", standalone_mode=False))
    except UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # click prints the help instead of the error
            error.show()
        else:
            _say(_usage(error))
        sys.exit(2)
    except (_Left, KeyboardInterrupt) as left:
        stop = left.__cause__ if isinstance(left, _Left) else left
        if isinstance(stop, KeyboardInterrupt):
            if not isinstance(stop, Stopped):  # who raises that has said it already, and knows more
                _say("interrupted; the same command goes on from there")
            sys.exit(130)
        # `holdfast list | head`: as every program that is ended by a pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except MemoryError:
        if "--debug" in sys.argv:
            raise
        _say("memory: there is not enough for this; give less data at a time, or use a machine with more")
        sys.exit(2)
    except (HoldfastError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        _say(_in_one_line(error))
        sys.exit(2)


def _in_one_line(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, HoldfastError):
        return f"{error.filename or 'file system'}: {error.strerror or error}"
    return str(error)


def _usage(error: Any) -> str:
    """A wrong command line in words, and where to look."""
    context = getattr(error, "ctx", None)
    where = "" if context is None else f" (see `{context.command_path} --help`)"
    return f"{error.format_message().rstrip('.')}{where}"


def _check_words(words: list[str]) -> None:
    """Bytes that are no text could be neither printed nor written into a page."""
    for word in words:
        if "\0" in word or any("\ud800" <= c <= "\udfff" for c in word):
            raise InputError("argument", "must be text in UTF-8; rename the file if it is a path", ascii(word))


def _print(text: str) -> None:
    typer.echo(clean(text))


def _say(text: str) -> None:
    with suppress(OSError):  # of a terminal that was closed
        typer.echo(clean_line(f"holdfast: {text}"), err=True)


if __name__ == "__main__":
    main()
