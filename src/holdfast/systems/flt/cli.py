"""FLT on your own table of points: `holdfast flt fit`, `predict`, `inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import verbs

app = verbs.Verbs(
    "Predict a number for every point of a set, or every event of a series, at irregular places or times."
)
MODEL = verbs.Parameters("holdfast.systems.flt.estimator:FLTRegressor")
NAMED = {"X": "data", "y": "--target", "set": "--set", "pos": "--pos", "columns": "--column"}
UNLIKE = 100  # extents of two axes whose units cannot be one
Fitted = Annotated[Path, typer.Argument(help="Folder written by fit.")]
SETTINGS = (
    "kind",
    "attention",
    "coordinates",
    "features",
    "frequencies",
    "scale",
    "layers",
    "steps",
    "lr",
    "seed",
    "device",
)


def _names(text: str, option: str) -> list[str]:
    from holdfast.errors import InputError

    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise InputError(option, "must be names of columns with commas between them", repr(text))
    return names


@app.verb(named=NAMED)
def fit_(
    data: Annotated[Path, typer.Argument(help="Table with a row per point (.csv, .tsv, .parquet, ...).")],
    set: Annotated[str, typer.Option(help="Column that names the set or series of the point.")],
    pos: Annotated[str, typer.Option(help="Columns of its position, such as x,y,z; or its time (dates in seconds).")],
    target: Annotated[str, typer.Option(help="Column of numbers to predict.")],
    out: Annotated[Path, verbs.model_out("--out", "-o")],
    reading: verbs.Reading,
    settings: Annotated[dict[str, Any], MODEL.options(*SETTINGS)],
    column: Annotated[list[str] | None, verbs.column_roles("feature")] = None,
    figure: Annotated[Path | None, verbs.figure_out("Figure of the learned bias")] = None,
    quiet: verbs.Quiet = False,
) -> None:
    """Train on most sets, print R2 on those held out beside plainer ways, and save the model.

    Columns of numbers that are neither set, position nor target are the points' own; `--column feature=NAME` chooses.

    Example: `holdfast flt fit points.csv --set id --pos x,y,z --target y -o m/`
    """
    from holdfast.data.point_sets import read_points
    from holdfast.data.readers.roles import Role, parse_columns
    from holdfast.systems.flt.estimator import EXACT_UP_TO, FLTRegressor

    asked = parse_columns(column or (), [Role("feature", several=True)]).get("feature")
    table = read_points(
        data, set, _names(pos, "--pos"), target, asked, reading, option="--set, --pos, --target, --column"
    )
    for note in table.notes:
        verbs.say(note)
    model = FLTRegressor(**settings)
    names = {"set": set, "pos": _names(pos, "--pos"), "target": target, "feature": list(table.features)}
    with verbs.progress("Training", quiet) as show:
        model.fit(table.x, table.y, table.ids, table.pos, columns=names, progress=show)
    model.save(out)
    held = verbs.counted(len(model.held_out_), "set")
    rows = [(name, score) for name, score in model.scores_.items()]
    verbs.show_table(["predicted by", "R2"], rows, f"{target}, {held} held out")
    how = f"FAVOR+ with {model.features} features"
    if model.exact_:
        how = "all pairs of points" + (f" (sets of at most {EXACT_UP_TO})" if model.attention == "auto" else "")
    verbs.say(
        f"{out}: learned from {verbs.counted(len(table.ids), 'point')}, {how}; positions are divided by "
        f"{model.side_:.4g}; neighbour means: of the {model.neighbours_} nearest"
    )
    if model.scores_["FLT"] < model.scores_["neighbour means"]:
        verbs.say("neighbour means do better: more --steps, --coordinates, or simply use them")
    if not model.exact_ and model.strength_ > 2:
        verbs.say(f"the bias is strong for FAVOR+ ({model.strength_:.2g}): more --features help, or --attention exact")
    if model.span_.max() > UNLIKE * model.span_.min():
        narrow, wide = (names["pos"][int(k)] for k in (model.span_.argmin(), model.span_.argmax()))
        verbs.say(f"beside {wide}, {narrow} hardly varies: bring both to one unit, else distances are those of {wide}")
    if figure is not None:
        from holdfast.systems.flt.tool import bias_figure

        verbs.write_figure(bias_figure(model), figure)


@app.verb(named={**NAMED, "pos": "data", "set": "data"})
def predict(
    model: Fitted,
    data: Annotated[Path, typer.Argument(help="Table with the columns that fit was told of.")],
    reading: verbs.Reading,
    out: Annotated[Path, verbs.table_out("Table to write", "--out", "-o")] = Path("predictions.csv"),
) -> None:
    """Predict for the points of a table, whose sets need not be known.

    Example: `holdfast flt predict m/ points.csv -o predictions.csv`
    """
    from holdfast.data.point_sets import read_points
    from holdfast.errors import InputError
    from holdfast.systems.flt.estimator import FLTRegressor

    fitted = FLTRegressor.load(model)
    names = fitted.columns_
    if not {"set", "pos", "feature", "target"} <= set(names):
        raise InputError(
            "model", "must be of `fit` on a table, whose columns it knows; use Python for others", str(model)
        )
    table = read_points(
        data, names["set"], names["pos"], None, names["feature"], reading, option="columns of the model"
    )
    found = fitted.predict(table.x, table.ids, table.pos)
    verbs.write_table(out, {"row": table.rows, names["set"]: table.ids, names["target"]: found})
    verbs.say(f"{out}: {names['target']} of {verbs.counted(len(found), 'point')}")


@app.verb()
def inspect(
    model: Fitted,
    out: Annotated[Path, verbs.figure_out("Figure to write", "--out", "-o")] = Path("bias.png"),
) -> None:
    """Draw what attention has learned of distance: the bias along each axis and over a plane, for every head.

    Example: `holdfast flt inspect m/ -o bias.png`
    """
    from holdfast.systems.flt.estimator import FLTRegressor
    from holdfast.systems.flt.tool import bias_figure, described

    fitted = FLTRegressor.load(model)
    verbs.write_figure(bias_figure(fitted), out)
    heads, rows = described(fitted)
    verbs.show_table(heads, rows, "added to the score of a pair of points, less the value at distance 0")
    verbs.say(f"{out}: the learned bias of {verbs.counted(fitted.heads, 'head')}")


__all__ = ["app"]
