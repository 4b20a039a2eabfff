"""Shapes within a budget, and the frontier of one's own runs: `holdfast t5-plan plan`, `pareto`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from holdfast import verbs

app = verbs.Verbs("Which T5-like shape to train within a budget of weights, FLOPs, memory or latency.")
UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}
NAMED = {
    "budget_params": "--params", "budget_flops": "--flops", "budget_memory_gb": "--gpu-memory",
    "max_latency_blocks": "--blocks", "src_len": "--seq", "tgt_len": "--target-seq",
}  # fmt: skip


def number_of(text: str | None, option: str) -> float | None:
    """220M, 1.5B or 2e20 as a number."""
    from holdfast.errors import InputError

    if text is None:
        return None
    unit = UNITS.get(text[-1:].lower(), 1.0)
    try:
        value = float(text[:-1] if unit > 1 else text) * unit
    except ValueError:
        raise InputError(option, "must be a number, as 220M, 1.5B or 2e20", text) from None
    if not 0 < value < float("inf"):
        raise InputError(option, "must be positive", text)
    return value


@app.verb(named=NAMED)
def plan(
    params: Annotated[str | None, typer.Option(help="Weights at most, as 220M.")] = None,
    gpu_memory: Annotated[float | None, typer.Option(help="Memory in training, in GiB.")] = None,
    flops: Annotated[str | None, typer.Option(help="FLOPs of a training step, for a pair of sequences.")] = None,
    blocks: Annotated[int | None, typer.Option(help="Blocks one after the other, both stacks.")] = None,
    family: Annotated[str, typer.Option(help="deepnarrow, uniform (released sizes) or all.")] = "deepnarrow",
    batch: Annotated[int, typer.Option(help="Pairs of sequences in memory.")] = 1,
    seq: Annotated[int, typer.Option(help="Tokens of an input.")] = 512,
    target_seq: Annotated[int, typer.Option(help="Tokens of a target.")] = 114,
    checkpointing: Annotated[bool, typer.Option("--checkpointing", help="Activations are computed again.")] = False,
    top: Annotated[int, typer.Option(help="At most so many shapes.")] = 10,
    out: Annotated[Path | None, verbs.table_out("Table to write", "-o", "--out")] = None,
) -> None:
    """List the shapes that fit a budget, deep and narrow ones first, with what each costs.

    Example: `holdfast t5-plan plan --params 220M --gpu-memory 24 -o plan.csv`
    """
    from holdfast.systems.scale_efficiently.method.planning import canonical
    from holdfast.systems.scale_efficiently.method.planning import plan as planned
    from holdfast.systems.scale_efficiently.method.shapes import BASES

    found = planned(
        number_of(params, "--params"), budget_flops=number_of(flops, "--flops"), budget_memory_gb=gpu_memory,
        max_latency_blocks=blocks, family=family, top=top, batch=batch, src_len=seq, tgt_len=target_seq,
        checkpointing=checkpointing,
    )  # fmt: skip
    rows = [
        {
            "shape": one.name, "params": one.params, "GFLOPs a token": one.flops_per_token / 1e9,
            "memory GiB": one.memory_gb, "latency ms": one.latency_ms, "el": one.shape.el, "dl": one.shape.dl,
            "dm": one.shape.dm, "ff": one.shape.ff, "kv": one.shape.kv, "nh": one.shape.nh, "why": one.reason,
        }
        for one in found
    ]  # fmt: skip
    if out is not None:
        verbs.write_table(out, {key: [row[key] for row in rows] for key in rows[0]})
    heads = ["shape", "params", "GFLOPs a token", "memory GiB", "latency ms", "why"]
    verbs.show_table(heads, [[_short(row[head]) for head in heads] for row in rows], "shapes that fit")
    base = canonical(found[0].params)
    verbs.say(f"nearest released size: {base}, {BASES[base].params().total:,} weights; latency is a model of an A100's")


@app.verb()
def pareto(
    runs: Annotated[Path, typer.Argument(help="A table with a row for each run: cost, quality; name, upstream.")],
    column: Annotated[list[str] | None, verbs.column_roles("cost", "quality", "name", "upstream")] = None,
    losses: Annotated[bool, typer.Option("--losses", help="Quality is a loss: less is better.")] = False,
    out: Annotated[Path | None, verbs.table_out("Table to write", "-o", "--out")] = None,
    figure: Annotated[Path | None, verbs.figure_out("Figure to write")] = None,
) -> None:
    """Which of your runs no other beats at its cost, and what the others waste.

    Example: `holdfast t5-plan pareto runs.csv --column cost=params --column quality=superglue --figure pareto.png`
    """
    from holdfast.systems.scale_efficiently.tool import runs as made
    from holdfast.verbs.tables import check_apart

    check_apart((runs,), out=out, figure=figure)
    found = made.read_runs(runs, column or ())
    table = made.frontier(found, not losses)
    if out is not None:
        verbs.write_table(out, table)
    if figure is not None:
        verbs.write_figure(made.pareto_figure(found, table), figure)
    verbs.show_table(list(table.columns), table.round(4).values.tolist(), "runs")
    if said := made.warning(found, not losses):
        verbs.say(said)
    verbs.say(f"{int(table['frontier'].sum())} of {verbs.counted(len(table), 'run')} on the frontier")


def _short(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value


__all__ = ["app"]
