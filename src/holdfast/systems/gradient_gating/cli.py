"""Gradient gating on your own graph: `holdfast gradient_gating fit`, `predict`."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import verbs

app = verbs.Verbs(
    "Label the nodes of a graph, such as accounts or pages, from their features and who they are linked to."
)
CLASSIFIER = verbs.Parameters("holdfast.systems.gradient_gating.estimator:NodeModel")
SETTINGS = CLASSIFIER.options(
    "depth", "conv", "width", "p", "share_weights", "dropout", "steps", "lr", "weight_decay", "seed", "device"
)
NAMED = {"x": "--nodes", "edge_index": "--edges", "y": "--label"}

Nodes = Annotated[Path, typer.Option(help="Table with a row per node: an id, columns of numbers.")]
Edges = Annotated[Path, typer.Option(help="Table with a row per edge: source and target, ids of nodes.")]
Column = Annotated[list[str] | None, typer.Option(help="id=name, source=name, target=name: what columns are called.")]


@app.verb(named=NAMED)
def fit_(
    edges: Edges,
    nodes: Nodes,
    label: Annotated[str, typer.Option(help="Column of the nodes with the label; empty where it is to be predicted.")],
    out: Annotated[Path, verbs.model_out("--out", "-o")],
    settings: Annotated[dict[str, Any], SETTINGS],
    reading: verbs.Reading,
    column: Column = None,
    directed: Annotated[
        bool, typer.Option("--directed", help="Edges go one way. Default: each is used in both directions.")
    ] = False,
    figure: Annotated[Path, verbs.figure_out("Mean rate and energy of each layer")] = Path("layers.svg"),
    quiet: verbs.Quiet = False,
) -> None:
    """Train on the nodes that have a label, show what each layer does, and say how a network without edges does.

    Example: `holdfast gradient_gating fit --edges e.csv --nodes n.csv --label y --depth 16 -o m/`
    """
    from holdfast.data.readers.graph_tables import read_graph_tables
    from holdfast.systems.gradient_gating.estimator import ADVICE, NodeClassifier
    from holdfast.systems.gradient_gating.tool.own_graphs import edges_of, labelled, layers_figure

    graph = read_graph_tables(nodes, edges, label=label, columns=column or (), options=reading)
    edge_index, said = edges_of(graph, directed)
    known, y, told = labelled(graph, edge_index)
    for note in (*graph.notes, *said, told):
        verbs.say(note)
    kept = {"features": list(graph.features), "directed": directed, "label": label}
    model, alone = NodeClassifier(**settings), NodeClassifier(**{**settings, "depth": 0})
    with verbs.progresses(quiet) as show, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is said below
        model.fit(graph.X, edge_index, y, known, columns=kept, progress=partial(show, "Training"))
        alone.fit(graph.X, edge_index, y, known, progress=partial(show, "A network without edges"))
    model.save(out)
    verbs.write_figure(layers_figure(model.rates_, model.energies_), figure)
    verbs.say(
        f"{out}: {len(model.classes_)} classes, learned from {verbs.counted(int(model.train_mask_.sum()), 'node')}, "
        f"validated on {model.val_mask_.sum()} others with a label"
    )
    verbs.say(
        f"right on the validation nodes, by which the weights were chosen: {100 * model.validation_score_:.1f} %; "
        f"a network that looks at no edge (MLP): {100 * alone.validation_score_:.1f} %"
    )
    verbs.say(f"{figure}: mean rate and energy of each layer")
    if model.stands_still:
        verbs.say(f"the gate is shut: {ADVICE}")


@app.verb(named=NAMED)
def predict(
    model: Annotated[Path, typer.Argument(help="Folder written by fit.")],
    edges: Edges,
    nodes: Nodes,
    reading: verbs.Reading,
    settings: Annotated[dict[str, Any], CLASSIFIER.options("device")],
    out: Annotated[Path, verbs.table_out("Table to write", "--out", "-o")] = Path("predictions.csv"),
    column: Column = None,
) -> None:
    """Write the class of every node of a graph, and how probable it is.

    Example: `holdfast gradient_gating predict m/ --edges e.csv --nodes n.csv -o predictions.csv`
    """
    from holdfast.systems.gradient_gating.estimator import NodeClassifier
    from holdfast.systems.gradient_gating.tool.own_graphs import edges_of, read_as_fitted

    fitted = NodeClassifier.load(model, **settings)
    graph = read_as_fitted(nodes, edges, fitted.columns_, column or (), reading)
    edge_index, said = edges_of(graph, fitted.columns_["directed"])
    for note in (*graph.notes, *said):
        verbs.say(note)
    p = fitted.predict_proba(graph.X, edge_index)
    table = {"id": graph.ids, "prediction": fitted.classes_[p.argmax(1)], "probability": p.max(1)}
    verbs.write_table(out, table)
    verbs.say(f"{out}: classes of {verbs.counted(len(p), 'node')}")


__all__ = ["app"]
