"""Convolutions over edges against torch-geometric and against dense matrices."""

import pytest
import torch

from holdfast.layers.graph_convs import Propagation, conv_graph, graph_conv


@pytest.fixture
def graph():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(9, 5, generator=generator), torch.randint(8, (2, 30), generator=generator)  # node 8 has no edge


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("kind", "name"), [("gcn", "GCNConv"), ("sage", "SAGEConv")])
def test_as_torch_geometric(graph, kind, name, bias):
    pyg = pytest.importorskip("torch_geometric.nn")
    x, edges = graph  # with loops and doubles
    theirs = getattr(pyg, name)(5, 5, bias=bias)
    ours = graph_conv(kind, 5, bias=bias)
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(x, conv_graph(kind, edges, x)), theirs(x, edges), atol=1e-5, rtol=1e-5)


def test_propagation_and_its_gradient(graph):
    x, edges = graph
    values = torch.rand(30, generator=torch.Generator().manual_seed(1)).double()
    dense = torch.zeros(9, 9).double()
    for (source, target), value in zip(edges.T.tolist(), values, strict=True):
        dense[target, source] += value
    move = Propagation.of(edges, values, 9)
    x = x.double().requires_grad_()
    torch.testing.assert_close(move(x), dense @ x)
    weight = torch.randn(9, 5).double()
    found = torch.autograd.grad((move(x) * weight).sum(), x)[0]
    torch.testing.assert_close(found, dense.T @ weight)


def test_no_edges():
    x, none = torch.randn(3, 2), torch.zeros(2, 0, dtype=torch.long)
    gcn, sage = graph_conv("gcn", 2), graph_conv("sage", 2)
    torch.testing.assert_close(gcn(x, conv_graph("gcn", none, x)), gcn.lin(x))
    torch.testing.assert_close(sage(x, conv_graph("sage", none, x)), sage.lin_r(x) + sage.lin_l.bias)


def test_nothing_is_said_of_sparse_matrices(graph, recwarn):
    x, edges = graph
    conv_graph("gcn", edges, x)(x)
    assert not [w for w in recwarn if "parse" in str(w.message)]
