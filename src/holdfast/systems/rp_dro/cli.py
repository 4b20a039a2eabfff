"""RP-DRO on your own table: `holdfast rp_dro fit`, `predict`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import verbs

app = verbs.Verbs(
    "Train a classifier on a table that may hold a shortcut nobody has named, and see which rows were weighted up."
)
CLASSIFIER = verbs.Parameters("holdfast.systems.rp_dro.estimator:RPDROClassifier")
SETTINGS = CLASSIFIER.options("tau", "steps", "batch", "lr", "adversary_lr", "hidden", "seed", "device")
DEVICE = CLASSIFIER.options("device")
# What the classifier calls its data, and what they come from here.
FEW = 10  # rows a class, below which a label looks like amounts
NAMED = {"X": "data", "y": "--label", "X_val": "--validation", "y_val": "--validation"}

Group = Annotated[
    str | None, typer.Option(help="Column with groups: accuracy is shown for each. Training never looks at it.")
]


@app.verb(named=NAMED)
def fit_(
    data: Annotated[Path, typer.Argument(help="A table (csv, tsv, parquet, ...): a row per example.")],
    label: Annotated[str, typer.Option(help="Column with the label.")],
    out: Annotated[Path, verbs.model_out("--out", "-o")],
    settings: Annotated[dict[str, Any], SETTINGS],
    reading: verbs.Reading,
    text: Annotated[str | None, typer.Option(help="Column with text to learn from, instead of the numbers.")] = None,
    group: Group = None,
    validation: Annotated[
        Path | None, typer.Option(help="A table like the data, to choose a checkpoint on (minmax). Default: the last.")
    ] = None,
    weights: Annotated[Path, verbs.table_out("Table of the rows by weight")] = Path("weights.csv"),
    figure: Annotated[Path, verbs.figure_out("Figure of what was weighted up")] = Path("weights.svg"),
    resume: verbs.Resume = False,
    quiet: verbs.Quiet = False,
) -> None:
    """Train a model and its adversary, and write the weight that every row ended with.

    The model sees all columns of numbers but label and group, or the words of --text. Other columns are kept beside the
    weights, and are looked through for what was weighted up.

    Example: `holdfast rp_dro fit data.csv --label y --group g -o model/`
    """
    from holdfast.data.readers.labelled_rows import read_rows
    from holdfast.systems.rp_dro.estimator import RPDROClassifier
    from holdfast.systems.rp_dro.tool.upweighted import draw, upweighted

    read = partial(read_rows, label=label, group=group, text=text, reading=reading)
    rows = read(data)
    held = None if validation is None else read(validation, features=rows.features)
    for note in (*rows.notes, *_understood(rows, label)):
        verbs.say(note)
    with verbs.training_state(out, resume) as state, verbs.progresses(quiet) as show:
        model = RPDROClassifier(**settings)
        chosen = {} if held is None else {"X_val": held.X, "y_val": held.label}
        model.fit(
            rows.X, rows.label, **chosen, columns=rows.features, progress=partial(show, "Training"), checkpoint=state
        )
        model.save(out)
    found = model.example_weights(rows.X, rows.label)
    summary = upweighted(rows, found)
    verbs.write_table(weights, rows.by_weight(found, model.predict(rows.X), label))
    verbs.write_figure(draw(summary, found), figure)
    verbs.show_table(
        *_top(summary),
        title="What was weighted up, per label: shares and means, without the weights and with "
        "(change: log2 of the ratio of shares, +1 = twice as much; of a mean in standard deviations)",
    )
    if group is not None:
        seen = rows if held is None else held
        where = "the rows it was trained on" if held is None else str(validation)
        verbs.show_table(
            *_of_groups(seen.label, model.predict(seen.X), seen.group), title=f"Accuracy per group, {where}"
        )
    verbs.say(f"{out}: a model of {len(model.classes_)} classes, from {verbs.counted(len(found), 'row')}")
    verbs.say(f"{weights}: all rows by weight, from {found.max():.3g} to {found.min():.2g}; {figure}: a figure of it")


@app.verb(named={"X": "data", "y": "--label"})
def predict(
    model: Annotated[Path, typer.Argument(help="Folder written by fit.")],
    data: Annotated[Path, typer.Argument(help="A table with the columns that the model was fitted with.")],
    settings: Annotated[dict[str, Any], DEVICE],
    reading: verbs.Reading,
    out: Annotated[Path, verbs.table_out("Table to write")] = Path("predictions.csv"),
    label: Annotated[str | None, typer.Option(help="Column with the label, to measure accuracy.")] = None,
    group: Group = None,
) -> None:
    """Write the class of every row, and how probable it is; with --label and --group also the accuracy per group.

    Example: `holdfast rp_dro predict model/ new.csv --label y --group g --out predictions.csv`
    """
    from holdfast.data.readers.labelled_rows import read_rows
    from holdfast.errors import InputError
    from holdfast.systems.rp_dro.estimator import RPDROClassifier

    if group is not None and label is None:
        raise InputError("--group", "must come with --label: accuracy needs both", group)
    classifier = RPDROClassifier.load(model, **settings)
    names = classifier.columns_ or ()
    text = names[0] if classifier.reads_text and names else None
    rows = read_rows(data, label=label, group=group, text=text, features=names or None, reading=reading)
    if label is not None:
        _warn_of_unknown(rows.label, [str(name) for name in classifier.classes_])
    p = classifier.predict_proba(rows.X)
    answers = classifier.classes_[p.argmax(1)].astype(str)
    verbs.write_table(out, {"row": rows.number, "class": answers, "probability": p.max(1)})
    verbs.say(f"{out}: classes of {verbs.counted(len(p), 'row')}")
    if label is not None:
        groups = rows.group if group is not None else ["all"] * len(p)
        verbs.show_table(*_of_groups(rows.label, answers, groups), title="Accuracy per group")


def _understood(rows: Any, label: str) -> list[str]:
    """What the classifier sees, what it does not, and a label that looks like amounts."""
    unseen = [str(name) for name in rows.frame.columns if name not in rows.features]
    beside = f"; only looked through: {_some(unseen)}" if unseen else ""
    notes = [f"learned from: {_some(rows.features)}{beside}"]
    classes, n = len(set(rows.label)), len(rows.label)
    if classes > 2 and n < FEW * classes:
        notes.append(f"{label}: {classes} different values in {n} rows, each a class; cut amounts into classes first")
    return notes


def _some(names: Sequence[str], most: int = 10) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _warn_of_unknown(labels: Any, known: list[str]) -> None:
    strange = [name for name in labels if name not in known]
    if len(strange) == len(labels):
        from holdfast.errors import InputError

        raise InputError("--label", f"must name a column with classes of the model ({', '.join(known)})", strange[0])
    if strange:
        rows = verbs.counted(len(strange), "row")
        verbs.say(f"{rows} with a label that the model does not know, such as {strange[0]!r}: counted as wrong")


def _top(summary: Any, most: int = 15) -> tuple[list[str], list[list[Any]]]:
    shown = summary.head(most)
    return list(shown.columns), [list(row) for row in shown.itertuples(index=False)]


def _of_groups(true: Any, predicted: Any, groups: Any) -> tuple[list[str], list[list[Any]]]:
    from collections import Counter

    from holdfast.metrics.groups import group_accuracies

    counts = Counter(groups)
    found = sorted(group_accuracies(true, predicted, groups).items(), key=lambda pair: pair[1])
    return ["group", "rows", "accuracy"], [[name, counts[name], share] for name, share in found]


__all__ = ["app"]
