"""muTransfer on your own models: `holdfast mutransfer report`, `check`, `sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import verbs

app = verbs.Verbs(
    "Make a model's learning rate transfer across width: what is scaled, whether it is right, which rate to take. "
    "BUILDER is `module:function` or `file.py:function`: a function of yours from a width to a torch.nn.Module."
)
CHECK = verbs.Parameters("holdfast.systems.mutransfer.tool.coordcheck:coord_check")
BUILDER = typer.Argument(
    help="module:function or file.py:function, width -> torch.nn.Module; looked for here and where Python looks."
)
RULE = typer.Option(help="mup, umup, spectral or sp.")
# What functions call their arguments, where it is not the option's word.
NAMED = {"build": "builder", "base_width": "--base", "delta_width": "--delta"}


@app.verb(named=NAMED)
def report(
    builder: Annotated[str, BUILDER],
    base: Annotated[int, typer.Option(min=1, help="Width at which all factors are 1.")] = 64,
    delta: Annotated[int | None, typer.Option(help="Another width, to see what grows; default: twice base.")] = None,
    width: Annotated[int, typer.Option(min=1, help="Width to report on.")] = 1024,
    rule: Annotated[str, RULE] = "mup",
    out: Annotated[Path | None, typer.Option(help="Also write the table: .csv, .parquet or .json.")] = None,
) -> None:
    """Print what is done to every tensor: role, initialisation, multiplier, factors of learning rates.

    Example: `holdfast mutransfer report models:build --base 64 --width 2048`
    """
    from holdfast.systems.mutransfer.tool.arguments import report_on
    from holdfast.systems.mutransfer.tool.pages import write_report

    found = report_on(builder, base, delta, width, rule)
    frame = found.frame()
    if out is not None:
        write_report(frame, out)
    verbs.show_table(frame.columns, frame.itertuples(index=False), f"{builder} at width {width}, base {base}")
    for name in found.unscaled_attention:
        verbs.say(f"{name}: looks like attention, but the width of its heads could not be told; it is left alone.")


@app.verb(named=NAMED)
def check(
    builder: Annotated[str, BUILDER],
    settings: Annotated[dict[str, Any], CHECK.options("lr", "steps", "seeds", "device")],
    widths: Annotated[str, typer.Option(help="At least three, the first is the base.")] = "64,128,256,512",
    batch: Annotated[
        str | None, typer.Option(help="Likewise, () -> (inputs, targets) or a dict; default: random data.")
    ] = None,
    rule: Annotated[str, RULE] = "mup",
    out: Annotated[
        Path, typer.Option(help="Folder for check.html, check.svg, check.png, slopes.csv, activations.csv.")
    ] = Path("coord_check"),
    quiet: verbs.Quiet = False,
) -> None:
    """Train a few steps at several widths and see whether activations keep their size. Exit code 1 if they do not.

    Example: `holdfast mutransfer check models:build --widths 64,128,256,512 --batch models:batch`
    """
    from holdfast.systems.mutransfer.tool.arguments import check_arguments
    from holdfast.systems.mutransfer.tool.coordcheck import coord_check
    from holdfast.systems.mutransfer.tool.pages import write_check

    given = check_arguments(builder, widths, batch, rule)
    with verbs.progress("Checking", quiet) as show:
        found = coord_check(**given, **settings, progress=show)
    write_check(found, out, builder, rule, {**settings, "batch": batch})
    slopes, steps = found.slopes, settings["steps"]
    last = slopes[(slopes["step"] == steps) & slopes["leaf"]][["layer", "size", "change"]]
    verbs.show_table(last.columns, last.itertuples(index=False), f"slopes over log width after {steps - 1} steps")
    verbs.show(found.verdict)
    verbs.say(f"page: {out / 'check.html'}; figure: {out / 'check.svg'}")
    if not found.passed:
        raise typer.Exit(1)


app.verb("coord-check", named=NAMED, hidden=True)(check)


@app.verb(named=NAMED)
def sweep(
    builder: Annotated[str, BUILDER],
    widths: Annotated[str, typer.Option(help="At least two, the first is the base.")] = "64,128,256",
    rates: Annotated[str, typer.Option(help="Base rates: FROM:TO in powers of two, or a list.")] = "-13:-4",
    batch: Annotated[
        str | None, typer.Option(help="Likewise, () -> (inputs, targets) or a dict; default: random data.")
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
    from holdfast.systems.mutransfer.tool.arguments import model_content
    from holdfast.systems.mutransfer.tool.own_sweep import run_sweep, write_sweep

    model = model_content(builder, batch, widths, rates, steps=steps, batch_size=batch_size)
    with verbs.on_stop(lambda: "finished runs are kept: the same command goes on from there"):
        found, code = run_sweep(out, model, seeds, jobs)
    write_sweep(found, out)
    best = found.best.rename(columns={"grid": "nearest on the grid"})
    verbs.show_table(best.columns, best.itertuples(index=False), "best rates")
    verbs.show(found.recommend("muP"))
    verbs.say(f"figure: {out / 'sweep.svg'}; page: {out / 'run' / 'page.html'}")
    raise typer.Exit(code)


__all__ = ["app"]
