"""The verbs on a graph of tables, and on broken ones."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from holdfast.data.published_graphs import load_geom_gcn
from holdfast.data.synthetic.block_graphs import block_graph, class_features
from holdfast.errors import InputError
from holdfast.systems.gradient_gating import NodeClassifier
from holdfast.systems.gradient_gating.cli import app

FAST = ["--depth", "2", "--width", "8", "--steps", "10", "--quiet"]
FILES = Path(os.environ.get("HOLDFAST_DATA", "")) / "gradient_gating" / "texas"


def run(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("own graph")
    rng = np.random.default_rng(0)
    y, edges = block_graph(rng, 80, 3, homophily=0.2, degree=5)
    table = pd.DataFrame(class_features(rng, y, 4, 3.0), columns=list("abcd"))
    table.insert(0, "id", [f"n{i}" for i in range(80)])
    table["y"] = np.where(np.arange(80) < 60, np.array(["x", "y", "z"])[y], "")
    table.to_csv(root / "n.csv", index=False)
    once = edges[:, : edges.shape[1] // 2]
    pd.DataFrame([(f"n{a}", f"n{b}") for a, b in once.T] + [("n0", "n1")] * 2).to_csv(
        root / "e.csv", index=False, header=["source", "target"]
    )
    said = run("fit", "--edges", root / "e.csv", "--nodes", root / "n.csv", "--label", "y", "-o", root / "m", *FAST,
               "--figure", root / "layers.png")  # fmt: skip
    assert said.exit_code == 0, said.output
    (root / "said").write_text(said.output)
    return root


def fit(folder, nodes="n.csv", edges="e.csv", *more):
    out = folder / "new"
    found = run("fit", "--edges", folder / edges, "--nodes", folder / nodes, "--label", "y", "-o", out, *FAST, *more)
    if found.exit_code:
        assert not out.exists()  # no half model
    return found


def test_what_fit_says_and_leaves(folder):
    said = " ".join((folder / "said").read_text().split())
    assert "used in both directions" in said
    assert "more than once" in said
    assert "60 nodes with a label, 20 without" in said
    assert "learned from 45 nodes, validated on 15 others" in said
    assert "a network that looks at no edge (MLP)" in said
    assert (folder / "layers.png").stat().st_size > 1000
    model = NodeClassifier.load(folder / "m")
    assert not (model.train_mask_ | model.val_mask_)[60:].any()
    assert model.columns_ == {"features": ["a", "b", "c", "d"], "directed": False, "label": "y"}


def test_predictions_are_those_of_the_estimator(folder):
    found = run(
        "predict", folder / "m", "--edges", folder / "e.csv", "--nodes", folder / "n.csv", "-o", folder / "p.csv"
    )
    assert found.exit_code == 0, found.output
    table = pd.read_csv(folder / "p.csv")
    assert list(table) == ["id", "prediction", "probability"]
    assert len(table) == 80
    assert table["probability"].between(1 / 3, 1).all()
    assert (table["prediction"][:60] == pd.read_csv(folder / "n.csv")["y"][:60]).mean() > 0.6


def test_directed_edges_stay_as_they_are(folder):
    found = fit(folder, "n.csv", "e.csv", "--directed", "--figure", folder / "d.svg")
    assert found.exit_code == 0, found.output
    assert "one way" in " ".join(found.output.split())
    assert NodeClassifier.load(folder / "new").columns_["directed"]


def changed(folder, **columns):
    table = pd.read_csv(folder / "n.csv").assign(**columns)
    table.to_csv(folder / "changed.csv", index=False)
    return "changed.csv"


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"a": np.nan}, "finite number"),
        ({"y": "same"}, "--label: must have at least 2 different classes"),
        ({"y": ""}, "must hold a label"),
        ({"y": np.arange(80) / 7}, "must hold classes that nodes share"),
        ({"id": "n0"}, "ids: must differ"),
    ],
)
def test_broken_nodes(folder, columns, named):
    with pytest.raises(InputError, match=named):
        fit(folder, changed(folder, **columns))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("source,target\nn0,elsewhere\n", "elsewhere"),
        ("source,target\n", "row|edge|empty"),
        ("", "empty|row"),
        ("a\nn0\n", "source"),
    ],
)
def test_broken_edges(folder, text, named):
    (folder / "broken.csv").write_text(text)
    with pytest.raises(InputError, match=named):
        fit(folder, "n.csv", "broken.csv")


def test_a_wrong_exponent_and_too_few_labels(folder):
    with pytest.raises(InputError, match="p: must be"):
        fit(folder, "n.csv", "e.csv", "--p", "0")
    with pytest.raises(InputError, match=r"must leave at least one|at least 2"):
        fit(folder, changed(folder, y=np.where(np.arange(80) < 1, "x", "")))


def test_nodes_that_lack_a_feature(folder):
    pd.read_csv(folder / "n.csv").drop(columns="b").to_csv(folder / "less.csv", index=False)
    with pytest.raises(InputError, match="'b'"):
        run(
            "predict", folder / "m", "--edges", folder / "e.csv", "--nodes", folder / "less.csv", "-o", folder / "q.csv"
        )
    assert not (folder / "q.csv").exists()


def test_likeness_of_neighbours_is_said_where_there_is_any(folder):
    (folder / "loops.csv").write_text("source,target\nn0,n0\nn1,n1\n")
    found = fit(folder, "n.csv", "loops.csv", "--figure", folder / "l.svg")
    assert found.exit_code == 0, found.output
    said = " ".join(found.output.split())
    assert "nan" not in said
    assert "equal labels" not in said
    assert "the gate is shut" in said


@pytest.mark.skipif(not FILES.exists(), reason="HOLDFAST_DATA has no graphs")
def test_a_real_graph(tmp_path):
    graph = load_geom_gcn(FILES)
    table = pd.DataFrame(graph.x[:, :60].numpy(), columns=[f"w{i}" for i in range(60)])
    table.assign(id=range(183), y=[f"class {k}" for k in graph.y.tolist()]).to_csv(tmp_path / "n.csv", index=False)
    pd.DataFrame(graph.edge_index.T.numpy(), columns=["source", "target"]).to_csv(tmp_path / "e.csv", index=False)
    found = fit(tmp_path, "n.csv", "e.csv", "--figure", tmp_path / "f.svg")
    assert found.exit_code == 0, found.output
    assert "5 classes" in found.output
