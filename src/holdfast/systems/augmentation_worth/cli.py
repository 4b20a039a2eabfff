"""Exchange rates of your own results: `holdfast augmentation_worth table`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from holdfast import verbs

app = verbs.Verbs("Price augmentations in real samples, from a table of results. Nothing is trained.")
SHOWN = ("test_set", "arm", "n", "error", "rate", "lo", "hi", "censored", "law_rate", "extrapolated")


@app.callback()
def verb_of_augmentation_worth() -> None:
    """A group, although it has one verb."""


@app.verb(named={"n_boot": "--draws"})
def table(
    results: Annotated[Path, typer.Argument(help="A table with a row for every run: arm, n, seed, test_set, error.")],
    reference: Annotated[str, typer.Option(help="The arm without augmentation.")],
    out: Annotated[Path, verbs.table_out("Table of rates to write", "-o", "--out")],
    reading: verbs.Reading,
    column: Annotated[list[str] | None, verbs.column_roles("arm", "n", "seed", "test_set", "error")] = None,
    unit: Annotated[str, typer.Option(help="Of the errors: percent, share, or auto (percent if any is above 1).")] = (
        "auto"
    ),
    figure: Annotated[
        Path | None, verbs.figure_out("Figure of curves and rates to write; default: the table's name as .png")
    ] = None,
    draws: Annotated[int, typer.Option(help="Bootstrap draws of the runs.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the draws.")] = 0,
    quiet: verbs.Quiet = False,
) -> None:
    """Say how many real samples every augmented run is worth: by a falling curve, and by a power law beside it.

    Example: `holdfast augmentation_worth table results.csv --reference none -o rates.csv`
    """
    import pandas as pd

    from holdfast.systems.augmentation_worth.tool.results import priced, rates_figure, read_results
    from holdfast.verbs.tables import check_apart

    picture = figure or out.with_suffix(".png")
    check_apart((results,), out=out, figure=picture)
    read = read_results(results, column or (), unit, reading)  # type: ignore[arg-type]  # checked there
    for note in read.notes:
        verbs.say(f"{results}: {note}")
    found = []
    with verbs.progress("Test sets", quiet) as show:
        total = read.runs["test_set"].nunique()
        for one in priced(read.runs, reference, draws, seed):
            found.append(one)
            show(len(found), total)
    for note in (note for one in found for note in one.notes):
        verbs.say(note)
    rates = pd.concat([one.rates for one in found if len(one.rates)], ignore_index=True)
    verbs.write_table(out, rates)
    verbs.write_figure(rates_figure(found, read.runs, reference), picture)
    verbs.show_table(list(SHOWN), rates[list(SHOWN)].values.tolist(), f"what a sample is worth, against {reference}")
    verbs.say(f"{out}: {verbs.counted(len(rates), 'rate')}; {picture}: curves and rates")


__all__ = ["app"]
