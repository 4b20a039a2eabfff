"""What the commands say and write of a fit, a dry run and a report."""

from __future__ import annotations

from pathlib import Path

from holdfast import verbs
from holdfast.data.vectors import VectorSource
from holdfast.systems.fct.estimator import EmbeddingMigrator
from holdfast.systems.fct.tool.compatibility import CompatReport
from holdfast.systems.fct.tool.migration import ADVICE, Preview
from holdfast.systems.fct.tool.quality import MOST
from holdfast.systems.fct.tool.report import Curves


def show_fit(migrator: EmbeddingMigrator, out: Path) -> None:
    """What the map is worth on held-out pairs, beside a linear one."""
    fitted, held_out = migrator.pairs_
    verbs.say(f"{out}: {migrator.method}, fitted to {fitted:,} pairs")
    found, linear = migrator.validation_, migrator.ridge_validation_
    if migrator.unit and migrator.normalize == "auto":
        verbs.say(
            "The new embeddings have length 1, and so will the migrated ones (--no-normalize leaves them as they are)"
        )
    heads: tuple[str, ...] = ("held out", "mean", "low", "high")
    rows: list[tuple[object, ...]] = [(name, *values) for name, values in found.items()]
    if migrator.method != "ridge":
        heads += ("ridge",)
        rows = [(*row, linear[str(row[0])][0]) for row in rows]
    verbs.show_table(heads, rows, f"{held_out:,} pairs held out, 95 % intervals, neighbours by {migrator.searched_by}")
    if "recall@10" in found and linear["recall@10"][0] > found["recall@10"][0]:
        verbs.say("A linear map finds more of the true neighbours here, and takes seconds: --method ridge")


def show_preview(found: Preview, migrator: EmbeddingMigrator, store: VectorSource) -> None:
    """What is to be expected of the whole store."""
    if found.unlike:
        verbs.say(f"warning: nothing can be predicted, the store is unlike the pairs: {'; '.join(found.unlike)}")
        verbs.say(f"what to do: {ADVICE}; --unlike-pairs migrates all the same")
    else:
        rows = [(name, e.value, e.low, e.high) for name, e in found.prediction.qualities.items()]
        title = f"predicted from {found.prediction.rows:,} rows of {store.path.name}, 95 % intervals"
        verbs.show_table(("quality", "mean", "low", "high"), rows, title)
        held_out = min(migrator.pairs_[1], MOST)
        verbs.say(f"recall and finding itself are among {held_out:,} candidates; among more they are lower")
        verbs.say(f"{found.prediction.far:.1%} of these rows are unlike any held-out pair (1% would be usual)")
    if found.unlike is None:
        verbs.say(
            "whether the store is like the pairs cannot be said: too few of them, or a model of an earlier version"
        )
    cost = f"about {found.seconds:.0f} s of computing and {found.gigabytes:.2g} GB"
    verbs.say(f"all {store.rows:,} rows: {cost}; nothing was written")
    if found.bad:
        verbs.say(f"{found.bad:.2%} of these rows hold NaN or infinity: --drop-bad would leave them out")


def write_report(found: CompatReport, curves: Curves, out: Path) -> None:
    """Tables and figures in a folder, and what they say on the terminal."""
    out.mkdir(parents=True, exist_ok=True)
    table = found.table.rename_axis("query/gallery").reset_index()
    verbs.write_table(out / "compatibility.csv", table)
    verbs.write_table(out / "backfilling.csv", curves.table())
    figures = [
        str(verbs.write_figures(figure, out / name))
        for name, figure in (("compatibility", found.figure()), ("backfilling", curves.figure()))
    ]
    rows = list(table.itertuples(index=False, name=None))
    verbs.show_table(tuple(table.columns), rows, f"{found.queries:,} queries, {found.gallery:,} gallery rows")
    kept = ", ".join(f"{share:.0%} of the {name}" for name, share in found.kept.items())
    verbs.say(f"The migrated gallery has {kept} that embedding everything again would give.")
    verbs.say(f"figures: {', '.join(figures)}")


__all__ = ["show_fit", "show_preview", "write_report"]
