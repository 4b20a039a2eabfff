"""Composed queries of an image index: `holdfast pic2word fit`, `index`, `query`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import verbs

app = verbs.Verbs("Search images with a picture and a text that says what should be different.")
MODEL = verbs.Parameters("holdfast.systems.pic2word.estimator:Pic2Word")
SETTINGS = MODEL.options("prompt", "hidden", "steps", "batch", "lr", "seed", "device")
DEVICE = MODEL.options("device")
NAMED = {"X": "images", "texts": "--text", "gallery": "--index", "clip": "--clip"}

Clip = Annotated[Path, typer.Option(help="Folder of a CLIP in Hugging Face's layout.")]


@app.verb(named=NAMED)
def fit_(
    images: Annotated[Path, typer.Argument(help="Images to learn from: a folder, or features of CLIP (.npy).")],
    clip: Clip,
    out: Annotated[Path, verbs.model_out("--out", "-o")],
    settings: Annotated[dict[str, Any], SETTINGS],
    figure: Annotated[Path, verbs.figure_out("Figure of the loss")] = Path("loss.svg"),
    resume: verbs.Resume = False,
    quiet: verbs.Quiet = False,
) -> None:
    """Learn what pictures are as words. Use images like those that you will search with.

    Example: `holdfast pic2word fit photos/ --clip clip/ -o m/`
    """
    from holdfast.systems.pic2word.estimator import Pic2Word
    from holdfast.systems.pic2word.tool.files import loss_figure, read_features

    model = Pic2Word(str(clip), **settings)
    with verbs.training_state(out, resume) as state, verbs.progresses(quiet) as show:
        features, _ = read_features(model, images, partial(show, "Images"))
        model.fit(features, progress=partial(show, "Training"), checkpoint=state)
        model.save(out)
    verbs.write_figure(loss_figure(model.history_), figure)
    last = model.history_["loss"][1][-1]
    verbs.say(
        f"{out}: a mapper for {model.clip_name_}, from {verbs.counted(len(features), 'image')}; "
        f"{figure}: its loss, {last:.3g} at the end"
    )


@app.verb(named=NAMED)
def index(
    images: Annotated[Path, typer.Argument(help="Folder of images.")],
    clip: Clip,
    settings: Annotated[dict[str, Any], DEVICE],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Index to write: .npy; names go into .csv beside it.")
    ] = Path("gallery.npy"),
    quiet: verbs.Quiet = False,
) -> None:
    """Write CLIP's features of images, and a table of their names.

    Example: `holdfast pic2word index gallery/ --clip clip/ -o gallery.npy`
    """
    from holdfast.errors import InputError
    from holdfast.systems.pic2word.estimator import Pic2Word
    from holdfast.systems.pic2word.tool.files import read_features

    if out.suffix != ".npy":
        raise InputError("--out", "must end in .npy", str(out))
    with verbs.progresses(quiet) as show:
        features, names = read_features(Pic2Word(str(clip), **settings), images, partial(show, "Images"))
    verbs.write_array(out, features.numpy())
    verbs.write_table(out.with_suffix(".csv"), {"image": names})
    verbs.say(f"{out}: {verbs.counted(len(features), 'image')}; their names: {out.with_suffix('.csv')}")


@app.verb(named=NAMED)
def query(
    image: Annotated[Path, typer.Option(help="The picture, or a folder of pictures.")],
    text: Annotated[str, typer.Option(help='What to search for, "*" stands for the picture: "a cartoon of *".')],
    index: Annotated[Path, typer.Option(help="Features of the gallery: .npy; names in .csv beside it.")],
    model: Annotated[Path, typer.Option(help="Folder written by fit.")],
    settings: Annotated[dict[str, Any], DEVICE],
    clip: Annotated[Path | None, typer.Option(help="Folder of the CLIP. Default: where it was at fit.")] = None,
    k: Annotated[int, typer.Option("-k", "--top", min=1, help="Hits to write for each picture.")] = 10,
    out: Annotated[Path, verbs.table_out("Table of hits", "--out", "-o")] = Path("hits.csv"),
) -> None:
    """Write the images nearest to picture and text, and beside them those nearest to the plain mean of both.

    Example: `holdfast pic2word query --image a.jpg --text "a cartoon of *" --index gallery.npy --model m/ -o hits.csv`
    """
    from holdfast.systems.pic2word.estimator import Pic2Word
    from holdfast.systems.pic2word.tool.files import hits, read_features, read_gallery

    given = settings if clip is None else {**settings, "clip": str(clip)}
    fitted = Pic2Word.load(model, **given)
    gallery, names, notes = read_gallery(index)
    features, pictures = read_features(fitted, image)
    table = hits(fitted, features, pictures, text, gallery, names, k)
    for note in notes:
        verbs.say(note)
    verbs.write_table(out, table)
    first = table[table["rank"] <= 5]
    verbs.show_table(list(first.columns), [list(row) for row in first.itertuples(index=False)][:10], title=text)
    verbs.say(f"{out}: {verbs.counted(len(table), 'hit')} among {verbs.counted(len(gallery), 'image')}")


__all__ = ["app"]
