"""Sparse networks of your own: `holdfast lottery_ticket prune`, `barrier`, `sparsify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import verbs

app = verbs.Verbs(
    "Make a network of yours sparse by pruning and rewinding; see whether two networks are in one valley."
)
MODEL = typer.Option(help="file.py:function or module:function of yours: () -> a torch.nn.Module that gives logits.")
DATA = typer.Option(
    help="npz file with inputs x (N, ...) and labels y, whole numbers from 0; or a table with a column y."
)
TRAINING = ("steps", "batch", "lr", "momentum", "weight_decay")
PRUNING = verbs.Parameters("holdfast.systems.lottery_ticket.tool.tickets:Pruning")


@app.verb()
def prune(
    model: Annotated[str, MODEL],
    data: Annotated[Path, DATA],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder; a repeated command goes on in it.")],
    pruning: Annotated[dict[str, Any], PRUNING.options("density", "fraction", "rewind", "seed", *TRAINING)],
    exclude: Annotated[
        list[str] | None, typer.Option(help="Tensor that is not pruned (repeatable), as fc.weight.")
    ] = None,
    quiet: verbs.Quiet = False,
) -> None:
    """Train, drop the smallest weights, rewind, and again, until the density is reached.

    A fifth of the rows is held out, stratified, and never trained on: errors are measured there. The folder gets the
    network (model.safetensors), its mask, levels.csv and a figure; every level is kept, with what it was trained to.

    Example: `holdfast lottery_ticket prune --model own.py:build --data d.npz --density .1 -o ticket/`
    """
    from holdfast.data.own_rows import builder, read_rows
    from holdfast.systems.lottery_ticket.tool import tickets
    from holdfast.systems.lottery_ticket.tool.figures import draw_levels
    from holdfast.training.threads import threads_for

    how = tickets.Pruning(**pruning, exclude=tuple(exclude or ()))
    rows = read_rows(data)
    build = builder(model, rows)
    with (
        verbs.on_stop(lambda: "finished levels are kept: the same command goes on from there"),
        verbs.progresses(quiet) as show,
        threads_for(build(how.seed)),
    ):
        table = tickets.make_ticket(build, rows, how, out, show)
        others = tickets.instead(build, rows, how, out, show)
    tickets.finish(out, how)
    verbs.write_table(out / "levels.csv", table)
    verbs.write_figures(draw_levels(table, others), out / "levels")
    verbs.show_table(table.columns, table.itertuples(index=False), f"{model}, {len(rows.held_y)} rows held out")
    last, dense = table.iloc[-1], table.iloc[0]
    verbs.show(
        f"{last['density']:.3g} of the weights: error {last['error %']:.4g} %; dense {dense['error %']:.4g} %, "
        + ", ".join(f"{name} {error:.4g} %" for name, error in others.items())
    )
    verbs.say(f"{out}: model.safetensors, mask.safetensors, levels.csv, levels.svg; all levels")


@app.verb()
def barrier(
    a: Annotated[Path, typer.Argument(help="Weights (.safetensors), or a folder written by prune.")],
    b: Annotated[Path, typer.Argument(help="Others, of the same network.")],
    model: Annotated[str, MODEL],
    data: Annotated[Path, DATA],
    points: Annotated[int, typer.Option(min=3, help="Places on the line, the ends among them.")] = 11,
    figure: Annotated[Path | None, verbs.figure_out("Figure to write")] = None,
    json: verbs.Json = False,
) -> None:
    """The error on the straight line between two networks, on the rows held out (a fifth of the data).

    Example: `holdfast lottery_ticket barrier a.safetensors b.safetensors --model own.py:build --data d.npz`
    """
    from holdfast.data.own_rows import builder, loaded, read_rows
    from holdfast.systems.lottery_ticket.tool import tickets
    from holdfast.systems.lottery_ticket.tool.figures import draw_barrier

    rows = read_rows(data)
    build = builder(model, rows)
    nets = [loaded(build(0), path) for path in (a, b)]
    found = tickets.barrier_of(nets[0], nets[1], rows, points)
    if figure is not None:
        verbs.write_figure(draw_barrier(found), figure)
    if json:
        verbs.show_json({"alphas": found.alphas, "errors": found.values, "barrier": found.barrier, "at": found.argmax})
        return
    verbs.show_table(["place", "error %"], zip(found.alphas, found.values, strict=True), f"from {a} to {b}")
    verbs.show(f"barrier {found.barrier:.3g} points at {found.argmax:.2g}, {verbs.counted(len(rows.held_y), 'row')}")


@app.verb()
def sparsify(
    weights: Annotated[Path, typer.Argument(help="Trained weights (.safetensors).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File to write (.safetensors).")],
    model: Annotated[str, typer.Option(help="As in prune; says which tensors are layers' weights.")],
    density: Annotated[float, typer.Option(help="Share of the layers' weights that is kept.")] = 0.1,
    exclude: Annotated[list[str] | None, typer.Option(help="Tensor that is not pruned (repeatable).")] = None,
) -> None:
    """Set the smallest weights of a trained network to 0, at once and without training: see what that costs first.

    Example: `holdfast lottery_ticket sparsify w.safetensors --model own.py:build --density .3 -o sparse.safetensors`
    """
    from holdfast.systems.lottery_ticket.tool import tickets

    kept = tickets.sparsify(weights, out, model, density, tuple(exclude or ()))
    verbs.say(f"{out}: {kept.kept} of {kept.size} weights are kept ({kept.density:.3g})")
