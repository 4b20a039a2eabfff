"""The filter on your own files: `holdfast trolls clean`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import verbs

app = verbs.Verbs("Find the users whose labels cannot be believed, and what is left without them.")
FILTER = verbs.Parameters("holdfast.systems.trolls.estimator:TrollFilter")
NAMED = {"X": "--text", "y": "--label", "users": "--user", "X_val": "--validation", "y_val": "--validation"}
SHOWN = 10
READERS = {"minilm": "sentence vectors", "tfidf": "words (TF-IDF)"}


@app.callback()
def verb_of_trolls() -> None:
    """A group, although it has one verb."""


@app.verb(named=NAMED | {"users_val": "--validation"})
def clean(
    feedback: Annotated[Path, typer.Argument(help="A table with a row for every label a user gave.")],
    label: Annotated[str, typer.Option(help="Column of the labels, which have two values.")],
    user: Annotated[str, typer.Option(help="Column that tells who gave the label.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Table of what is kept: .csv, .tsv or .parquet.")],
    reading: verbs.Reading,
    settings: Annotated[dict[str, Any], FILTER.options("method", "alpha", "tau", "theta", "encoder", folds="k")],
    text: Annotated[str | None, typer.Option(help="Column of the texts that were labelled.")] = None,
    features: Annotated[
        str | None, typer.Option(help="Numbers instead of texts: columns a,b,c, or an npy file with a row for each.")
    ] = None,
    positive: Annotated[str | None, typer.Option(help="Which label is called positive; default: the second.")] = None,
    report: Annotated[Path | None, verbs.table_out("Table of users to write")] = None,
    figure: Annotated[Path | None, verbs.figure_out("Figure of users to write")] = None,
    validation: Annotated[
        Path | None, typer.Option(help="Validation data with the same columns, cleaned by a model of what is kept.")
    ] = None,
    validation_out: Annotated[Path | None, verbs.table_out("Table of what is kept of it")] = None,
    quiet: verbs.Quiet = False,
) -> None:
    """Drop the labels of users who cannot be believed, and write the rest: all columns, every cell as it was.

    No trusted labels are needed. If more than half of all labels are turned, nothing here can see it.

    Example: `holdfast trolls clean feedback.csv --text text --label label --user user_id -o clean.csv`
    """
    from holdfast.errors import InputError
    from holdfast.systems.trolls.estimator import TrollFilter
    from holdfast.systems.trolls.tool.feedback_files import read_feedback, users_figure
    from holdfast.verbs.tables import check_apart, check_table

    check_table(out)
    check_apart((feedback, validation), out=out, report=report, figure=figure, validation_out=validation_out)
    if (validation is None) != (validation_out is None):
        raise InputError("--validation", "must come with --validation-out", str(validation or validation_out))
    data = read_feedback(feedback, text, features, label, user, reading)
    for note in data.table.notes:
        verbs.say(f"{feedback}: {note}")
    more: dict[str, Any] = {}
    held = None
    if validation is not None:
        held = read_feedback(validation, text, features, label, user, reading)
        more = {"X_val": held.X, "y_val": held.y, "users_val": held.users}
    with verbs.progresses(quiet) as show:
        trolls = TrollFilter(**settings)
        trolls.fit(data.X, data.y, data.users, positive=positive, progress=show, **more)
    found = trolls.user_report_
    verbs.write_table(out, data.columns(trolls.keep_, trolls.y_))
    if held is not None and validation_out is not None:
        verbs.write_table(validation_out, held.columns(trolls.keep_val_, trolls.y_val_))
    if report is not None:
        verbs.write_table(report, found)
    if figure is not None:
        verbs.write_figure(users_figure(found), figure)
    negative, called = (str(name) for name in trolls.classes_)
    kept, gone, corrected = int(trolls.keep_.sum()), int(found["dropped"].sum()), int((trolls.y_ != data.y).sum())
    verbs.say(f"labels: {called!r} is taken for positive, {negative!r} for negative")
    dropped = f"{gone} of {verbs.counted(len(found), 'user')} dropped whole"
    if trolls.encoder_:
        verbs.say(f"texts: read by {READERS[trolls.encoder_]} (--encoder)")
    changed = f"{verbs.counted(corrected, 'label')} corrected"
    verbs.say(f"{out}: {kept:,} of {verbs.counted(len(data.y), 'row')} kept; {dropped}; {changed}")
    if held is not None:
        verbs.say(f"{validation_out}: {int(trolls.keep_val_.sum()):,} of {verbs.counted(len(held.y), 'row')} kept")
    worst = found[found["kept"] < found["examples"]].head(SHOWN)
    if len(worst):
        verbs.show_table(
            list(worst.columns), worst.values.tolist(), f"least trusted users, {len(worst)} of {len(found)}"
        )


__all__ = ["app"]
