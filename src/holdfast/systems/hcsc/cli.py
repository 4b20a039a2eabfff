"""Trees of clusters of your own embeddings and images: `holdfast hcsc tree`, `fit`, `embed`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast import verbs

app = verbs.Verbs("Sort unlabelled embeddings or images into a tree of clusters, and learn embeddings with its help.")
MODEL = verbs.Parameters("holdfast.systems.hcsc.estimator:HCSC")
SETTINGS = MODEL.options("epochs", "batch", "lr", "size", "seed", "device")
NAMED = {"X": "data", "features": "data", "n_clusters": "--clusters"}

FALLING = (
    "Clusters per level, falling, such as 80,20,5. Default: a 20th, 80th and 320th of the rows, at most 240,60,15."
)
Clusters = Annotated[str | None, typer.Option(help=FALLING)]
Tree = Annotated[Path, typer.Option(help="Folder for the tree: tree.json, tree.nwk, tables, and a figure.")]
Suffix = Annotated[bool, typer.Option("--parquet", help="Write the tables of the tree as .parquet instead of .csv.")]


@app.verb(named=NAMED)
def tree(
    data: Annotated[Path, typer.Argument(help="Embeddings: .npy, .npz (x), or the columns of numbers of a table.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write: tree.json, tree.nwk, tables, a figure.")],
    reading: verbs.Reading,
    clusters: Clusters = None,
    backend: Annotated[str, typer.Option(help="Who does k-means: torch, faiss or sklearn.")] = "torch",
    seed: Annotated[int, typer.Option(min=0, help="Of the starts of k-means.")] = 0,
    parquet: Suffix = False,
) -> None:
    """Make a tree of clusters of embeddings, by cosine. Nothing is trained.

    Example: `holdfast hcsc tree features.npy -o tree/`
    """
    from holdfast.data.readers.vectors import read_vectors
    from holdfast.systems.hcsc.estimator import usual_clusters
    from holdfast.systems.hcsc.method.prototypes import hierarchical_kmeans
    from holdfast.systems.hcsc.tool.tree_folder import check_tree_folder, write_tree

    check_tree_folder(out)
    x = read_vectors(data, reading)
    counts = _counts(clusters) or usual_clusters(len(x))
    found = hierarchical_kmeans(x, counts, seed=seed, backend=backend)  # type: ignore[arg-type]
    table = write_tree(out, found, x, [str(i) for i in range(len(x))], ".parquet" if parquet else ".csv")
    top = [list(row) for row in zip(*table.values(), strict=True) if row[0] == len(found)]
    verbs.show_table(list(table), top[:20], title=f"{data}: the coarsest clusters")
    verbs.say(f"{out}: {verbs.counted(len(x), 'row')} in {' > '.join(map(str, counts))} clusters; {out / 'tree.svg'}")


@app.verb(named=NAMED)
def fit_(
    data: Annotated[Path, typer.Argument(help="Images: a folder, .npz (x) or .npy; or rows of features (.npy).")],
    out: Annotated[Path, verbs.model_out("--out", "-o")],
    settings: Annotated[dict[str, Any], SETTINGS],
    tree: Tree = Path("tree"),
    embedding: Annotated[Path, verbs.table_out("Table of clusters and embeddings")] = Path("embedding.parquet"),
    clusters: Clusters = None,
    mirror: Annotated[bool, typer.Option(help="A mirrored image shows the same (photos, not text).")] = False,
    parquet: Suffix = False,
    resume: verbs.Resume = False,
    quiet: verbs.Quiet = False,
) -> None:
    """Learn an encoder of unlabelled images, and write embeddings, the path of clusters of every image, and the tree.

    Example: `holdfast hcsc fit photos/ -o m/ --mirror`
    """
    from holdfast.data.augment import Compose, Mirror
    from holdfast.errors import InputError
    from holdfast.systems.hcsc.estimator import HCSC, PHOTOS
    from holdfast.systems.hcsc.tool.rows import embedding_table, read_rows
    from holdfast.systems.hcsc.tool.tree_folder import check_tree_folder, write_tree

    check_tree_folder(tree)
    model = HCSC(n_clusters=_counts(clusters), augment=Compose((PHOTOS, Mirror())) if mirror else None, **settings)
    with verbs.training_state(out, resume) as state, verbs.progresses(quiet) as show:
        rows, names = read_rows(data, settings["size"], progress=partial(show, "Images"))
        if mirror and rows.ndim != 4:
            raise InputError("--mirror", "is for images", f"{data}, rows of features")
        model.fit(rows, progress=partial(show, "Training"), checkpoint=state)
        model.save(out)
    found = model.embed(rows)
    verbs.write_table(embedding, embedding_table(names, model.tree_.paths(), found))
    images, suffix = rows if rows.ndim == 4 else None, ".parquet" if parquet else ".csv"
    write_tree(tree, model.tree_, model.project(rows), names, suffix, images)
    verbs.say(f"{out}: an encoder of {verbs.counted(len(rows), 'row')}; {embedding}: embeddings and clusters")
    verbs.say(f"{tree}: {' > '.join(str(len(c)) for c in model.tree_.prototypes)} clusters; {tree / 'tree.svg'}")


@app.verb(named=NAMED)
def embed(
    model: Annotated[Path, typer.Argument(help="Folder written by fit.")],
    data: Annotated[Path, typer.Argument(help="Images or features as those of fit.")],
    settings: Annotated[dict[str, Any], MODEL.options("device")],
    out: Annotated[Path, verbs.table_out("Table to write", "--out", "-o")] = Path("embedding.parquet"),
    quiet: verbs.Quiet = False,
) -> None:
    """Write embeddings of new images, and the clusters that they fall into.

    Example: `holdfast hcsc embed m/ new/ -o embedding.parquet`
    """
    from holdfast.systems.hcsc.estimator import HCSC
    from holdfast.systems.hcsc.tool.rows import embedding_table, read_rows

    fitted = HCSC.load(model, **settings)
    with verbs.progresses(quiet) as show:
        rows, names = read_rows(data, fitted.size, fitted.row_shape_, partial(show, "Images"))
    verbs.write_table(out, embedding_table(names, fitted.paths(rows), fitted.embed(rows)))
    verbs.say(f"{out}: {verbs.counted(len(rows), 'row')}")


def _counts(text: str | None) -> tuple[int, ...] | None:
    from holdfast.errors import InputError

    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise InputError("--clusters", "must be whole numbers with commas, such as 80,20,5", text)
    return tuple(int(part) for part in parts)


__all__ = ["app"]
