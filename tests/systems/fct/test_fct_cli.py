"""`holdfast fct`: from pairs to a migrated store, in the words a user types."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from holdfast import cli
from holdfast.systems.fct import EmbeddingMigrator

RNG = np.random.default_rng(0)
OLD = RNG.normal(size=(400, 6)).astype(np.float32)
NEW = np.tanh(OLD @ RNG.normal(size=(6, 5))).astype(np.float32)


def fct(*words, code: int = 0, answer: str | None = None) -> str:
    done = CliRunner().invoke(cli.app.app, ["fct", *map(str, words)], input=answer)
    shown = done.output + (str(done.exception) if done.exception else "")
    assert (0 if done.exit_code == 0 else 1) == (1 if code else 0), shown
    return shown


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("fct")
    np.save(made / "old.npy", OLD[:300])
    np.save(made / "new.npy", NEW[:300])
    np.save(made / "test_old.npy", OLD[300:])
    np.save(made / "test_new.npy", NEW[300:])
    np.save(made / "labels.npy", np.array(["a", "b"])[np.arange(100) % 2])
    np.save(made / "gallery.npy", OLD)
    vectors = pa.FixedSizeListArray.from_arrays(OLD.reshape(-1), 6)
    pq.write_table(pa.table({"id": [f"d{i}" for i in range(400)], "embedding": vectors}), made / "gallery.parquet")
    others = {"new": pa.FixedSizeListArray.from_arrays(NEW.reshape(-1), 5), "label": np.arange(400) % 3}
    pq.write_table(pa.table({"old": vectors, **others}), made / "pairs.parquet")
    fct("fit", "--old", made / "old.npy", "--new", made / "new.npy", "--out", made / "model", "--method", "ridge")
    return made


def test_the_whole_way(folder) -> None:
    found = fct("apply", folder / "model", folder / "gallery.parquet", "--sample", 100)
    assert "relative error" in found
    assert "nothing was written" in found
    out = folder / "migrated.parquet"
    fct("apply", folder / "model", folder / "gallery.parquet", "--out", out, "--chunk", 150)
    assert pq.read_table(out).column("id").to_pylist() == [f"d{i}" for i in range(400)]
    assert "whole; 400 rows in 3 chunks" in fct("verify", out, "--source", folder / "gallery.parquet")
    fct("plan", folder / "model", folder / "gallery.parquet", "--budget", 0.1, "--out", folder / "plan.csv")
    plan = pd.read_csv(folder / "plan.csv")
    assert list(plan.columns) == ["id", "row", "expected_error"]
    assert len(plan) == 40
    assert plan["expected_error"].is_monotonic_decreasing
    (out / "part-000001.parquet").unlink()
    assert "cannot be read" in fct("verify", out, code=1)
    fct("rollback", out, "--yes")
    assert not out.exists()
    assert (folder / "gallery.parquet").exists()


def test_going_back_asks_and_looks(folder, tmp_path) -> None:
    source, out = tmp_path / "gallery.npy", tmp_path / "migrated.parquet"
    np.save(source, OLD)
    fct("apply", folder / "model", source, "--out", out)
    (out / "notes.txt").write_text("mine")
    before = sorted(out.rglob("*"))
    assert "--yes: must be given where nobody answers" in fct("rollback", out, code=2)
    assert "--yes: must be given where nobody answers" in fct("rollback", out, code=2, answer="")
    assert "nothing was removed" in fct("rollback", out, code=1, answer="what?\n")
    assert "gallery.npy holds what they were computed from" in fct("verify", out, "--source", source)
    np.save(source, np.zeros_like(OLD))
    assert "gallery.npy holds other content" in fct("verify", out, "--source", source, code=1)
    assert "gallery.npy holds other content" in fct("rollback", out, "--yes", code=2)
    assert sorted(out.rglob("*")) == before
    np.save(source, OLD)
    assert "stays with files that apply did not write" in fct("rollback", out, code=0, answer="y\n")
    assert [path.name for path in out.iterdir()] == ["notes.txt"]


def test_new_embeddings_of_length_1_are_seen_and_said(folder, tmp_path) -> None:
    np.save(tmp_path / "unit.npy", NEW[:300] / np.linalg.norm(NEW[:300], axis=1, keepdims=True))
    pairs = ["--old", folder / "old.npy", "--new", tmp_path / "unit.npy"]

    def lengths(name: str, *more: object) -> tuple[str, np.ndarray]:
        said = fct("fit", *pairs, "--out", tmp_path / name, "--method", "ridge", *more)
        fct("apply", tmp_path / name, folder / "gallery.npy", "--out", tmp_path / f"{name}.npy")
        return said, np.linalg.norm(np.load(tmp_path / f"{name}.npy"), axis=1)

    said, found = lengths("m")
    assert "The new embeddings have length 1, and so will the migrated ones" in said
    assert "neighbours by cosine" in said
    assert np.allclose(found, 1, atol=1e-6)
    said, found = lengths("left", "--no-normalize")
    assert "neighbours by ip" in said
    assert found.std() > 0.01
    assert "compared by ip" in fct("report", tmp_path / "left", *pairs, "--out", tmp_path / "r")
    assert "compared by l2" in fct("report", tmp_path / "left", *pairs, "--out", tmp_path / "r", "--metric", "l2")
    assert "metric: must be one of" in fct("report", tmp_path / "m", *pairs, "--metric", "dot", code=2)
    spoilt = np.load(tmp_path / "unit.npy")
    spoilt[[3, 8]] = 0
    np.save(tmp_path / "unit.npy", spoilt)
    assert "2 of 300, the first are rows 3, 8" in fct("fit", *pairs, "--out", tmp_path / "x", code=2)
    assert "2 of 300, the first are rows 3, 8" in fct("report", tmp_path / "m", *pairs, code=2)


def test_a_store_of_another_scale_needs_a_flag(folder, tmp_path) -> None:
    source, out = tmp_path / "gallery.npy", tmp_path / "migrated.npy"
    np.save(source, OLD / np.linalg.norm(OLD, axis=1, keepdims=True))
    found = fct("apply", folder / "model", source, "--sample", 200)
    assert "warning: nothing can be predicted" in found
    assert "length 1 [1, 1], the pairs' 2." in found
    assert "relative error" not in found
    assert "--unlike-pairs goes on" in fct("apply", folder / "model", source, "--out", out, code=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gallery.npy"]
    assert "warning: the store is unlike" in fct("apply", folder / "model", source, "--out", out, "--unlike-pairs")
    assert np.load(out).shape == (400, 5)


def test_the_report(folder) -> None:
    pairs = ["--old", folder / "test_old.npy", "--new", folder / "test_new.npy"]
    found = fct("report", folder / "model", *pairs, "--labels", folder / "labels.npy", "--out", folder / "r")
    assert "new/migrated" in found
    table = pd.read_csv(folder / "r" / "compatibility.csv", index_col=0)
    assert list(table.columns) == ["CMC top-1", "CMC top-5", "mAP", "recall@10"]
    assert table.loc["new/new", "recall@10"] == 1
    assert 0.2 < table.loc["new/migrated", "recall@10"] < 1
    curves = pd.read_csv(folder / "r" / "backfilling.csv")
    assert list(curves.columns) == ["share", "oracle", "uncertainty", "random"]
    assert np.allclose(curves.iloc[[0, -1], 1:].std(axis=1), 0)
    assert {p.name for p in (folder / "r").iterdir()} >= {"compatibility.svg", "compatibility.png", "backfilling.svg"}


def test_pairs_in_one_table(folder) -> None:
    settings = ["--epochs", 2, "--inner-dim", 8, "--batch-size", 64]
    found = fct("fit", "--pairs", folder / "pairs.parquet", "--out", folder / "mlp", *settings)
    assert "360 pairs" in found
    assert "mAP" in fct("report", folder / "mlp", "--pairs", folder / "pairs.parquet", "--out", folder / "r2")


def test_npz_and_parquet_hold_the_same_pairs(folder, tmp_path) -> None:
    np.savez(tmp_path / "pairs.npz", old=OLD, new=NEW, label=np.arange(400) % 3)
    np.savez(tmp_path / "rated.npz", old=OLD, new=NEW, label=np.linspace(0, 1, 400))  # no classes, and none are needed
    fct("fit", "--pairs", tmp_path / "rated.npz", "--out", tmp_path / "rated", "--method", "ridge")
    settings = ["--method", "ridge"]
    found = [
        fct("fit", "--pairs", pairs, "--out", tmp_path / f"m{n}", *settings).replace(f"m{n}", "m")
        for n, pairs in enumerate((folder / "pairs.parquet", tmp_path / "pairs.npz"))
    ]
    assert found[0] == found[1]
    report = ["--pairs", tmp_path / "pairs.npz", "--out", tmp_path / "r"]
    assert "mAP" in fct("report", tmp_path / "m1", *report)


def with_ids(path: Path, vectors: np.ndarray, ids: list) -> Path:
    flat = pa.FixedSizeListArray.from_arrays(vectors.reshape(-1), vectors.shape[1])
    pq.write_table(pa.table({"id": ids, "embedding": flat}), path)
    return path


def test_rows_of_two_files_are_matched_by_their_ids(tmp_path) -> None:
    order = np.random.default_rng(1).permutation(400)
    old = with_ids(tmp_path / "old.parquet", OLD, [f"d{i}" for i in range(400)])
    new = with_ids(tmp_path / "new.parquet", NEW[order[:300]], [f"d{i}" for i in order[:300]])
    found = fct("fit", "--old", old, "--new", new, "--out", tmp_path / "m", "--method", "ridge")
    assert "300 of 400 rows have a partner" in found
    assert "270 pairs" in found
    rows = np.sort(order[:300])
    np.save(tmp_path / "o.npy", OLD[rows])
    np.save(tmp_path / "n.npy", NEW[rows])
    words = ["--old", tmp_path / "o.npy", "--new", tmp_path / "n.npy", "--out", tmp_path / "w", "--method", "ridge"]
    fct("fit", *words)
    matched, by_row = (EmbeddingMigrator.load(tmp_path / name, device="cpu") for name in "mw")
    assert matched.validation_["cosine"][0] == pytest.approx(by_row.validation_["cosine"][0], abs=0.05)

    def refused(message: str, ids: list, *more: object) -> None:
        other = with_ids(tmp_path / "other.parquet", NEW[: len(ids)], ids)
        assert message in fct("fit", "--old", old, "--new", other, *more, "--out", tmp_path / "x", code=2)

    refused("--new: must have every id once", ["d3", "d5", "d3"])
    refused("must share ids", ["a", "b", "c"])
    refused("must share ids", [1, 2, 3])
    refused("must come in the order of the other files", ["d3", "d5"], "--side", tmp_path / "o.npy")


def test_few_pairs_are_warned_of(folder, tmp_path) -> None:
    np.save(tmp_path / "o.npy", OLD[:11])
    np.save(tmp_path / "n.npy", NEW[:11])
    words = ["--old", tmp_path / "o.npy", "--new", tmp_path / "n.npy", "--out", tmp_path / "m", "--method", "ridge"]
    assert "warning: 9 pairs to fit to are few for 5 dimensions" in fct("fit", *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fit", "--out", "{}/x"], "--old, --new: must both be given"),
        (["fit", "--out", "{}/x", "--pairs", "{}/pairs.parquet", "--old", "{}/old.npy"], "--pairs: must not be given"),
        (
            ["fit", "--out", "{}/x", "--old", "{}/p.npz", "--new", "{}/new.npy"],
            "npz with old and new is given as --pairs",
        ),
        (["apply", "{}/model", "{}/p.npz", "--out", "{}/y.npy"], "save its matrix as .npy"),
        (["fit", "--out", "{}/x", "--pairs", "{}/gallery.parquet"], "must have a column 'old'"),
        (["fit", "--out", "{}/x", "--old", "{}/old.npy", "--new", "{}/gallery.npy"], "must have as many rows as old"),
        (["fit", "--out", "{}", "--old", "{}/old.npy", "--new", "{}/new.npy"], "must be new, empty or a saved model"),
        (["apply", "{}/model", "{}/gallery.npy"], "--out: must be given"),
        (["apply", "{}/model", "{}/new.npy", "--out", "{}/y.npy"], "must hold vectors of 6 dimensions"),
        (["apply", "{}/model", "{}/gallery.npy", "--out", "{}/y.txt"], "must end in .npy"),
        (["apply", "{}/nothing", "{}/gallery.npy", "--out", "{}/y.npy"], "must be a folder with a saved model"),
        (["plan", "{}/model", "{}/gallery.npy", "--budget", "1.5"], "budget: must be a share"),
        (["verify", "{}/gallery.npy"], "must have been written by"),
        (["report", "{}/model", "--old", "{}/test_old.npy", "--new", "{}/test_old.npy"], "must have 5 dimensions"),
    ],
)
def test_mistakes_are_one_line(folder, words, message) -> None:
    assert message in fct(*(word.replace("{}", str(folder)) for word in words), code=2)


def test_help_needs_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, holdfast.systems.fct.cli; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
