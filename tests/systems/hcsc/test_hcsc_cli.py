"""The verbs on files of a user's own, and on broken ones."""

from __future__ import annotations

import csv
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from holdfast.errors import InputError
from holdfast.systems.hcsc.cli import app


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.save("f.npy", np.repeat(rng.normal(size=(6, 8)), 10, 0) + 0.1 * rng.normal(size=(60, 8)))
    (tmp_path / "photos").mkdir()
    for i in range(12):
        Image.fromarray(rng.integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(f"photos/p{i:02d}.png")
    return tmp_path


def run(*words):
    result = CliRunner().invoke(app, [str(w) for w in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_tree_writes_tree_tables_and_figure(files):
    done = run("tree", "f.npy", "-o", "t", "--clusters", "6, 2", "--seed", 1)
    assert done.exit_code == 0, done.output
    assert sorted(p.name for p in (files / "t").iterdir()) == [
        "clusters.csv", "paths.csv", "tree.json", "tree.nwk", "tree.png", "tree.svg",
    ]  # fmt: skip
    paths = np.array([[int(v) for v in row] for row in list(csv.reader((files / "t/paths.csv").open()))[1:]])
    assert paths[:, 0].tolist() == list(range(60))
    for k in range(6):  # ten copies with little noise are one cluster
        assert len(set(paths[10 * k : 10 * k + 10, 1])) == 1
    tree = json.loads((files / "t/tree.json").read_text())
    assert tree["assign"] == paths[:, 1].tolist()
    assert [tree["levels"][0]["parent"][c] for c in paths[:, 1]] == paths[:, 2].tolist()
    clusters = pd.read_csv("t/clusters.csv")
    assert clusters["rows"].tolist()[:6] == [10] * 6
    x = np.load("f.npy")
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    for c, said in enumerate(clusters["examples"][:6]):
        rows = np.flatnonzero(paths[:, 1] == c)
        near = x[rows] @ np.array(tree["levels"][0]["prototypes"][c])
        assert [int(i) for i in said.split(", ")] == rows[np.argsort(-near)[:3]].tolist()
    assert "level 2: 2 clusters" in (files / "t/tree.svg").read_text()
    assert run("tree", "f.npy", "-o", "t", "--parquet").exit_code == 0  # over an earlier tree
    assert len(pd.read_parquet("t/paths.parquet")) == 60


def test_fit_and_embed(files):
    words = ("--epochs", 2, "--batch", 4, "--clusters", "4,2", "--size", 16, "--mirror", "-q")
    done = run("fit", "photos", "-o", "m", *words)
    assert done.exit_code == 0, done.output
    table = pd.read_parquet("embedding.parquet")
    assert table["row"].tolist() == [f"photos/p{i:02d}.png" for i in range(12)]
    tree = json.loads((files / "tree/tree.json").read_text())
    assert table["level 1"].tolist() == tree["assign"]
    assert len(table.columns) == 3 + 64
    assert run("embed", "m", "photos", "-o", "e.csv").exit_code == 0
    again = pd.read_csv("e.csv")
    np.testing.assert_allclose(again.filter(regex="^e").values, table.filter(regex="^e").values, atol=1e-5)
    assert run("embed", "m", "photos/p03.png", "-o", "one.parquet").exit_code == 0
    one = pd.read_parquet("one.parquet")
    np.testing.assert_allclose(one.filter(regex="^e").values, table.filter(regex="^e").values[3:4], atol=1e-5)


def test_fit_on_features(files):
    done = run("fit", "f.npy", "-o", "m", "--epochs", 2, "--clusters", "6,2", "--batch", 10, "-q")
    assert done.exit_code == 0, done.output
    assert pd.read_parquet("embedding.parquet")["row"].tolist() == [str(i) for i in range(60)]
    with pytest.raises(InputError, match="as in the fit"):
        run("embed", "m", "photos", "-o", "e.csv")


@pytest.mark.parametrize(
    ("make", "words", "said"),
    [
        (lambda f: np.save(f / "f.npy", np.zeros((0, 3))), (), "f.npy"),
        (lambda f: np.save(f / "f.npy", np.full((9, 3), np.nan)), (), "f.npy"),
        (lambda f: np.save(f / "f.npy", np.zeros((9, 3, 2))), (), "f.npy"),
        (lambda f: np.save(f / "f.npy", np.zeros((9, 3))), (), "f.npy"),
        (lambda f: np.save(f / "f.npy", np.ones((1, 3))), (), "--clusters"),
        (lambda f: (f / "f.npy").write_text("no array"), (), "f.npy"),
        (lambda f: (f / "f.npy").unlink(), (), "f.npy"),
        (lambda _: None, ("--clusters", "2,6"), "--clusters"),
        (lambda _: None, ("--clusters", "many"), "--clusters"),
        (lambda _: None, ("--clusters", "100,6"), "--clusters"),
        (lambda _: None, ("--backend", "magic"), "--backend"),
        (lambda f: (f / "t").mkdir() or (f / "t/mine.txt").write_text("mine"), (), "t: must be a new folder"),
    ],
)
def test_broken_files_and_words_are_one_line_and_leave_nothing(files, make, words, said):
    make(files)
    with pytest.raises(InputError, match=said):
        run("tree", "f.npy", "-o", "t", *words)
    assert not (files / "t/tree.json").exists()


@pytest.mark.parametrize("words", [("--clusters", "100,6"), ("--batch", 0), ("--device", "tpu")])
def test_a_fit_that_is_refused_leaves_no_model(files, words):
    with pytest.raises(InputError, match=words[0]):
        run("fit", "photos", "-o", "m", "--epochs", 1, "-q", *words)
    assert not (files / "m").exists()
    assert not (files / "embedding.parquet").exists()


def test_features_have_no_mirror(files):
    with pytest.raises(InputError, match="--mirror"):
        run("fit", "f.npy", "-o", "m", "--epochs", 1, "--mirror", "-q")
    assert not (files / "m").exists()


def test_an_empty_folder_and_a_damaged_image(files):
    (files / "none").mkdir()
    with pytest.raises(InputError, match="none"):
        run("fit", "none", "-o", "m")
    (files / "photos/p03.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"p03\.png"):
        run("fit", "photos", "-o", "m")
