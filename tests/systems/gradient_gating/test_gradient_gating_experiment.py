"""The arms, the worlds and the trial."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from holdfast.data.synthetic.block_graphs import block_graph
from holdfast.errors import InputError
from holdfast.graphs.edges import grid_edges
from holdfast.randomness import seeded
from holdfast.systems.gradient_gating.experiment import ARMS, BLOCKS, FLOOR, Inverted, SameForAll, experiment, trial
from holdfast.systems.gradient_gating.method import GradientGating
from holdfast.systems.gradient_gating.problems import BlockGraph, Grid, Published, own_graph
from holdfast.testing.runs import run_of
from holdfast.trials.campaign import claims_about
from holdfast.trials.plan import applicable


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def found(arm, problem, tmp_path, replicate=0):
    run = run_of(experiment, arm, problem, tmp_path, replicate=replicate)
    return {m.name: m for m in trial(run)}


def test_the_grid_is_smoothed_by_gcn_and_not_by_gates(tmp_path):
    gcn = found("GCN", "grid, tanh", tmp_path)
    gated = found("G2-GCN", "grid, tanh", tmp_path)
    assert gated["Rayleigh quotient"].value > 8 * gcn["Rayleigh quotient"].value > 8 * FLOOR
    curve = gcn["quotient along depth"]
    assert list(curve.x) == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert curve.y[-1] == gcn["Rayleigh quotient"].value


def test_the_first_layer_written_out(tmp_path):
    run = run_of(experiment, "GCN", "grid, relu", tmp_path)
    x, edges = Grid("relu").draw(run.rng("split"))
    with seeded(run.seed("init")):
        layer = ARMS["GCN"].method.layer(16, "relu", bias=False).double()
        weight = torch.nn.init.xavier_uniform_(layer.conv.lin.weight).detach()
    adjacency = torch.eye(100).double()
    adjacency[edges[0], edges[1]] = 1
    root = adjacency.sum(1).rsqrt()
    state = torch.relu(root[:, None] * adjacency * root @ x @ weight.T)
    apart = sum((state[i] - state[j]).square().sum() for i, j in edges.T.tolist())
    curve = found("GCN", "grid, relu", tmp_path)["quotient along depth"]
    assert curve.y[0] == pytest.approx(float(apart / state.square().sum()))


def test_trained_arms_yield_accuracy_and_rates(tmp_path):
    gated = found("G2-GCN", BLOCKS, tmp_path)
    assert 0 <= gated["accuracy"].value <= 100
    assert len(gated["mean rate of each layer"].y) == 32
    assert gated["mean rate"].value == pytest.approx(np.mean(gated["mean rate of each layer"].y))
    assert set(found("MLP", BLOCKS, tmp_path)) == {"validation accuracy", "accuracy"}


def test_an_mlp_looks_at_no_edge_and_others_do():
    task = BlockGraph(nodes=60, depth=3).task(np.random.default_rng(0))
    other = block_graph(np.random.default_rng(5), 60, 5, homophily=0.5, degree=4)[1]
    for name in ("MLP", "GCN", "residual GCN", "SAGE", "residual SAGE", "G2-GCN", "G2-SAGE"):
        torch.manual_seed(0)
        net = ARMS[name].method.network(task, 8, 3).eval()
        same = torch.equal(net(task.x, task.edge_index), net(task.x, torch.from_numpy(other)))
        assert same == (name == "MLP"), name
        assert len(net.layers) == (0 if name == "MLP" else 3)


def test_variants_of_the_gate():
    features, edges = torch.rand(9, 4), grid_edges(3, 3)
    tau = GradientGating(lambda x, e: x).rates(features, edges)
    torch.testing.assert_close(Inverted(lambda x, e: x).rates(features, edges), 1 - tau)
    mean = SameForAll(lambda x, e: x).rates(features, edges)
    torch.testing.assert_close(mean, torch.full_like(tau, float(tau.mean())))


def test_parts_are_disjoint_and_redrawn():
    problem = BlockGraph()
    one, other = (problem.task(np.random.default_rng(seed)) for seed in (0, 1))
    parts = torch.cat((one.train, one.val, one.test))
    assert parts.unique().numel() == 400
    assert [len(p) for p in (one.train, one.val, one.test)] == [160, 80, 160]
    assert not torch.equal(one.x, other.x)


def test_published_graphs_are_split_as_declared():
    for name in ("texas", "wisconsin", "cornell"):
        problem = experiment.problems[name]
        test, train = problem.resplit
        if problem.available():
            task = problem.task(np.random.default_rng(0))
            assert (len(task.test), len(task.train)) == (test, train)
            assert bool((task.edge_index[0] != task.edge_index[1]).any())
    assert not Published(path="nowhere").available()


def test_what_is_run_is_enough_for_every_claim():
    for scale, wanted in (("small", len(experiment.claims)), ("demo", 6)):
        read = claims_about(experiment, experiment.scales[scale], applicable(experiment, experiment.scales[scale]))
        assert len(read) == wanted
        assert read[0].role == "headline"


def test_baselines_are_the_strongest_that_is_declared():
    headline = next(c for c in experiment.claims if c.role == "headline")
    assert {a for part in headline.parts for a in part.arms} == {"G2-GCN", "GCN", "residual GCN", "MLP"}
    assert ARMS["residual GCN"].method.activation == "tanh"
    sizes = {name: len(arm.space) for name, arm in ARMS.items() if arm.tuned_as is None}
    assert set(sizes.values()) == {2}


def test_a_graph_of_the_users(tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"n{i},{rng.normal():.3f},{'ab'[i % 2] if i < 30 else ''}" for i in range(40)]
    (tmp_path / "n.csv").write_text("id,f,y\n" + "\n".join(rows))
    (tmp_path / "e.csv").write_text("source,target\n" + "\n".join(f"n{i},n{i + 1}" for i in range(39)))
    own = experiment.own([tmp_path / "n.csv", tmp_path / "e.csv"], {"label": "y"})
    (problem,) = own.problems.values()
    assert problem.resplit == (7, 15)  # of 30 nodes with a label
    task = problem.task(np.random.default_rng(0))
    assert int(torch.cat((task.train, task.val, task.test)).max()) < 30
    assert task.edge_index.shape == (2, 78)
    assert own.claims[0].role == "headline"
    small = replace(problem, depth=2)
    assert small.fingerprint() == problem.fingerprint() != ""
    with pytest.raises(InputError, match="two tables"):
        own_graph([tmp_path / "n.csv"], "y")
    (tmp_path / "few.csv").write_text("id,f,y\n" + "\n".join(rows[:12]))
    (tmp_path / "fe.csv").write_text("source,target\nn0,n1\n")
    with pytest.raises(InputError, match="at least 20"):
        own_graph([tmp_path / "few.csv", tmp_path / "fe.csv"], "y")
