"""What a learning rate did to a network of your own: `holdfast large_step_sgd measure`, `find-lr`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import verbs

app = verbs.Verbs("See how sparse the features of a network of yours are, and find its largest stable learning rate.")
MODEL = typer.Option(help="file.py:function or module:function of yours: () -> a torch.nn.Module that gives logits.")
DATA = typer.Option(
    help="npz file with inputs x (N, ...) and labels y, whole numbers from 0; or a table with column y."
)
MEASURE = verbs.Parameters("holdfast.systems.large_step_sgd.tool.measuring:measure")
SEARCH = verbs.Parameters("holdfast.systems.large_step_sgd.tool.measuring:search")


@app.verb(named={"layer": "--layer", "corr_threshold": "--threshold"})
def measure(
    model: Annotated[str, MODEL],
    weights: Annotated[Path, typer.Option(help="Trained weights (.safetensors), or a folder with model.safetensors.")],
    data: Annotated[Path, DATA],
    settings: Annotated[dict[str, Any], MEASURE.options("rows", "threshold", "max_units", "rank_rows")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Report to write (.json).")] = None,
    layer: Annotated[
        list[str] | None, typer.Option(help="Layer to measure (repeatable). Default: all activation functions.")
    ] = None,
    figure: Annotated[Path | None, verbs.figure_out("Figure to write")] = None,
    quiet: verbs.Quiet = False,
) -> None:
    """Dead units, duplicates and the sparsity of every layer, and the rank of the Jacobian, on the rows of the data.

    Example: `holdfast large_step_sgd measure --model own.py:build --weights w.safetensors --data d.npz -o report.json`
    """
    import torch

    from holdfast.data.own_rows import builder, loaded, read_rows
    from holdfast.files import write_json
    from holdfast.systems.large_step_sgd.tool import measuring
    from holdfast.verbs.tables import check_apart

    check_apart((weights, data), out=out, figure=figure)
    read = read_rows(data)
    net = loaded(builder(model, read)(0), weights)
    with verbs.progresses(quiet) as show:
        report = measuring.measure(net, torch.cat([read.x, read.held_x]), layer or (), **settings, show=show)
    if out is not None:
        write_json(out, report)
    if figure is not None:
        verbs.write_figure(measuring.draw_layers(report), figure)
    heads = list(report["layers"][0])
    verbs.show_table(heads, [list(entry.values()) for entry in report["layers"]], f"{weights}, {report['rows']} rows")
    found = report["jacobian"]
    verbs.show(
        f"Jacobian ({found['method']}): rank {found['rank']} of at most "
        f"{min(found['outputs'], found['parameters'])}, {verbs.counted(found['rows'], 'row')}"
    )


@app.verb(name="find-lr")
def find_lr(
    model: Annotated[str, MODEL],
    data: Annotated[Path, DATA],
    settings: Annotated[dict[str, Any], SEARCH.options("batch", "steps", "lo", "hi", "evaluations", "seed", "device")],
    out: Annotated[Path | None, verbs.table_out("All rates that were tried", "--out", "-o")] = None,
    figure: Annotated[Path | None, verbs.figure_out("Figure to write")] = None,
    json: verbs.Json = False,
    quiet: verbs.Quiet = False,
) -> None:
    """The largest learning rate at which plain SGD trains your network on your data, and a schedule close to it.

    Example: `holdfast large_step_sgd find-lr --model own.py:build --data d.npz --batch 64`
    """
    from holdfast.data.own_rows import builder, read_rows
    from holdfast.systems.large_step_sgd.tool import measuring
    from holdfast.verbs.tables import check_apart

    check_apart((data,), out=out, figure=figure)
    rows = read_rows(data)
    with verbs.progresses(quiet) as show:
        found = measuring.search(builder(model, rows), rows, **settings, show=show)
    if out is not None:
        verbs.write_table(out, {"lr": [r for r, _ in found.tried], "loss at the end": [v for _, v in found.tried]})
    if figure is not None:
        verbs.write_figure(measuring.draw_search(found), figure)
    schedule = measuring.recommended(found.lr)
    if json:
        verbs.show_json({"lr": found.lr, "unstable": found.unstable, "tried": found.tried, "schedule": schedule})
        return
    verbs.show_table(["lr", "loss at the end"], found.tried, f"{model}, {settings['steps']} steps of SGD")
    verbs.show(f"stable up to {found.lr:.3g}, not at {found.unstable:.3g}; a good start: {schedule}")
