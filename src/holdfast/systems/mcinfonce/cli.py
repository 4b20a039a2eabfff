"""MCInfoNCE on your own embeddings: `holdfast mcinfonce fit`, `rank`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import verbs

app = verbs.Verbs("Learn how sure an embedding is of each item, and list the most ambiguous items.")
MODEL = verbs.Parameters("holdfast.systems.mcinfonce.estimator:ProbabilisticEncoder")
SETTINGS = MODEL.options("dim", "kappa_pos", "width", "steps", "batch", "negatives", "samples", "lr", "seed", "device")
NAMED = {"X": "features", "labels": "--labels"}
Features = Annotated[Path, typer.Argument(help="Rows of numbers: .npy, .npz or a table (.csv, .parquet, ...).")]


@app.verb(named=NAMED)
def fit_(
    features: Features,
    labels: Annotated[Path, typer.Option(help="Table with a label for each row, in the same order.")],
    out: Annotated[Path, verbs.model_out("--out", "-o")],
    settings: Annotated[dict[str, Any], SETTINGS],
    reading: verbs.Reading,
    label_column: Annotated[str | None, typer.Option(help="Column with the label. Default: label.")] = None,
    quiet: verbs.Quiet = False,
) -> None:
    """Train a direction and a concentration for each row, from which rows share a label.

    Example: `holdfast mcinfonce fit features.npy --labels y.csv -o m/`
    """
    from holdfast.systems.mcinfonce.estimator import ProbabilisticEncoder
    from holdfast.systems.mcinfonce.tool.rows import read_column, read_rows

    x = read_rows(features)
    y = read_column(labels, "label", label_column, len(x), reading)
    model = ProbabilisticEncoder(**settings)
    with verbs.progress("Training", quiet) as show:
        model.fit(x, y, progress=show)
    model.save(out)
    kappa = model.concentrations(x)
    low, middle, high = (f"{v:.3g}" for v in sorted([kappa.min(), float(sorted(kappa)[len(kappa) // 2]), kappa.max()]))
    verbs.say(f"{out}: learned from {verbs.counted(len(x), 'row')} of {verbs.counted(len(set(y)), 'label')}")
    verbs.say(f"kappa of these rows is from {low} to {high}, half of them below {middle}; low = ambiguous")


@app.verb(named=NAMED)
def rank(
    features: Features,
    settings: Annotated[dict[str, Any], MODEL.options("device")],
    reading: verbs.Reading,
    model: Annotated[Path, typer.Option(help="Folder written by fit.")] = Path("model"),
    out: Annotated[Path, verbs.table_out("Table to write", "--out", "-o")] = Path("most_ambiguous.csv"),
    ids: Annotated[Path | None, typer.Option(help="Table with a name for each row, in the same order.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Column with the name. Default: id.")] = None,
    figure: Annotated[Path | None, verbs.figure_out("Kappa of all rows, and how many rows each may be")] = None,
) -> None:
    """Write every row with its kappa and direction, the most ambiguous first.

    Example: `holdfast mcinfonce rank features.npy --model m/ -o most_ambiguous.csv --figure kappa.svg`
    """
    from holdfast.systems.mcinfonce.estimator import ProbabilisticEncoder
    from holdfast.systems.mcinfonce.tool.rows import kappa_figure, ranking, read_column, read_rows

    fitted = ProbabilisticEncoder.load(model, **settings)
    x = read_rows(features)
    names = None if ids is None else read_column(ids, "id", id_column, len(x), reading)
    mu, kappa = fitted.embed(x)
    inside = fitted.credible_counts(mu, kappa)
    verbs.write_table(out, ranking(mu, kappa, names, inside))
    first = int(kappa.argmin())
    told = f"row {first}" if names is None else str(names[first])
    verbs.say(f"{out}: {verbs.counted(len(x), 'row')}; the most ambiguous is {told}, kappa {kappa[first]:.3g}")
    if figure is not None:
        verbs.write_figure(kappa_figure(kappa, inside), figure)


__all__ = ["app"]
