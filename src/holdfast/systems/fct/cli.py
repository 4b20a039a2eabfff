"""Migrate your own vectors: `holdfast fct fit`, `report`, `apply`, `plan`, `verify`, `rollback`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.console import bar
from holdfast.errors import InputError
from holdfast.systems.fct.tool.speaking import print_table, say, write_figure, write_table

if TYPE_CHECKING:
    from holdfast.data.vectors import VectorSource
    from holdfast.systems.fct.estimator import EmbeddingMigrator

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Move stored embeddings to a new model without embedding again: learn a map from items embedded by both "
    "models, look what it is worth, run it over the store.",
)
OLD = typer.Option(help="Old embeddings of the pairs: .npy, .parquet (or a folder of them), .index or .faiss.")
NEW = typer.Option(help="New embeddings of the same items: in the same order, or with ids in both files.")
SIDE = typer.Option(help="Side-information stored beside the old embeddings: likewise.")
LABELS = typer.Option(help="Classes of the pairs: .npy.")
PAIRS = typer.Option(help="All of these in one parquet or npz file: old, new, and if there are such side, label, id.")
MODEL = typer.Argument(help="Folder written by fit.")
SOURCE = typer.Argument(help="The store: .npy, .parquet (or a folder of them), .index or .faiss.")
COLUMN = typer.Option(help="Column of the vectors in parquet files; default: the only one of lists, or `embedding`.")
ID_COLUMN = typer.Option(help="Column of the ids in parquet files; default: `id`, if there is one.")
STORE_SIDE = typer.Option(help="Side-information of the rows: npy, in their order.")
SIDE_COLUMN = typer.Option(help="Column of the side-information in parquet files.")
DEVICE = typer.Option(help="cpu, cuda, cuda:1, ...; default: cuda where there is one.")


@app.command(name="fit")
def fit_(
    out: Annotated[Path, typer.Option(help="Folder for the model.")],
    old: Annotated[Path | None, OLD] = None,
    new: Annotated[Path | None, NEW] = None,
    side: Annotated[Path | None, SIDE] = None,
    pairs: Annotated[Path | None, PAIRS] = None,
    method: Annotated[str, typer.Option(help="mlp (the paper's), ridge or procrustes.")] = "mlp",
    uncertainty: Annotated[
        str, typer.Option(help="What `plan` goes by: neighbours, ensemble, or head (FastFill's, mlp only).")
    ] = "neighbours",
    normalize: Annotated[bool, typer.Option(help="The index stores vectors of length 1.")] = False,
    val_fraction: Annotated[float, typer.Option(help="Share of the pairs that is held out and looked at.")] = 0.1,
    epochs: Annotated[int, typer.Option(help="Passes over the pairs (mlp).")] = 20,
    batch_size: Annotated[
        int | None, typer.Option(help="Pairs per step (mlp); default: 1024, or less with few pairs.")
    ] = None,
    lr: Annotated[float, typer.Option(help="Highest learning rate (mlp).")] = 2e-3,
    inner_dim: Annotated[
        int | None, typer.Option(help="Width of the hidden layers (mlp); default: by the dimensions, 256 to 1024.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the split, the initial weights and the order.")] = 0,
    device: Annotated[str | None, DEVICE] = None,
) -> None:
    """Learn the map from items embedded by both models, and say what it is worth on some that were held out.

    The paper's setting of h is for a million pairs: --epochs 80 --batch-size 1024 --lr 5e-4 --inner-dim 2048.

    Example: `holdfast fct fit --old old.npy --new new.npy --out model/`
    """
    from holdfast.estimator import modelfolder
    from holdfast.systems.fct.estimator import EmbeddingMigrator
    from holdfast.systems.fct.tool.pair_files import read_pairs

    modelfolder.check_replaceable(out)  # now, not after an hour of training
    given = read_pairs(pairs, old, new, side, labelled=False, say=say)
    migrator = EmbeddingMigrator(
        method, uncertainty, "l2" if normalize else None, val_fraction, epochs, batch_size, lr, inner_dim,
        seed=seed, device=device,
    )  # fmt: skip
    with _warnings_said(), bar("Fitting") as progress:
        migrator.fit(given.old, given.new, given.side, ids=given.ids, progress=progress)
    migrator.save(out)
    _say_fitted(migrator, method, out)


def _say_fitted(migrator: EmbeddingMigrator, method: str, out: Path) -> None:
    fitted, held_out = migrator.pairs_
    say(f"{out}: {method}, fitted to {fitted:,} pairs")
    found, linear = migrator.validation_, migrator.ridge_validation_
    heads: tuple[str, ...] = ("held out", "mean", "low", "high")
    rows = [(name, *(f"{x:.3f}" for x in values)) for name, values in found.items()]
    if method != "ridge":
        heads += ("ridge",)
        rows = [(*row, f"{linear[row[0]][0]:.3f}") for row in rows]
    print_table(heads, rows, f"{held_out:,} pairs held out, 95 % intervals")
    if "recall@10" in found and linear["recall@10"][0] > found["recall@10"][0]:
        say("A linear map finds more of the true neighbours here, and takes seconds: --method ridge")


@app.command()
def report(
    model: Annotated[Path, MODEL],
    old: Annotated[Path | None, OLD] = None,
    new: Annotated[Path | None, NEW] = None,
    side: Annotated[Path | None, SIDE] = None,
    labels: Annotated[Path | None, LABELS] = None,
    pairs: Annotated[Path | None, PAIRS] = None,
    out: Annotated[Path, typer.Option(help="Folder for the table and the figures.")] = Path("report"),
    k: Annotated[int, typer.Option(min=1, help="Depth of the recall.")] = 10,
    metric: Annotated[str, typer.Option(help="l2 or cosine: how the index compares.")] = "l2",
    most: Annotated[int, typer.Option(min=20, help="Pairs to compare with each other at most.")] = 5000,
) -> None:
    """What queries find in the old, the migrated and the new gallery. Use pairs that the model was not fitted to.

    Each pair is a query and a gallery row, and does not find itself.

    Example: `holdfast fct report model/ --old test_old.npy --new test_new.npy --out report/`
    """
    from holdfast.systems.fct.tool.pair_files import read_pairs
    from holdfast.systems.fct.tool.report import measure

    migrator = _load(model, None)
    given = read_pairs(pairs, old, new, side, labels, say=say)
    found, curves = measure(migrator, given, k=k, metric=metric, most=most)
    out.mkdir(parents=True, exist_ok=True)
    table = found.table.rename_axis("query/gallery").reset_index()
    write_table(table, out / "compatibility.csv")
    write_figure(found.figure(), out / "compatibility")
    write_figure(curves.figure(), out / "backfilling")
    write_table(curves.table(), out / "backfilling.csv")
    rows = [(str(row[0]), *(f"{x:.3f}" for x in row[1:])) for row in table.itertuples(index=False)]
    print_table(tuple(table.columns), rows, f"{found.queries:,} queries, {found.gallery:,} gallery rows")
    kept = ", ".join(f"{share:.0%} of the {name}" for name, share in found.kept.items())
    say(f"The migrated gallery has {kept} that embedding everything again would give.")
    say(f"figures: {out / 'compatibility.svg'}, {out / 'backfilling.svg'}")


@app.command()
def apply(
    model: Annotated[Path, MODEL],
    source: Annotated[Path, SOURCE],
    out: Annotated[Path | None, typer.Option(help="The new store; a name that is not taken.")] = None,
    column: Annotated[str | None, COLUMN] = None,
    id_column: Annotated[str | None, ID_COLUMN] = None,
    side: Annotated[Path | None, STORE_SIDE] = None,
    side_column: Annotated[str | None, SIDE_COLUMN] = None,
    chunk: Annotated[int | None, typer.Option(min=1, help="Rows per chunk; default: what takes 64 MB.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with what was begun; may run in several places at once.")] = False,
    drop_bad: Annotated[bool, typer.Option(help="Leave rows with NaN or infinity out; their ids are written.")] = False,
    sample: Annotated[int | None, typer.Option(min=1, help="Dry run: look at so many rows, write nothing.")] = None,
    device: Annotated[str | None, DEVICE] = None,
) -> None:
    """Migrate a store to a new one. The old one is only read.

    Example: `holdfast fct apply model/ gallery.parquet --out migrated.parquet`
    """
    from holdfast.systems.fct.tool.migration import apply as run

    migrator = _load(model, device)
    store = _open(source, column, id_column, side, side_column)
    if sample is not None:
        _dry_run(migrator, store, sample)
        return
    if out is None:
        raise InputError("--out", "must be given (or --sample for a dry run)")
    try:
        with bar("Migrating") as progress:
            done = run(migrator, store, out, chunk=chunk, resume=resume, drop_bad=drop_bad, progress=progress)
    except KeyboardInterrupt:
        say(f"Stopped. The same command with --resume goes on; what is done is beside {out}.")
        raise
    dropped = f", {done.dropped:,} left out" if done.dropped else ""
    say(f"{out}: {done.rows:,} rows{dropped}; {done.chunks[0]} of {done.chunks[1]} chunks in {done.seconds:.1f} s")
    say(f"`holdfast fct verify {out}` reads it back; {source} is untouched.")


def _dry_run(migrator: EmbeddingMigrator, store: VectorSource, sample: int) -> None:
    from holdfast.systems.fct.tool.migration import preview

    found = preview(migrator, store, sample)
    rows = [(n, f"{e.value:.3f}", f"{e.low:.3f}", f"{e.high:.3f}") for n, e in found.prediction.qualities.items()]
    title = f"predicted from {found.prediction.rows:,} rows of {store.path.name}, 95 % intervals"
    print_table(("quality", "mean", "low", "high"), rows, title)
    held_out = min(migrator.pairs_[1], 5000)
    say(f"recall and finding itself are among {held_out:,} candidates; among more they are lower")
    say(f"{found.prediction.far:.1%} of these rows are unlike any held-out pair (1% would be usual)")
    cost = f"about {found.seconds:.0f} s of computing and {found.gigabytes:.2g} GB"
    say(f"all {store.rows:,} rows: {cost}; nothing was written")
    if found.bad:
        say(f"{found.bad:.2%} of these rows hold NaN or infinity: --drop-bad would leave them out")


@app.command()
def plan(
    model: Annotated[Path, MODEL],
    source: Annotated[Path, SOURCE],
    budget: Annotated[float, typer.Option(help="Share of the rows, or from 1 on a number of rows.")] = 0.1,
    out: Annotated[Path, typer.Option(help="Table to write: .csv or .parquet.")] = Path("plan.csv"),
    column: Annotated[str | None, COLUMN] = None,
    id_column: Annotated[str | None, ID_COLUMN] = None,
    side: Annotated[Path | None, STORE_SIDE] = None,
    side_column: Annotated[str | None, SIDE_COLUMN] = None,
    device: Annotated[str | None, DEVICE] = None,
) -> None:
    """Which rows to embed again first, where the map is likely to be most wrong. SOURCE is the old store.

    Example: `holdfast fct plan model/ gallery.parquet --budget 0.1 --out first.csv`
    """
    from holdfast.systems.fct.tool.report import plan_for

    migrator = _load(model, device)
    store = _open(source, column, id_column, side, side_column)
    with bar("Looking") as progress:
        found = plan_for(migrator, store, budget, progress)
    write_table(found.table, out)
    say(f"{out}: {len(found.table):,} of {store.rows:,} rows, with {found.covered:.1%} of the error that is expected")


@app.command()
def verify(
    out: Annotated[Path, typer.Argument(help="A store written by apply.")],
    source: Annotated[Path | None, typer.Option(help="The store it was made from: ids are compared, too.")] = None,
    column: Annotated[str | None, COLUMN] = None,
    id_column: Annotated[str | None, ID_COLUMN] = None,
) -> None:
    """Read a migrated store back: are all rows there, and are they what was computed? Exit code 1 if not.

    Example: `holdfast fct verify migrated.parquet --source gallery.parquet`
    """
    from holdfast.data.vectors import verify as check

    store = None if source is None else _open(source, column, id_column, None, None)
    with bar("Reading") as progress:
        found = check(out, store, progress=progress)
    for problem in found.problems:
        say(f"{out}: {problem}")
    if not found.passed:
        raise typer.Exit(1)
    dropped = f", {found.dropped:,} left out on purpose" if found.dropped else ""
    say(f"{out}: whole; {found.rows:,} rows in {found.chunks} chunks are what was computed{dropped}")


@app.command()
def rollback(
    out: Annotated[Path, typer.Argument(help="A store written by apply.")],
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
) -> None:
    """Remove a migrated store, once it is certain that the one it was made from is still as it was.

    Example: `holdfast fct rollback migrated.parquet --yes`
    """
    from holdfast.data.vectors import rollback as remove

    if not yes and not typer.confirm(f"Remove {out} and all that belongs to it?"):
        raise typer.Exit(1)
    for path in remove(out):
        say(f"removed {path}")


# ------------------------------------------------------------------------------------------------------------- reading
def _load(folder: Path, device: str | None) -> EmbeddingMigrator:
    from holdfast.systems.fct.estimator import EmbeddingMigrator

    return EmbeddingMigrator.load(folder, device=device)


def _open(
    path: Path, column: str | None, id_column: str | None, side: Path | None, side_column: str | None
) -> VectorSource:
    from holdfast.data.vectors import open_source

    return open_source(path, column=column, id_column=id_column, side=side, side_column=side_column)


@contextmanager
def _warnings_said() -> Iterator[None]:
    """Warnings as one line each, before what they warn of begins."""
    before = warnings.showwarning
    warnings.showwarning = lambda message, *_: say(f"Warning: {message}")
    try:
        yield
    finally:
        warnings.showwarning = before


__all__ = ["app"]
