"""D3G on your own table: `holdfast d3g compare`, `fit`, `predict`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import verbs

app = verbs.Verbs(
    "Predict for a site, state or customer that is new, from rows of many others and what is known of them."
)
MODEL = verbs.Parameters("holdfast.systems.d3g.estimator:D3G")
NAMED = {"X": "data", "y": "--target", "domain": "--domain", "metadata": "--meta", "graph": "--graph"}
Data = Annotated[Path, typer.Argument(help="Table with a row per case (.csv, .tsv, .parquet, ...).")]
Target = Annotated[str, typer.Option(help="Column to predict: classes or numbers.")]
Domain = Annotated[str, typer.Option(help="Column with the name of the domain: the site, state, customer.")]
Meta = Annotated[str | None, typer.Option(help="Columns that describe the domain, such as lat,lon.")]
Graph = Annotated[
    Path | None, typer.Option(help="In place of --meta: a table of two columns, which domains are neighbours.")
]
Features = Annotated[str | None, typer.Option(help="Columns to learn from, such as a,b,c. Default: all others.")]


def _columns(target: str, domain: str, meta: str | None, graph: Path | None, features: str | None) -> dict[str, Any]:
    """Names of columns by role."""
    from holdfast.errors import InputError

    if (meta is None) == (graph is None):
        raise InputError("--meta", "must be given, or else --graph", "neither" if meta is None else "both")
    said = {"meta": meta, "feature": features}
    lists = {role: [name.strip() for name in text.split(",")] for role, text in said.items() if text is not None}
    return {"target": target, "domain": domain, **lists}


@app.verb(named=NAMED)
def fit_(
    data: Data,
    target: Target,
    domain: Domain,
    out: Annotated[Path, verbs.model_out("--out", "-o")],
    reading: verbs.Reading,
    settings: Annotated[dict[str, Any], MODEL.options("task", "lam", "beta", "sigma", "steps", "lr", "seed", "device")],
    meta: Meta = None,
    graph: Graph = None,
    features: Features = None,
    figure: Annotated[Path | None, verbs.figure_out("Map of how training domains are related")] = None,
    quiet: verbs.Quiet = False,
) -> None:
    """Train on the rows of many domains and save the model.

    Example: `holdfast d3g fit data.csv --target y --domain state --meta lat,lon -o model/`
    """
    from holdfast.data.unseen_domains.tables import read_edges, read_training
    from holdfast.systems.d3g.estimator import D3G

    columns = _columns(target, domain, meta, graph, features)
    table = read_training(data, columns, reading, option="--target, --domain, --meta")
    edges = None if graph is None else read_edges(graph)
    model = D3G(**settings)
    with verbs.progress("Training", quiet) as show:
        model.fit(table.x, table.y, table.domain, table.metadata, edges, columns=table.columns, progress=show)
    model.save(out)
    kind = f"{len(model.classes_)} classes" if len(model.classes_) else "numbers"
    counted = f"{verbs.counted(len(table.x), 'row')} of {verbs.counted(len(model.domains_), 'domain')}"
    verbs.say(
        f"{out}: {target} is predicted as {kind}; learned from {counted}, {verbs.counted(table.x.shape[1], 'feature')}"
    )
    if len(model.classes_) > 2 and settings["task"] == "auto" and model.classes_.dtype.kind in "iuf":
        verbs.say("whole numbers were taken as classes; if they are amounts: --task numbers")
    if model.varying_:
        verbs.say(f"{verbs.counted(model.varying_, 'domain')} with more than one value of {meta}: their mean is used")
    if figure is not None:
        from holdfast.systems.d3g.tool.figure import weights_figure

        relation = model.learner_.training_relation().detach()
        verbs.write_figure(weights_figure(relation, model.domains_.tolist(), model.domains_.tolist()), figure)


@app.verb(named=NAMED)
def predict(
    model: Annotated[Path, typer.Argument(help="Folder written by fit.")],
    data: Annotated[Path, typer.Argument(help="Table with the columns of features, and metadata or domain.")],
    reading: verbs.Reading,
    out: Annotated[Path, verbs.table_out("Table to write", "--out", "-o")] = Path("predictions.csv"),
    figure: Annotated[Path | None, verbs.figure_out("Map of the weights of the heads")] = None,
) -> None:
    """Predict for rows of domains that need not be known; say which training domain is nearest, and how far.

    Example: `holdfast d3g predict model/ new.csv -o predictions.csv`
    """
    from holdfast.data.unseen_domains.tables import read_new
    from holdfast.systems.d3g.estimator import D3G
    from holdfast.systems.d3g.tool.predictions import predictions

    fitted = D3G.load(model)
    found = predictions(fitted, read_new(data, fitted.columns_, reading))
    verbs.write_table(out, found.columns)
    verbs.say(f"{out}: {found.summary}")
    for doubt in found.doubts:
        verbs.say(doubt)
    if figure is not None:
        from holdfast.systems.d3g.tool.figure import weights_figure

        verbs.write_figure(weights_figure(found.weights, found.names, fitted.domains_.tolist()), figure)


@app.verb(name="compare", named=NAMED)
def compare_(
    data: Data,
    target: Target,
    domain: Domain,
    reading: verbs.Reading,
    meta: Meta = None,
    graph: Graph = None,
    features: Features = None,
    folds: Annotated[int, typer.Option(min=2, help="Parts that the domains are divided into.")] = 5,
    steps: Annotated[int, typer.Option(min=1, help="Training steps of each method.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Of the division and the training.")] = 0,
    task: Annotated[str, typer.Option(help="classes, numbers, or auto, as in fit.")] = "auto",
    figure: Annotated[Path | None, verbs.figure_out("Bars of mean and worst domain")] = None,
    as_json: verbs.Json = False,
    quiet: verbs.Quiet = False,
) -> None:
    """Leave domains out and measure D3G, one network, one network with the metadata, and the nearest domain on them.

    Example: `holdfast d3g compare data.csv --target y --domain state --meta lat,lon`
    """
    from holdfast.systems.d3g.tool.comparison import INFORMED, POOLED, advice, compare

    columns = _columns(target, domain, meta, graph, features)
    with verbs.progresses(quiet) as show:
        found = compare(data, columns, graph, folds, steps, seed, reading, partial(show, "Comparing"), task)
    if as_json:
        scores = {name: dict(zip(found.groups, values.tolist(), strict=True)) for name, values in found.scores.items()}
        verbs.show_json({"unit": found.unit, "scores": scores, "advice": advice(found)})
    else:
        heads, rows = found.table(POOLED, INFORMED)
        verbs.show_table(heads, rows, f"{found.unit}, on domains left out")
        verbs.say(advice(found))
    if figure is not None:
        verbs.write_figure(found.figure(), figure)


__all__ = ["app"]
