"""Loaders of published graphs on tiny files in their formats, and on files that are none."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat
from scipy.sparse import csr_matrix

from holdfast.data.published_graphs import load_geom_gcn, load_heterophilous_npz, load_mat
from holdfast.errors import InputError

FILES = Path(os.environ.get("HOLDFAST_DATA", "")) / "gradient_gating"


@pytest.fixture
def webkb(tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "out1_graph_edges.txt").write_text("node_id\tnode_id\n7\t8\n9\t7\n")
    (folder / "out1_node_feature_label.txt").write_text(
        "node_id\tfeature\tlabel\n7\t0,1,1\t2\n8\t1,0,0\t0\n9\t0,0,0\t1\n"
    )
    masks = np.eye(3, dtype=np.uint8)
    for i in range(2):
        np.savez(
            tmp_path / f"tiny_split_0.6_0.2_{i}.npz", train_mask=masks[i], val_mask=masks[1 - i], test_mask=masks[2]
        )
    return folder


def test_geom_gcn(webkb):
    graph = load_geom_gcn(webkb, webkb.parent)
    assert graph.x.tolist() == [[0, 1, 1], [1, 0, 0], [0, 0, 0]]
    assert graph.edge_index.tolist() == [[0, 2], [1, 0]]
    assert graph.y.tolist() == [2, 0, 1]
    assert graph.masks["train"].tolist() == [[True, False, False], [False, True, False]]
    assert load_geom_gcn(webkb).masks == {}


def test_geom_gcn_with_numbers_of_words(webkb):
    (webkb / "out1_node_feature_label.txt").write_text("node_id\tfeature\tlabel\n7\t0,3\t2\n8\t1\t0\n9\t0,1,3\t1\n")
    assert load_geom_gcn(webkb).x.tolist() == [[1, 0, 0, 1], [0, 1, 0, 0], [1, 1, 0, 1]]


def test_heterophilous_npz(tmp_path):
    masks = np.eye(3, dtype=bool)[None].repeat(2, 0)
    parts = {f"{part}_masks": masks[:, i] for i, part in enumerate(("train", "val", "test"))}
    edges = np.array([[0, 1], [1, 2]])
    np.savez(tmp_path / "g.npz", node_features=np.eye(3), node_labels=np.arange(3), edges=edges, **parts)
    graph = load_heterophilous_npz(tmp_path / "g.npz")
    assert graph.edge_index.tolist() == [[0, 1], [1, 2]]
    assert graph.masks["val"].tolist() == [[False, True, False]] * 2
    assert graph.x.dtype == torch.float32
    np.savez(tmp_path / "h.npz", node_features=np.eye(3), node_labels=np.arange(3), edges=edges + 1, **parts)
    with pytest.raises(InputError, match="edges: must name nodes"):
        load_heterophilous_npz(tmp_path / "h.npz")


@pytest.mark.parametrize("features", [np.eye(4), csr_matrix(np.eye(4))])
def test_mat(tmp_path, features):
    edges = np.array([[0, 1, 3], [1, 2, 0]], dtype=np.uint16)
    savemat(
        tmp_path / "g.mat", {"node_feat": features, "edge_index": edges, "label": np.array([[0.0, np.nan, 1.0, -1]])}
    )
    graph = load_mat(tmp_path / "g.mat")
    assert graph.x.tolist() == np.eye(4).tolist()
    assert (graph.edge_index.tolist(), graph.y.tolist()) == (edges.tolist(), [0, -1, 1, -1])


def test_mat_with_years(tmp_path):
    years = np.repeat(np.arange(1990, 2000), 3)
    content = {"node_feat": np.zeros((30, 2)), "edge_index": np.zeros((2, 0)), "years": years}
    savemat(tmp_path / "g.mat", content)
    assert np.bincount(load_mat(tmp_path / "g.mat").y).tolist() == [6] * 5


def test_files_that_are_none(tmp_path, webkb):
    (tmp_path / "text.npz").write_text("no archive")
    objects = np.empty((3, 2), object)
    objects[:] = "a"
    savemat(tmp_path / "objects.mat", {"node_feat": objects, "edge_index": np.zeros((2, 0)), "label": np.zeros(3)})
    np.savez(tmp_path / "objects.npz", node_features=objects)
    (tmp_path / "cut.mat").write_bytes((tmp_path / "objects.mat").read_bytes()[:200])
    for load, path in (
        (load_heterophilous_npz, tmp_path / "text.npz"),
        (load_heterophilous_npz, tmp_path / "objects.npz"),
        (load_mat, tmp_path / "text.npz"),
        (load_mat, tmp_path / "objects.mat"),
        (load_mat, tmp_path / "cut.mat"),
        (load_mat, tmp_path / "missing.mat"),
        (load_geom_gcn, tmp_path / "missing"),
    ):
        with pytest.raises(InputError):
            load(path)
    with pytest.raises(InputError, match="split"):
        load_geom_gcn(webkb, webkb)
    (webkb / "out1_graph_edges.txt").write_text("node_id\tnode_id\n7\t10\n")
    with pytest.raises(InputError, match="must name nodes that exist"):
        load_geom_gcn(webkb)


@pytest.mark.skipif(not FILES.exists(), reason="HOLDFAST_DATA has no graphs")
@pytest.mark.parametrize(
    ("name", "nodes", "features", "edges"), [("texas", 183, 1703, 325), ("film", 7600, 932, 33391)]
)
def test_real_text_files(name, nodes, features, edges):
    graph = load_geom_gcn(FILES / name, FILES / "splits")
    assert graph.x.shape == (nodes, features)
    assert graph.edge_index.shape[0] == 2
    assert int(graph.y.max()) == 4
    assert graph.masks["test"].shape == (10, nodes)


@pytest.mark.skipif(not FILES.exists(), reason="HOLDFAST_DATA has no graphs")
def test_real_npz():
    graph = load_heterophilous_npz(FILES / "minesweeper.npz")
    assert graph.x.shape == (10_000, 7)
    assert graph.masks["train"].shape == (10, 10_000)
