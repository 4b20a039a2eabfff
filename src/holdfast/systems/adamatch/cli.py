"""AdaMatch on your own files: `holdfast adamatch fit`, `predict`, `evaluate`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.console import bar
from holdfast.errors import InputError
from holdfast.printable import clean, clean_line

if TYPE_CHECKING:
    from holdfast.systems.adamatch.estimator import AdaMatchClassifier
    from holdfast.systems.adamatch.evaluation import Evaluation, Share
    from holdfast.systems.adamatch.inputs import Images


app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Label images of a new domain with the labels of another: fit on your files, predict, evaluate.",
)
# What the estimator calls its arguments, and the options they come from here.
OPTIONS = {
    "Xs": "--source",
    "ys": "--source",
    "Xt": "--target",
    "Xt_labeled": "--labels",
    "yt_labeled": "--labels",
    "backbone": "--backbone",
    "batch": "--batch",
    "device": "--device",
    "seed": "--seed",
    "steps": "--steps",
    "uratio": "--uratio",
}
DEVICE = typer.Option(help="auto, cpu, cuda, cuda:1, ...")


@app.command(name="fit")
def fit_(
    source: Annotated[Path, typer.Option(help="Labelled images: class folders, or an npz file with x and y.")],
    target: Annotated[Path, typer.Option(help="Images to adapt to, without labels: a folder, or an npz or npy file.")],
    out: Annotated[Path, typer.Option(help="Folder for the model.")],
    labels: Annotated[
        Path | None, typer.Option(help="A few labelled target images: class folders, or an npz file with x and y.")
    ] = None,
    backbone: Annotated[str, typer.Option(help="small, wrn28-2, wrn28-4, wrn34-2 or wrn40-2.")] = "small",
    size: Annotated[int, typer.Option(min=4, help="Side in pixels that images of folders are brought to.")] = 32,
    steps: Annotated[int, typer.Option(help="Training steps.")] = 2000,
    batch: Annotated[int, typer.Option(help="Source images per step.")] = 64,
    uratio: Annotated[int, typer.Option(help="Target images per source image.")] = 3,
    mirror: Annotated[bool, typer.Option(help="A mirrored image is of the same class (photos, not text).")] = False,
    seed: Annotated[int, typer.Option(help="Of initialisation, order and augmentation.")] = 0,
    device: Annotated[str, DEVICE] = "auto",
    resume: Annotated[bool, typer.Option(help="Continue an interrupted run with the same options.")] = False,
) -> None:
    """Train a classifier for the target domain and save it.

    Labels of the target, if its folder has class folders, are not looked at. For semi-supervised learning give the
    labelled images as the source and the unlabelled ones of the same kind as the target.

    Example: `holdfast adamatch fit --source photos/ --target renders/ --out model/ --backbone wrn28-2 --mirror`
    """
    from holdfast.estimator import modelfolder
    from holdfast.systems.adamatch.estimator import AdaMatchClassifier

    modelfolder.check_replaceable(out)  # now, not after an hour of training
    data = _training_data(source, target, labels, size)
    weak = _weak(data["Xs"].shape[-1], mirror)
    model = AdaMatchClassifier(backbone, uratio=uratio, batch=batch, steps=steps, weak=weak, device=device, seed=seed)
    with _training_state(out, resume) as checkpoint, _options(), bar("Training") as progress:
        model.fit(**data, progress=progress, checkpoint=checkpoint)
        model.save(out)
    counts = f"{len(data['Xs'])} labelled and {len(data['Xt'])} other images"
    _say(f"{out}: a model of {len(model.classes_)} classes, learned from {counts}")
    confident = model.history_["mask_rate"][1][-1]
    _say(f"In the last step it was confident about {confident:.0%} of the target images.")


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="Folder written by fit.")],
    images: Annotated[Path, typer.Argument(help="A folder of images, one image, or an npz or npy file.")],
    out: Annotated[Path, typer.Option(help="Table to write: .csv or .parquet.")] = Path("predictions.csv"),
    all_classes: Annotated[bool, typer.Option(help="Add a column with the probability of every class.")] = False,
    device: Annotated[str, DEVICE] = "auto",
) -> None:
    """Write the class of every image, and how probable it is, to a table.

    Example: `holdfast adamatch predict model/ new_renders/ --out predictions.csv`
    """
    import pandas as pd

    from holdfast.files import replacing
    from holdfast.systems.adamatch.inputs import open_images

    if out.suffix.lower() not in (".csv", ".parquet"):
        raise InputError("--out", "must end in .csv or .parquet", str(out))
    classifier = _load(model, device)
    given = open_images(images, "images", labelled=False)
    p = _probabilities(classifier, given)
    best = p.argmax(1)
    table = {
        "path" if given.array is None else "row": given.rows(),
        "class": classifier.classes_[best],
        "probability": p.max(1),
    }
    if all_classes:
        table |= {f"p({name})": p[:, k] for k, name in enumerate(classifier.classes_.tolist())}
    frame = pd.DataFrame(table)
    with replacing(out) as temporary:
        if out.suffix.lower() == ".csv":
            frame.to_csv(temporary, index=False, float_format="%.6g")
        else:
            frame.to_parquet(temporary, index=False)
    _say(f"{out}: classes of {len(frame)} images")


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="Folder written by fit.")],
    images: Annotated[Path, typer.Argument(help="Labelled images: class folders, or an npz file with x and y.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    device: Annotated[str, DEVICE] = "auto",
) -> None:
    """Compare predictions with labels: accuracy with a 95 % interval, per class, and what is taken for what.

    Example: `holdfast adamatch evaluate model/ labelled_renders/`
    """
    import numpy as np

    from holdfast.estimator.labels import encode_labels
    from holdfast.systems.adamatch.evaluation import Evaluation
    from holdfast.systems.adamatch.inputs import check_known, open_images

    classifier = _load(model, device)
    given = open_images(images, "images", labelled=True)
    check_known(given, classifier.classes_.tolist())
    true, _ = encode_labels(given.labels, name="images", classes=classifier.classes_)
    predicted = np.asarray(_probabilities(classifier, given).argmax(1))
    result = Evaluation.of(classifier.classes_, true, predicted)
    if as_json:
        typer.echo(json.dumps({"model": str(model), "images": str(images), **result.as_json()}, ensure_ascii=False))
    else:
        _print(result)


# ------------------------------------------------------------------------------------------------------------- reading
def _load(folder: Path, device: str) -> AdaMatchClassifier:
    from holdfast.systems.adamatch.estimator import AdaMatchClassifier

    return AdaMatchClassifier.load(folder, device=device)


def _training_data(source: Path, target: Path, labels: Path | None, size: int) -> dict[str, Any]:
    """The arguments of the estimator's fit: all images in grey if all of them are, else all in colour."""
    from holdfast.systems.adamatch.inputs import check_known, open_images

    known = open_images(source, "--source", labelled=True)
    new = open_images(target, "--target", labelled=False)
    few = None if labels is None else open_images(labels, "--labels", labelled=True)
    if few is not None and known.labels is not None:
        check_known(few, sorted(set(known.labels.tolist())))
    given = [known, new, *([] if few is None else [few])]
    channels = 3 if any(images.is_colour() for images in given) else 1
    data: dict[str, Any] = {"Xs": _read(known, size, channels), "ys": known.labels, "Xt": _read(new, size, channels)}
    if few is not None:
        data |= {"Xt_labeled": _read(few, size, channels), "yt_labeled": few.labels}
    return data


def _read(images: Images, size: int, channels: int) -> Any:
    with bar(f"Reading {images.name}") as progress:
        return images.read(size, channels, progress=progress)


def _probabilities(classifier: AdaMatchClassifier, images: Images) -> Any:
    """(N, K), a piece of the images in memory at a time."""
    import numpy as np

    channels, height, width = classifier.image_shape_
    if images.array is None and height != width:
        rule = f"must be an npz or npy file with images of {height}x{width}, as the model was trained on"
        raise InputError(images.name, rule, "image files, which are read as squares")
    done, parts = 0, []
    with bar("Predicting") as progress, _options({"X": images.name}):
        for rows in images.chunks():
            parts.append(classifier.predict_proba(images.read(height, channels, rows)))
            done += len(parts[-1])
            progress(done, len(images))
    return np.concatenate(parts)


def _weak(size: int, mirror: bool) -> Any:
    from holdfast.data.augment import Compose, Mirror, Shift

    return Compose((Shift(max(1, size // 16)), Mirror())) if mirror else None


@contextmanager
def _training_state(out: Path, resume: bool) -> Iterator[Path]:
    """The folder beside the model where training keeps its state; removed once the model is there."""
    folder = out.absolute().with_name(f".{out.absolute().name}.training")
    if resume and not folder.is_dir():
        raise InputError("--resume", f"must follow an interrupted run with --out {out}", f"no {folder}")
    if folder.is_symlink():
        raise InputError(
            "--out", "must not have a link beside it where training keeps its state; remove it", str(folder)
        )
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    except KeyboardInterrupt:
        _say(f"Stopped. The same command with --resume continues; the state is in {folder}.")
        raise
    shutil.rmtree(folder, ignore_errors=True)


# ------------------------------------------------------------------------------------------------------------ speaking
@contextmanager
def _options(names: dict[str, str] | None = None) -> Iterator[None]:
    """Errors about the estimator's arguments, said in terms of the command's options."""
    try:
        yield
    except InputError as e:
        name = (names or OPTIONS).get(e.argument)
        if name is None:
            raise
        raise InputError(name, e.rule, e.received) from e


def _say(text: str) -> None:
    typer.echo(clean(text), err=True)


def _print(result: Evaluation) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    names = [escape(clean_line(name)) for name in result.classes]  # names of folders: whatever is in them is no markup
    console.print(f"accuracy {_shown(result.accuracy)} ({result.accuracy.k} of {result.accuracy.n})")
    present = result.present()
    table = Table("class", "images", "recognised (recall)", "right when predicted (precision)")
    for k in present:
        table.add_row(names[k], str(result.recall(k).n), _shown(result.recall(k)), _shown(result.precision(k)))
    console.print(table)
    matrix = Table("true \\ predicted", *(names[k] for k in present))
    for i in present:
        matrix.add_row(names[i], *(str(result.matrix[i, j]) for j in present))
    if console.measure(matrix).maximum <= console.width:  # else names would be cut until nobody can tell them apart
        console.print(matrix)
        return
    confused = Table("true", "predicted", "times", title="most frequent mistakes")
    for true, predicted, times in result.confusions()[:12]:
        confused.add_row(escape(clean_line(true)), escape(clean_line(predicted)), str(times))
    console.print(confused)


def _shown(share: Share) -> str:
    if not share.n:
        return "-"
    low, high = share.interval
    return f"{share.value:.1%} ({low:.1%} to {high:.1%})"


__all__ = ["app"]
