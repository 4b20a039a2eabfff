"""Graphs from two tables: ids stay as written, and what does not fit is refused with its place."""

import pandas as pd
import pytest

from holdfast.data.readers.graph_tables import read_graph_tables
from holdfast.errors import InputError

NODES = "id,a,b,y,town\n01,1,2,x,Rom\n1,3,4,,Ulm\nNA,5,6,y,\n"
EDGES = "source,target,amount\n01,NA,3\n1,01,4\n01,NA,9\n"


@pytest.fixture
def write(tmp_path):
    def write(nodes=NODES, edges=EDGES):
        (tmp_path / "n.csv").write_text(nodes)
        (tmp_path / "e.csv").write_text(edges)
        return tmp_path / "n.csv", tmp_path / "e.csv"

    return write


def test_ids_are_names(write):
    found = read_graph_tables(*write(), label="y")
    assert found.ids.tolist() == ["01", "1", "NA"]
    assert found.edge_index.tolist() == [[0, 1, 0], [2, 0, 2]]
    assert found.label.tolist() == ["x", None, "y"]
    assert found.X.tolist() == [[1, 2], [3, 4], [5, 6]]
    notes = " ".join(found.notes)
    assert "town" in notes
    assert "amount" in notes


def test_without_a_label_and_with_chosen_features(write):
    found = read_graph_tables(*write(), features=["b"])
    assert found.label is None
    assert found.X.tolist() == [[2], [4], [6]]


def test_columns_are_mapped_and_two_columns_need_no_names(write, tmp_path):
    nodes, edges = write("page,a\nu,1\nv,2\n", "links,back\nu,v\n")
    assert read_graph_tables(nodes, edges, columns=["id=page"]).edge_index.tolist() == [[0], [1]]
    found = read_graph_tables(nodes, edges, columns=["id=page", "source=back", "target=links"])
    assert found.edge_index.tolist() == [[1], [0]]
    pd.read_csv(nodes).to_parquet(tmp_path / "n.parquet")
    assert read_graph_tables(tmp_path / "n.parquet", edges, columns=["id=page"]).ids.tolist() == ["u", "v"]


@pytest.mark.parametrize(
    ("nodes", "edges", "rule"),
    [
        ("id,a,y\n1,2,x\n1,3,x\n", EDGES, "must differ"),
        (NODES, "source,target\n01,NA\n01,zz\n", "'zz' in row 3"),
        (NODES, "source,target\n01,\n", "target"),
        ("id,a,y\n01,x,p\n1,x,q\n", EDGES, "column of numbers"),
        ("id,a,b,y\n01,1,2,x\n1,3,,\nNA,5,6,y\n", EDGES, "none in row 3"),
        ("id,a,y\n01,1,\n1,2,\nNA,3,\n", EDGES, "at least one node"),
        ("a,y\n1,2\n", EDGES, "id"),
        (NODES, "", "e.csv"),
        (NODES, "x,y,z\n01,1,2\n", "source"),
    ],
)
def test_broken_tables(write, nodes, edges, rule):
    with pytest.raises(InputError, match=rule):
        read_graph_tables(*write(nodes, edges), label="y")


def test_unknown_features_and_roles(write):
    with pytest.raises(InputError, match="must have the column 'q'"):
        read_graph_tables(*write(), features=["q"])
    with pytest.raises(InputError, match="roles id, source, target"):
        read_graph_tables(*write(), columns=["node=id"])
