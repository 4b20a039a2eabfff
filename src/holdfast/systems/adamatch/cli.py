"""AdaMatch on your own files: `holdfast adamatch fit`, `predict`, `evaluate`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import verbs

app = verbs.Verbs("Label images of a new domain with the labels of another: fit on your files, predict, evaluate.")
CLASSIFIER = verbs.Parameters("holdfast.systems.adamatch.estimator:AdaMatchClassifier")
DEVICE = CLASSIFIER.options("device")
# What the estimator calls its data, and the options that they come from here.
DATA = {
    "X": "--target-labels",
    "Xs": "--source",
    "ys": "--source",
    "Xt": "--target",
    "Xt_labeled": "--labels",
    "yt_labeled": "--labels",
}


@app.verb(named=DATA)
def fit_(
    source: Annotated[Path, typer.Option(help="Labelled images: class folders, or an npz file with x and y.")],
    target: Annotated[Path, typer.Option(help="Images to adapt to, without labels: a folder, or an npz or npy file.")],
    out: Annotated[Path, verbs.model_out()],
    settings: Annotated[dict[str, Any], CLASSIFIER.options("backbone", "steps", "batch", "uratio", "seed", "device")],
    labels: Annotated[
        Path | None, typer.Option(help="A few labelled target images: class folders, or an npz file with x and y.")
    ] = None,
    size: Annotated[int, typer.Option(min=4, help="Side in pixels that images of folders are brought to.")] = 32,
    mirror: Annotated[bool, typer.Option(help="A mirrored image is of the same class (photos, not text).")] = False,
    compare: Annotated[
        bool, typer.Option(help="Train source only and AdaBN with as many steps, too, and show all three.")
    ] = False,
    target_labels: Annotated[
        Path | None,
        typer.Option(help="Labelled target images that --compare measures on: class folders, or an npz file."),
    ] = None,
    resume: verbs.Resume = False,
    quiet: verbs.Quiet = False,
) -> None:
    """Train a classifier for the target domain and save it.

    Labels of the target, if its folder has class folders, are not looked at. For semi-supervised learning give the
    labelled images as the source and the unlabelled ones of the same kind as the target.

    Example: `holdfast adamatch fit --source photos/ --target renders/ --out model/ --backbone wrn28-2 --mirror`
    """
    import numpy as np

    from holdfast.data.readers.image_inputs import open_labelled
    from holdfast.errors import InputError
    from holdfast.systems.adamatch.estimator import AdaMatchClassifier
    from holdfast.systems.adamatch.tool.comparison import compared
    from holdfast.systems.adamatch.tool.image_files import training_data, weak_augmentation

    if target_labels is not None and not compare:
        raise InputError("--target-labels", "must come with --compare", str(target_labels))
    with verbs.training_state(out, resume) as state, verbs.progresses(quiet) as show:
        data = training_data(source, target, labels, size, show, verbs.say)
        test = None
        if target_labels is not None:
            test = open_labelled(target_labels, "--target-labels", np.unique(data["ys"]))
        model = AdaMatchClassifier(weak=weak_augmentation(data["Xs"].shape[-1], mirror), **settings)
        model.fit(**data, progress=partial(show, "Training"), checkpoint=state)
        model.save(out)
    counts = f"{len(data['Xs'])} labelled and {len(data['Xt'])} other images"
    verbs.say(f"{out}: a model of {len(model.classes_)} classes, learned from {counts}")
    doubts = list(model.learning_.doubts())
    for doubt in doubts:
        verbs.say(doubt)
    if doubts:
        verbs.say("Train longer (--steps), on larger images (--size) or with a few labelled target images (--labels).")
    else:
        confident, right = model.history_["mask_rate"][1][-1], model.learning_.labelled.share
        known = f"It is right on {right:.0%} of the labelled images themselves, which says little of the target"
        verbs.say(f"{known}; in the last step it was confident about {confident:.0%} of the target images.")
    if compare:
        with verbs.on_stop(lambda: f"the model is in {out}"), verbs.progresses(quiet) as show:
            found = compared(model, data, test, show)
        verbs.show_table(found.heads, found.rows)
        verbs.say(found.note)


@app.verb(named={"X": "images"})
def predict(
    model: Annotated[Path, typer.Argument(help="Folder written by fit.")],
    images: Annotated[Path, typer.Argument(help="A folder of images, one image, or an npz or npy file.")],
    settings: Annotated[dict[str, Any], DEVICE],
    out: Annotated[Path, verbs.table_out("Table to write")] = Path("predictions.csv"),
    all_classes: Annotated[bool, typer.Option(help="Add a column with the probability of every class.")] = False,
    quiet: verbs.Quiet = False,
) -> None:
    """Write the class of every image, and how probable it is, to a table.

    Example: `holdfast adamatch predict model/ new_renders/ --out predictions.csv`
    """
    from holdfast.data.readers.image_inputs import open_images
    from holdfast.systems.adamatch.estimator import AdaMatchClassifier
    from holdfast.systems.adamatch.tool.image_files import probabilities

    classifier = AdaMatchClassifier.load(model, **settings)
    given = open_images(images, "images", labelled=False)
    with verbs.progresses(quiet) as show:
        p = probabilities(classifier, given, partial(show, "Predicting"))
    table: dict[str, Any] = {
        "path" if given.array is None else "row": given.rows(),
        "class": classifier.classes_[p.argmax(1)],
        "probability": p.max(1),
    }
    if all_classes:
        table |= {f"p({name})": p[:, k] for k, name in enumerate(classifier.classes_.tolist())}
    verbs.write_table(out, table)
    verbs.say(f"{out}: classes of {len(p)} images")


@app.verb(named={"X": "images"})
def evaluate(
    model: Annotated[Path, typer.Argument(help="Folder written by fit.")],
    images: Annotated[Path, typer.Argument(help="Labelled images: class folders, or an npz file with x and y.")],
    settings: Annotated[dict[str, Any], DEVICE],
    as_json: verbs.Json = False,
    quiet: verbs.Quiet = False,
) -> None:
    """Compare predictions with labels: accuracy with a 95 % interval, per class, and what is taken for what.

    Example: `holdfast adamatch evaluate model/ labelled_renders/`
    """
    from holdfast.data.readers.image_inputs import open_labelled
    from holdfast.metrics.classification import Evaluation
    from holdfast.systems.adamatch.estimator import AdaMatchClassifier
    from holdfast.systems.adamatch.tool.image_files import probabilities

    classifier = AdaMatchClassifier.load(model, **settings)
    given, true = open_labelled(images, "images", classifier.classes_)
    with verbs.progresses(quiet) as show:
        predicted = probabilities(classifier, given, partial(show, "Predicting")).argmax(1)
    result = Evaluation.of(classifier.classes_, true, predicted)
    if as_json:
        verbs.show_json({"model": model, "images": images, **result.as_json()})
    else:
        verbs.show_evaluation(result)


__all__ = ["app"]
