"""muTransfer on your own models: `holdfast mutransfer report`, `check`, `sweep`."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.console import bar
from holdfast.errors import HoldfastError, InputError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Make a model's learning rate transfer across width: what is scaled, whether it is right, which rate to take. "
    "BUILDER is `module:function`: a function of yours from a width to a torch.nn.Module.",
)
BUILDER = typer.Argument(help="module:function, width -> torch.nn.Module; looked for here and where Python looks.")
RULES = ("mup", "umup", "spectral", "sp")


@app.command()
def report(
    builder: Annotated[str, BUILDER],
    base: Annotated[int, typer.Option(min=1, help="Width at which all factors are 1.")] = 64,
    delta: Annotated[
        int | None, typer.Option(help="Another width, to see what grows; default: twice the base.")
    ] = None,
    width: Annotated[int, typer.Option(min=1, help="Width to report on.")] = 1024,
    rule: Annotated[str, typer.Option(help="mup, umup, spectral or sp.")] = "mup",
    out: Annotated[Path | None, typer.Option(help="Also write the table: .csv or .json.")] = None,
) -> None:
    """Print what is done to every tensor: role, initialisation, multiplier, factors of learning rates.

    Example: `holdfast mutransfer report models:build --base 64 --width 2048`
    """
    import torch

    build = _imported(builder)
    mu = _parametrization(build, base, delta, rule)
    with torch.random.fork_rng(devices=[]):
        found = mu.report(_built(build, width))
    frame = found.frame()
    if out is not None:
        _write(frame, out)
    _print(frame, f"{builder} at width {width}, base {base}")
    for name in found.unscaled_attention:
        _say(f"{name}: looks like attention, but the width of its heads could not be told; it is left alone.")


@app.command()
def check(
    builder: Annotated[str, BUILDER],
    widths: Annotated[str, typer.Option(help="At least three, the first is the base.")] = "64,128,256,512",
    batch: Annotated[
        str | None, typer.Option(help="module:function, () -> (inputs, targets) or a dict; default: random data.")
    ] = None,
    rule: Annotated[str, typer.Option(help="mup, umup, spectral or sp.")] = "mup",
    lr: Annotated[float, typer.Option(help="A large rate shows mistakes sooner.")] = 0.01,
    steps: Annotated[int, typer.Option(min=2, help="Forward passes.")] = 4,
    seeds: Annotated[int, typer.Option(min=1, help="Models per width.")] = 3,
    out: Annotated[
        Path, typer.Option(help="Folder for check.html, check.svg, check.png, slopes.csv, activations.csv.")
    ] = Path("coord_check"),
    device: Annotated[str, typer.Option(help="cpu, cuda, ...")] = "cpu",
) -> None:
    """Train a few steps at several widths and see whether activations keep their size. Exit code 1 if they do not.

    Example: `holdfast mutransfer check models:build --widths 64,128,256,512 --batch models:batch`
    """
    from holdfast.systems.mutransfer.coordcheck import coord_check
    from holdfast.systems.mutransfer.pages import check_page
    from holdfast.systems.mutransfer.problems import random_batch

    sizes = _numbers(widths, "--widths", int)
    build = _imported(builder)
    data = _batch(batch)() if batch else random_batch(_built(build, sizes[0]), 64)
    mu = _parametrization(build, min(sizes), None, rule)
    with bar("Checking") as progress:
        found = coord_check(
            build, sizes, data, mu=mu, lr=lr, steps=steps, seeds=seeds, device=device, progress=progress
        )
    out.mkdir(parents=True, exist_ok=True)
    _write(found.slopes, out / "slopes.csv")
    _write(found.frame, out / "activations.csv")
    _figures(found.figure(), out / "check")
    repeat = f"holdfast mutransfer check {builder} --widths {','.join(map(str, sizes))} --rule {rule} --lr {lr:g}"
    repeat += f" --steps {steps} --seeds {seeds}" + (f" --batch {batch}" if batch else "")
    check_page(found, out / "check.html", subject=f"{builder} under {rule}", command=repeat)
    last = found.slopes[found.slopes["step"] == steps]
    _print(last[last["leaf"]][["layer", "size", "change"]], f"slopes over log width after {steps - 1} steps")
    typer.echo(found.verdict)
    _say(f"page: {out / 'check.html'}; figure: {out / 'check.svg'}")
    if not found.passed:
        raise typer.Exit(1)


app.command(name="coord-check", hidden=True)(check)


@app.command()
def sweep(
    builder: Annotated[str, BUILDER],
    widths: Annotated[str, typer.Option(help="At least two, the first is the base.")] = "64,128,256",
    rates: Annotated[str, typer.Option(help="Base rates: FROM:TO in powers of two, or a list.")] = "-13:-4",
    batch: Annotated[
        str | None, typer.Option(help="module:function, () -> (inputs, targets) to train on; default: random data.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Steps of Adam in each run.")] = 100,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows per step.")] = 32,
    seeds: Annotated[int, typer.Option(min=1, help="Runs per width and rate; 8 let the claims be decided.")] = 2,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; default: one per core.")] = None,
    out: Annotated[Path, typer.Option(help="Folder; a repeated command goes on in it.")] = Path("sweep"),
) -> None:
    """Learning rate against loss for every width, under muP and as the model comes; which rate to take.

    Runs go through `holdfast run mutransfer --on`, so they are parallel, resumable, and end in a page.

    Example: `holdfast mutransfer sweep models:build --widths 64,128,256 --rates -12:-4 --batch models:batch`
    """
    import pandas as pd

    from holdfast.files import write_json
    from holdfast.systems.mutransfer.sweep import TransferSweep

    _imported(builder)
    if batch:
        _batch(batch)
    out.mkdir(parents=True, exist_ok=True)
    spec = out / "model.json"
    content = {
        "builder": builder,
        "batch": batch or "",
        "folder": str(Path.cwd()),
        "widths": _numbers(widths, "--widths", int),
        "rates": _rates(rates),
        "steps": steps,
        "batch_size": batch_size,
    }
    write_json(spec, content)
    command = [sys.executable, "-m", "holdfast", "run", "mutransfer", "--on", str(spec), "--scale", "small"]
    command += ["--replicates", str(seeds), "--out", str(out / "run"), "--json"]
    done = subprocess.run([*command, *(["--jobs", str(jobs)] if jobs else [])], stdout=subprocess.PIPE, check=False)
    if not done.stdout:
        raise typer.Exit(done.returncode or 1)
    records = json.loads(done.stdout)["records"]
    rows = [
        {"arm": r["arm"], **r["point"], "seed": r["replicate"], "loss": r["scalars"]["training loss"]}
        for r in records
        if r["status"] == "ok"
    ]
    if not rows:
        raise HoldfastError(f"every run failed; see the page in {out / 'run'}")
    found = TransferSweep.of(pd.DataFrame(rows))
    _write(found.frame, out / "losses.csv")
    _figures(found.figure(), out / "sweep")
    _print(found.best.rename(columns={"grid": "nearest on the grid"}), "best rates")
    typer.echo(found.recommend("muP"))
    _say(f"figure: {out / 'sweep.svg'}; page: {out / 'run' / 'page.html'}")
    raise typer.Exit(done.returncode)


# ------------------------------------------------------------------------------------------------------------- reading
def _imported(reference: str) -> Callable[..., Any]:
    from holdfast.systems.mutransfer.problems import imported

    return imported(reference, str(Path.cwd()))


def _batch(reference: str) -> Callable[[], Any]:
    from holdfast.systems.mutransfer.problems import imported

    found = imported(reference, str(Path.cwd()), "--batch")
    try:
        inspect.signature(found).bind()
    except TypeError as e:
        raise InputError("--batch", f"must be a function without arguments ({e})", reference) from e
    return found


def _built(build: Callable[..., Any], width: int) -> Any:
    from holdfast.systems.mutransfer.method import built

    return built(build, width)


def _parametrization(build: Callable[..., Any], base: int, delta: int | None, rule: str) -> Any:
    from holdfast.systems.mutransfer import rules
    from holdfast.systems.mutransfer.method import MuParametrization

    known = dict(zip(RULES, (rules.MuP(), rules.UMuP(), rules.Spectral(), rules.SP()), strict=True))
    if rule not in known:
        raise InputError("--rule", f"must be one of {', '.join(RULES)}", rule)
    return MuParametrization.from_builder(build, base, delta, rule=known[rule])


def _numbers(text: str, option: str, kind: Callable[[str], Any]) -> list[Any]:
    try:
        found = sorted({kind(part) for part in text.split(",")})
    except ValueError as e:
        raise InputError(option, "must be numbers separated by commas", text) from e
    if found[0] <= 0:
        raise InputError(option, "must be positive", found[0])
    return found


def _rates(text: str) -> list[float]:
    first, colon, last = text.partition(":")
    if not colon:
        return _numbers(text, "--rates", float)
    try:
        lo, hi = int(first), int(last)
    except ValueError as e:
        raise InputError("--rates", "must be FROM:TO in powers of two, such as -12:-4", text) from e
    if not -60 <= lo < hi <= 20:
        raise InputError("--rates", "must rise, between -60 and 20", text)
    return [2.0**k for k in range(lo, hi + 1)]


# ------------------------------------------------------------------------------------------------------------ speaking
def _write(frame: Any, path: Path) -> None:
    from holdfast.files import replacing

    if path.suffix.lower() not in (".csv", ".json"):
        raise InputError("--out", "must end in .csv or .json", str(path))
    with replacing(path) as temporary:
        if path.suffix.lower() == ".csv":
            frame.to_csv(temporary, index=False)
        else:
            frame.to_json(temporary, orient="records", indent=1)


def _figures(figure: Any, stem: Path) -> None:
    from holdfast.files import replacing

    for suffix in (".svg", ".png"):
        with replacing(stem.with_suffix(suffix)) as temporary:
            figure.savefig(temporary, format=suffix[1:], dpi=150)


def _print(frame: Any, title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*map(str, frame.columns), title=title, title_justify="left")
    for row in frame.itertuples(index=False):
        table.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row))
    Console().print(table)


def _say(text: str) -> None:
    typer.echo(text, err=True)


__all__ = ["app"]
