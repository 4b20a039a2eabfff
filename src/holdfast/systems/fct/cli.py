"""Migrate your own vectors: `holdfast fct fit`, `report`, `apply`, `plan`, `verify`, `rollback`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast import verbs
from holdfast.errors import InputError

if TYPE_CHECKING:
    from holdfast.data.vectors import VectorSource

app = verbs.Verbs(
    "Move stored embeddings to a new model without embedding again: learn a map from items embedded by both models, "
    "look what it is worth, run it over the store."
)
MIGRATOR = verbs.Parameters("holdfast.systems.fct.estimator:EmbeddingMigrator")
DEVICE = MIGRATOR.options("device")
MODEL = typer.Argument(help="Folder written by fit.")
SOURCE = typer.Argument(help="The store: .npy, .parquet (or a folder of them), .index or .faiss.")
WRITTEN = typer.Argument(help="A store written by apply.")


@dataclass(frozen=True)
class PairOptions:
    """Where items are that both models have embedded."""

    old: Annotated[
        Path | None,
        typer.Option(help="Old embeddings of the pairs: .npy, .parquet (or a folder of them), .index or .faiss."),
    ] = None
    new: Annotated[
        Path | None,
        typer.Option(help="New embeddings of the same items: in one order, or with ids in both files."),
    ] = None
    side: Annotated[Path | None, typer.Option(help="Side-information stored beside the old embeddings: likewise.")] = (
        None
    )
    pairs: Annotated[
        Path | None,
        typer.Option(help="All of these in one parquet or npz file: old, new, and if there are such side, label, id."),
    ] = None


@dataclass(frozen=True)
class ColumnOptions:
    """Columns of a store."""

    column: Annotated[
        str | None,
        typer.Option(help="Column of the vectors in parquet files; default: the only one of lists, or `embedding`."),
    ] = None
    id_column: Annotated[
        str | None, typer.Option(help="Column of the ids in parquet files; default: `id`, if there is one.")
    ] = None

    def open(self, path: Path) -> VectorSource:
        """The store at a path."""
        from holdfast.data.vectors import open_source

        return open_source(path, **vars(self))


@dataclass(frozen=True)
class StoreOptions(ColumnOptions):
    """Columns of a store, and side-information."""

    side: Annotated[Path | None, typer.Option(help="Side-information of the rows: npy, in their order.")] = None
    side_column: Annotated[str | None, typer.Option(help="Column of the side-information in parquet files.")] = None


@app.verb()
def fit_(
    out: Annotated[Path, verbs.model_out()],
    given: PairOptions,
    settings: Annotated[
        dict[str, Any],
        MIGRATOR.options(
            *("method", "val_fraction", "epochs", "batch_size", "lr", "inner_dim", "seed", "device", "metric"),
            uncertainty="uncertainty_from",
        ),
    ],
    normalize: Annotated[
        bool | None,
        typer.Option(help="Bring results to length 1, or leave them. Default: as the new embeddings of the pairs are."),
    ] = None,
    quiet: verbs.Quiet = False,
) -> None:
    """Learn the map from items embedded by both models, and say what it is worth on some that were held out.

    The paper's setting of h is for a million pairs: --epochs 80 --batch-size 1024 --lr 5e-4 --inner-dim 2048.

    Example: `holdfast fct fit --old old.npy --new new.npy --out model/`
    """
    from holdfast.systems.fct.estimator import EmbeddingMigrator
    from holdfast.systems.fct.tool.pair_files import read_pairs
    from holdfast.systems.fct.tool.summaries import show_fit

    pairs = read_pairs(**vars(given), labelled=False, say=verbs.say)
    migrator = EmbeddingMigrator(normalize={None: "auto", True: "l2", False: None}[normalize], **settings)
    with verbs.progress("Fitting", quiet) as show:
        migrator.fit(pairs.old, pairs.new, pairs.side, ids=pairs.ids, progress=show)
    migrator.save(out)
    show_fit(migrator, out)


@app.verb()
def report(
    model: Annotated[Path, MODEL],
    given: PairOptions,
    labels: Annotated[Path | None, typer.Option(help="Classes of the pairs: .npy.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the table and the figures.")] = Path("report"),
    k: Annotated[int, typer.Option(min=1, help="Depth of the recall.")] = 10,
    metric: Annotated[
        str | None, typer.Option(help="l2, cosine or ip: how the index compares. Default: as fit.")
    ] = None,
    most: Annotated[int, typer.Option(min=20, help="Pairs to compare with each other at most.")] = 5000,
) -> None:
    """What queries find in the old, the migrated and the new gallery. Use pairs that the model was not fitted to.

    Each pair is a query and a gallery row, and does not find itself.

    Example: `holdfast fct report model/ --old test_old.npy --new test_new.npy --out report/`
    """
    from holdfast.systems.fct.estimator import EmbeddingMigrator
    from holdfast.systems.fct.tool.pair_files import read_pairs
    from holdfast.systems.fct.tool.report import measure
    from holdfast.systems.fct.tool.summaries import write_report

    migrator = EmbeddingMigrator.load(model)
    pairs = read_pairs(**vars(given), labels=labels, say=verbs.say)
    write_report(*measure(migrator, pairs, k=k, metric=metric, most=most), out)
    verbs.say(f"compared by {metric or migrator.searched_by}")


@app.verb()
def apply(
    model: Annotated[Path, MODEL],
    source: Annotated[Path, SOURCE],
    store: StoreOptions,
    device: Annotated[dict[str, Any], DEVICE],
    out: Annotated[Path | None, typer.Option(help="The new store; a name that is not taken.")] = None,
    chunk: Annotated[int | None, typer.Option(min=1, help="Rows per chunk; default: what takes 64 MB.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with what was begun; may run in several places at once.")] = False,
    drop_bad: Annotated[bool, typer.Option(help="Leave rows with NaN or infinity out; their ids are written.")] = False,
    unlike_pairs: Annotated[
        bool, typer.Option("--unlike-pairs", help="Migrate a store that is unlike the pairs of fit; a guess at best.")
    ] = False,
    sample: Annotated[int | None, typer.Option(min=1, help="Dry run: look at so many rows, write nothing.")] = None,
    quiet: verbs.Quiet = False,
) -> None:
    """Migrate a store to a new one. The old one is only read.

    Example: `holdfast fct apply model/ gallery.parquet --out migrated.parquet`
    """
    from holdfast.data.vectors.sinks import job_folder
    from holdfast.systems.fct.estimator import EmbeddingMigrator
    from holdfast.systems.fct.tool import migration
    from holdfast.systems.fct.tool.summaries import show_preview

    migrator = EmbeddingMigrator.load(model, **device)
    opened = store.open(source)
    if sample is not None:
        show_preview(migration.preview(migrator, opened, sample), migrator, opened)
        return
    if out is None:
        raise InputError("--out", "must be given (or --sample for a dry run)")
    with verbs.resumable(lambda: job_folder(out).is_dir()), verbs.progress("Migrating", quiet) as show:
        options: dict[str, Any] = {"chunk": chunk, "resume": resume, "drop_bad": drop_bad, "unlike_pairs": unlike_pairs}
        done = migration.apply(migrator, opened, out, **options, progress=show)
    dropped = f", {done.dropped:,} left out" if done.dropped else ""
    verbs.say(
        f"{out}: {done.rows:,} rows{dropped}; {done.chunks[0]} of {done.chunks[1]} chunks in {done.seconds:.1f} s"
    )
    verbs.say(f"`holdfast fct verify {out}` reads it back; {source} is untouched.")


@app.verb()
def plan(
    model: Annotated[Path, MODEL],
    source: Annotated[Path, SOURCE],
    store: StoreOptions,
    device: Annotated[dict[str, Any], DEVICE],
    budget: Annotated[float, typer.Option(help="Share of the rows, or from 1 on a number of rows.")] = 0.1,
    out: Annotated[Path, verbs.table_out("Table to write")] = Path("plan.csv"),
    quiet: verbs.Quiet = False,
) -> None:
    """Which rows to embed again first, where the map is likely to be most wrong. SOURCE is the old store.

    Example: `holdfast fct plan model/ gallery.parquet --budget 0.1 --out first.csv`
    """
    from holdfast.systems.fct.estimator import EmbeddingMigrator
    from holdfast.systems.fct.tool.report import plan_for

    migrator = EmbeddingMigrator.load(model, **device)
    opened = store.open(source)
    with verbs.progress("Looking", quiet) as show:
        found = plan_for(migrator, opened, budget, show)
    verbs.write_table(out, found.table)
    rows = f"{len(found.table):,} of {opened.rows:,} rows"
    verbs.say(f"{out}: {rows}, with {found.covered:.1%} of the error that is expected")


@app.verb()
def verify(
    out: Annotated[Path, WRITTEN],
    store: ColumnOptions,
    source: Annotated[Path | None, typer.Option(help="The store it was made from: is it still the same?")] = None,
    quiet: verbs.Quiet = False,
) -> None:
    """Read a migrated store back: are all rows there, and are they what was computed? Exit code 1 if not.

    Example: `holdfast fct verify migrated.parquet --source gallery.parquet`
    """
    from holdfast.data.vectors import verify as check

    with verbs.progress("Reading", quiet) as show:
        found = check(out, None if source is None else store.open(source), progress=show)
    for problem in found.problems:
        verbs.say(f"{out}: {problem}")
    if not found.passed:
        raise typer.Exit(1)
    dropped = f", {found.dropped:,} left out on purpose" if found.dropped else ""
    same = "" if source is None else f"; {source} holds what they were computed from"
    verbs.say(f"{out}: whole; {found.rows:,} rows in {found.chunks} chunks are what was computed{dropped}{same}")


@app.verb()
def rollback(
    out: Annotated[Path, WRITTEN],
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking.")] = False,
    quiet: verbs.Quiet = False,
) -> None:
    """Remove a migrated store, once it is certain that the one it was made from still holds what it held.

    Example: `holdfast fct rollback migrated.parquet --yes`
    """
    from holdfast.data.vectors import rollback as remove

    if not yes and not verbs.confirmed(f"Remove {out} and all that belongs to it?", "--yes"):
        verbs.say("nothing was removed")
        raise typer.Exit(1)
    with verbs.progress("Comparing", quiet) as show:
        removed = remove(out, progress=show)
    more = f" and {len(removed) - 1} more files" if len(removed) > 1 else ""
    stays = f"; {out} stays with files that apply did not write" if out.exists() else ""
    verbs.say(f"removed {removed[0]}{more}{stays}")


__all__ = ["app"]
