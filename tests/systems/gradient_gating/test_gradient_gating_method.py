"""The gate against loops, closed forms and the reference's numbers; what it promises for every graph."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from holdfast.errors import InputError
from holdfast.graphs.edges import grid_edges
from holdfast.graphs.smoothness import dirichlet_energy
from holdfast.layers.graph_convs import conv_graph, graph_conv
from holdfast.layers.node_network import NodeNetwork, PlainLayer, ResidualLayer, repeated
from holdfast.systems.gradient_gating import method
from holdfast.systems.gradient_gating.method import (
    G2GNN,
    AdjacentMean,
    GradientGating,
    gate_rates,
    gated,
    power,
    rates_and_energies,
    slope,
)

VECTORS = Path(__file__).parents[2] / "vectors" / "gradient_gating.npz"
KINDS = {"GraphSAGE": "sage", "GCN": "gcn", "GAT": "gat"}


@pytest.fixture(scope="module")
def stored():
    with np.load(VECTORS) as archive:
        return {name: torch.as_tensor(archive[name]) for name in archive.files}


@pytest.fixture
def graph():
    generator = torch.Generator().manual_seed(3)
    edges = torch.randint(9, (2, 30), generator=generator)  # with loops and doubles; node 9 has no edge
    return torch.randn(10, 4, generator=generator), edges


def looped_rates(features, edges, p, reduce, gate_index):
    tau = torch.zeros_like(features)
    for i in range(len(features)):
        for k in range(features.shape[1]):
            found = [
                abs(float(features[edges[0, e], k]) - float(features[edges[1, e], k])) ** p
                for e in range(edges.shape[1])
                if edges[gate_index, e] == i
            ]
            total = sum(found) / (len(found) if reduce == "mean" and found else 1)
            tau[i, k] = math.tanh(total)
    return tau


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 2.5])
@pytest.mark.parametrize("reduce", ["mean", "sum"])
@pytest.mark.parametrize("gate_index", [0, 1])
def test_rates_as_in_a_loop(graph, p, reduce, gate_index):
    x, edges = graph
    expected = looped_rates(x, edges, p, reduce, gate_index)
    torch.testing.assert_close(gate_rates(x, edges, p, reduce, gate_index), expected, atol=1e-5, rtol=1e-5)


def test_two_nodes_and_a_node_alone():
    tau = gate_rates(torch.tensor([[0.0], [0.7], [5.0]]), torch.tensor([[0, 1], [1, 0]]))
    assert tau.flatten().tolist() == pytest.approx([math.tanh(0.49), math.tanh(0.49), 0.0])


def test_the_side_of_a_directed_edge():
    x, edge = torch.tensor([[0.0], [1.0]]), torch.tensor([[0], [1]])
    assert gate_rates(x, edge).flatten().tolist() == pytest.approx([math.tanh(1), 0])
    assert gate_rates(x, edge, gate_index=1).flatten().tolist() == pytest.approx([0, math.tanh(1)])


@pytest.mark.parametrize("p", [0.5, 1.0, 1.5, 2.0, 2.5])
def test_slope_where_neighbours_agree(p):
    d = torch.tensor([0.0, 0.5, -0.5])
    assert slope(d, p).tolist() == pytest.approx([0, p * 0.5 ** (p - 1), -p * 0.5 ** (p - 1)])
    assert power(torch.tensor([0.0, -3.0]), p).tolist() == pytest.approx([0, 3**p])


@pytest.mark.parametrize("gate_index", [0, 1])
@pytest.mark.parametrize("p", [1.5, 2.0, 2.5])
def test_gradients_of_the_rates(graph, p, gate_index):
    x, edges = graph
    x = x.double().requires_grad_()
    for reduce in ("mean", "sum"):
        assert torch.autograd.gradcheck(lambda z, r=reduce: gate_rates(z, edges, p, r, gate_index), (x,), atol=1e-6)


@pytest.mark.parametrize("numbers", [1, 8, 40])
def test_few_edges_at_a_time_or_all_is_the_same(graph, monkeypatch, numbers):
    def both():
        x = graph[0].double().requires_grad_()
        tau = gate_rates(x, graph[1], 2.5)
        (tau * torch.arange(40).view(10, 4)).sum().backward()
        return tau, x.grad

    at_once = both()
    monkeypatch.setitem(method.CHUNK, "cpu", numbers)
    for one, other in zip(both(), at_once, strict=True):
        torch.testing.assert_close(one, other)


def test_no_gradient_is_nan_where_neighbours_agree():
    x = torch.ones(3, 2, requires_grad=True)
    for p in (0.5, 1.0, 2.0):
        gate_rates(x, grid_edges(1, 3), p).sum().backward()
        assert x.grad.tolist() == [[0, 0]] * 3


@pytest.mark.parametrize("p", [2.0, 2.5])
def test_gradients(graph, p):
    x, edges = graph
    torch.manual_seed(0)
    layer = GradientGating(graph_conv("gcn", 4), graph_conv("sage", 4), p, torch.tanh).double()
    x = x.double()
    matrix = conv_graph("gcn", edges, x)
    assert torch.autograd.gradcheck(lambda z: layer(z, edges, graph=matrix), (x.requires_grad_(),), atol=1e-6)


def test_update_as_written(graph):
    x, edges = graph
    conv, gate = nn.Linear(4, 4), nn.Linear(4, 4)
    layer = GradientGating(lambda z, e: conv(z), lambda z, e: gate(z), 2.5, torch.tanh)
    tau = looped_rates(torch.tanh(gate(x)).detach(), edges, 2.5, "mean", 0)
    expected = (1 - tau) * x + tau * torch.tanh(conv(x))
    new, rate = layer(x, edges, return_rate=True)
    torch.testing.assert_close(new, expected)
    torch.testing.assert_close(rate, tau)
    torch.testing.assert_close(layer(x, edges), new)
    torch.testing.assert_close(gated(x, x + 1, torch.full_like(x, 0.25)), x + 0.25)


def test_a_shared_layer_is_evaluated_once_and_gets_what_it_is_given(graph):
    x, edges = graph
    calls = []

    def conv(z, given, edge_weight):
        calls.append((given, edge_weight))
        return 2 * z

    shared = GradientGating(conv)(x, edges, edge_weight=3)
    assert calls == [(edges, 3)]
    GradientGating(conv)(x, edges, graph="a matrix", edge_weight=3)
    assert calls[1] == ("a matrix", 3)
    torch.testing.assert_close(GradientGating(conv, conv)(x, edges, edge_weight=3), shared)
    assert len(calls) == 4


def test_constant_features_stay_and_rate_one_is_the_plain_layer(graph):
    x, edges = graph
    grid = grid_edges(1, 4)
    ring = torch.cat((grid, torch.tensor([[0, 3], [3, 0]])), 1)
    same = torch.full((4, 4), 0.3)
    layer = GradientGating(graph_conv("sage", 4))
    assert torch.equal(layer(same, ring, graph=conv_graph("sage", ring, same)), same)

    class Open(GradientGating):
        def rates(self, features, edge_index):
            return torch.ones_like(features)

    conv = nn.Linear(4, 4)
    torch.testing.assert_close(Open(lambda z, e: conv(z))(x, edges), torch.relu(conv(x)))


def test_range_permutation_and_convexity(graph):
    x, edges = graph
    torch.manual_seed(1)
    layer = GradientGating(graph_conv("sage", 4), graph_conv("sage", 4))
    new, tau = layer(x, edges, graph=conv_graph("sage", edges, x), return_rate=True)
    assert bool(((tau >= 0) & (tau <= 1)).all())
    assert bool((new[9] == x[9]).all())  # no edge
    candidate = torch.relu(layer.conv(x, conv_graph("sage", edges, x)))
    assert new.abs().max() <= max(x.abs().max(), candidate.abs().max()) + 1e-6
    order = torch.randperm(10, generator=torch.Generator().manual_seed(0))
    moved = order.argsort()[edges]  # node order[i] is now i
    again = layer(x[order], moved, graph=conv_graph("sage", moved, x))
    torch.testing.assert_close(again, new[order], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("separate", [True, False])
@pytest.mark.parametrize("share", [True, False])
def test_every_parameter_learns(graph, separate, share):
    x, edges = graph
    torch.manual_seed(0)
    net = G2GNN(4, 8, 3, 3, "sage", share_weights=share, separate_gate=separate)
    net(x, edges).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
    layers = {id(layer) for layer in net.layers}
    assert (len(net.layers), len(layers)) == (3, 1 if share else 3)


@pytest.mark.parametrize("p", [2.0, 2.5])
@pytest.mark.parametrize("separate", [1, 0])
@pytest.mark.parametrize("name", KINDS)
def test_reference(stored, name, separate, p):
    if name == "GAT":
        pytest.importorskip("torch_geometric")
    net = G2GNN(7, 8, 3, 4, KINDS[name], p, separate_gate=bool(separate), reference=True).eval()
    prefix = f"{name}_p2.5_sep{separate}/w/"
    weights = {}
    for key, value in stored.items():
        if key.startswith(prefix) and not key.startswith(prefix + "G2"):
            part = key[len(prefix) :].replace("conv_gg", "gate_conv")
            names = [part] if part.startswith(("enc", "dec")) else [f"layers.{i}.{part}" for i in range(4)]
            weights |= dict.fromkeys(names, value)
    net.load_state_dict(weights)
    x, edges, case = stored["x"], stored["edge_index"], f"{name}_p{p}_sep{separate}"
    torch.testing.assert_close(net(x, edges), stored[f"{case}/y"], atol=1e-5, rtol=0)
    torch.testing.assert_close(net.encode(x), stored[f"{case}/h0"], atol=1e-5, rtol=0)
    found = rates_and_energies(net, x, edges)
    torch.testing.assert_close(found[0][0], stored[f"{case}/tau0"], atol=1e-5, rtol=0)
    assert net.rates(x, edges) == pytest.approx([float(tau.mean()) for tau, _ in found])


def test_heads_are_averaged_unless_the_reference_is_asked_for():
    pytest.importorskip("torch_geometric")
    torch.manual_seed(0)
    x, edges = torch.randn(6, 4), grid_edges(2, 3)
    apart = graph_conv("gat", 4, concat=True)
    mixed = graph_conv("gat", 4)
    mixed.load_state_dict({**apart.state_dict(), "bias": torch.zeros(4)})
    heads = apart(x, edges).view(6, 4, 4)  # node, head, channel
    torch.testing.assert_close(mixed(x, edges), heads.mean(1))
    adjacent = AdjacentMean(torch.relu)(apart(x, edges))
    torch.testing.assert_close(adjacent[:, 0], torch.relu(heads)[:, 0].mean(1))
    assert G2GNN(4, 8, 3, 2, "gat").layers[0](torch.randn(6, 8), edges).shape == (6, 8)


def test_depth_does_not_smooth_but_plain_layers_do():
    x, edges = torch.rand(36, 8, generator=torch.Generator().manual_seed(0)).double(), grid_edges(6, 6)
    torch.manual_seed(0)
    plain, gate = graph_conv("gcn", 8, bias=False).double(), graph_conv("gcn", 8, bias=False).double()
    matrix, layer = conv_graph("gcn", edges, x), GradientGating(plain, gate, activation=torch.tanh)
    g2, gcn = x, x
    for _ in range(64):
        g2, gcn = layer(g2, edges, graph=matrix), torch.tanh(plain(gcn, matrix))
    assert dirichlet_energy(g2, edges) > 0.05 * dirichlet_energy(x, edges)
    assert dirichlet_energy(gcn, edges) < 0.01 * dirichlet_energy(x, edges)


def test_energies_are_those_of_the_states(graph):
    x, edges = graph
    net = G2GNN(4, 8, 3, 2, "gcn").eval()
    matrix = conv_graph("gcn", edges, x)
    state = net.layers[0](net.encode(x), edges, graph=matrix)
    assert not rates_and_energies(net, x, edges)[0][0].requires_grad
    assert float(rates_and_energies(net, x, edges)[0][1]) == pytest.approx(dirichlet_energy(state, edges).item())


def test_baselines_of_the_frame(graph):
    x, edges = graph
    conv = graph_conv("gcn", 4)
    matrix = conv_graph("gcn", edges, x)
    torch.testing.assert_close(PlainLayer(conv)(x, edges, graph=matrix), torch.relu(conv(x, matrix)))
    residual = ResidualLayer(conv, torch.tanh)(x, edges, graph=matrix)
    torch.testing.assert_close(residual, x + torch.tanh(conv(x, matrix)))
    net = NodeNetwork(4, 2, 4, repeated(lambda: PlainLayer(conv), 2, share=True), "gcn")
    state = torch.relu(net.enc(x))
    for _ in range(2):
        state = torch.relu(conv(state, matrix))
    torch.testing.assert_close(net(x, edges), net.dec(state))
    assert repeated(lambda: conv, 0, share=True) == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"p": 0}, "p"), ({"p": -1}, "p"), ({"reduce": "max"}, "reduce"), ({"gate_index": 2}, "gate")],
)
def test_what_is_refused(arguments, named):
    with pytest.raises(InputError, match=named):
        GradientGating(lambda z, e: z, **arguments)


def test_widths_and_small_p(graph):
    x, edges = graph
    with pytest.raises(InputError, match=r"conv: must keep the width \(4 features\)"):
        GradientGating(lambda z, e: z[:, :2])(x, edges)
    with pytest.warns(UserWarning, match="p below 1"):
        GradientGating(lambda z, e: z, p=0.5)
    with pytest.raises(InputError, match="conv"):
        G2GNN(4, 8, 3, 2, "gin")
