"""The estimators on graphs of their own making, and on inputs that are wrong."""

import numpy as np
import pytest
import torch

from holdfast.data.synthetic.block_graphs import block_graph, class_features
from holdfast.errors import InputError
from holdfast.systems.gradient_gating import NodeClassifier, NodeRegressor

SMALL = {"depth": 3, "width": 16, "steps": 30}


@pytest.fixture(scope="module")
def graph():
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    y, edges = block_graph(rng, 120, 3, homophily=0.1, degree=6)
    return class_features(rng, y, 6, 2.5), edges, np.array(["a", "b", "c"])[y]


@pytest.fixture(scope="module")
def masks():
    order = np.random.default_rng(1).permutation(120)
    train, val = np.zeros(120, bool), np.zeros(120, bool)
    train[order[:50]] = True
    val[order[50:80]] = True
    return train, val


def test_it_learns_what_a_network_without_edges_does_not(graph, masks):
    x, edges, y = graph
    test = ~masks[0] & ~masks[1]
    scores = {
        depth: NodeClassifier(**{**SMALL, "depth": depth}).fit(x, edges, y, *masks).score(x, edges, y, test)
        for depth in (0, 3)
    }
    assert scores[3] > scores[0] + 0.05
    assert scores[3] > 0.8


def test_labels_of_other_nodes_are_not_looked_at(graph, masks):
    x, edges, y = graph
    hidden = np.where(masks[0] | masks[1], y, "")
    one = NodeClassifier(**SMALL).fit(x, edges, y, *masks)
    other = NodeClassifier(**SMALL).fit(x, edges, hidden, *masks)
    assert np.array_equal(one.predict_proba(x, edges), other.predict_proba(x, edges))
    assert other.classes_.tolist() == ["a", "b", "c"]


def test_validation_nodes_and_kept_weights(graph):
    x, edges, y = graph
    train = np.arange(120) < 80
    model = NodeClassifier(**SMALL).fit(x, edges, y, train)
    assert (model.train_mask_.sum(), model.val_mask_.sum()) == (60, 20)
    assert not (model.val_mask_ & ~train).any()
    assert model.validation_score_ == pytest.approx(model.score(x, edges, y, model.val_mask_))
    other = NodeClassifier(**SMALL, seed=1).fit(x, edges, y, train)
    assert not np.array_equal(model.val_mask_, other.val_mask_)
    rest = NodeClassifier(**SMALL).fit(x, edges, y, val_mask=train)
    assert np.array_equal(rest.train_mask_, ~train)


def test_rates_are_logged_and_a_shut_gate_is_told(graph, masks):
    x, edges, y = graph
    model = NodeClassifier(**SMALL).fit(x, edges, y, *masks)
    assert model.rates_.shape == model.energies_.shape == (3,)
    assert model.rates_.max() > 0.01
    assert not model.stands_still
    with pytest.warns(UserWarning, match="MLP that looks at no edge"):
        shut = NodeClassifier(**SMALL).fit(
            x, np.arange(120)[None].repeat(2, 0), y, *masks
        )  # a node's only edge: itself
    assert shut.stands_still
    assert shut.rates_.tolist() == [0, 0, 0]


def test_area_under_the_curve(graph, masks):
    x, edges, y = graph
    two = (y == "a").astype(int)
    model = NodeClassifier(**SMALL).fit(x, edges, two, *masks)
    p = model.predict_proba(x, edges)[:, 1]
    better = (p[two == 1][:, None] > p[two == 0]).mean()
    assert model.score(x, edges, two, metric="roc_auc") == pytest.approx(better, abs=1e-3)
    with pytest.raises(InputError, match="two classes"):
        NodeClassifier(**SMALL).fit(x, edges, y, *masks).score(x, edges, y, metric="roc_auc")


def test_numbers(graph, masks):
    x, edges, _ = graph
    mean = np.zeros(120)
    np.add.at(mean, edges[1], x[edges[0], 0])
    y = 1000 + 100 * mean / np.maximum(np.bincount(edges[1], minlength=120), 1)
    test = ~masks[0] & ~masks[1]
    model = NodeRegressor(depth=1, width=32, steps=150, dropout=0.0).fit(x, edges, y, *masks)
    left = np.square(model.predict(x, edges) - y)[test].mean()
    assert left < 0.6 * y[test].var()
    found = np.square(model.predict(x, edges) - y)[masks[1]].sum()
    assert model.validation_score_ == pytest.approx(
        1 - found / np.square(y[masks[1]] - y[masks[1]].mean()).sum(), abs=1e-3
    )


def test_scores_are_of_the_nodes_that_are_asked_for(graph, masks):
    x, edges, y = graph
    numbers, chosen = x[:, 0].astype(float), masks[1]
    model = NodeRegressor(**SMALL).fit(x, edges, numbers, *masks)
    left = np.square(model.predict(x, edges) - numbers)[chosen].mean()
    assert model.score(x, edges, numbers, chosen) == pytest.approx(1 - left / numbers[chosen].var(), abs=1e-5)
    assert model.score(x, edges, numbers, chosen) == pytest.approx(model.validation_score_, abs=1e-4)
    named = NodeClassifier(**SMALL).fit(x, edges, y, *masks)
    assert named.score(x, edges, y, chosen) == (named.predict(x, edges) == y)[chosen].mean()
    for fitted, known in ((model, numbers), (named, y)):
        for wrong in (known[:-1], np.append(known, known[:1])):
            with pytest.raises(InputError, match=r"length|same|rows"):
                fitted.score(x, edges, wrong)
        with pytest.raises(InputError, match="mask: must hold at least one node"):
            fitted.score(x, edges, known, np.zeros(120, bool))
    with pytest.raises(InputError, match="two different numbers"):
        model.score(x, edges, np.ones(120))


@pytest.mark.parametrize("conv", ["gcn", "gat"])
def test_saved_and_loaded(graph, masks, conv, tmp_path):
    if conv == "gat":
        pytest.importorskip("torch_geometric")
    x, edges, y = graph
    model = NodeClassifier(**SMALL, conv=conv, share_weights=True).fit(x, edges, y, *masks, columns={"label": "y"})
    again = NodeClassifier.load(model.save(tmp_path / "m"))
    assert np.allclose(again.predict_proba(x, edges), model.predict_proba(x, edges), atol=1e-6)
    assert again.columns_ == {"label": "y"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"edge_index": np.array([[0, 1], [1, 200]])}, "edge_index: must name nodes"),
        ({"edge_index": np.zeros((3, 4), int)}, "edge_index: must have shape"),
        ({"edge_index": np.array([[0.5], [1.0]])}, "edge_index: must hold whole numbers"),
        ({"x": np.full((120, 6), np.nan)}, "x"),
        ({"x": np.zeros((0, 6))}, "x"),
        ({"y": ["a"] * 120}, "y: must have at least 2"),
        ({"y": ["a", "b"]}, "length|same|rows"),
        ({"train_mask": np.ones(120, bool)}, "share no node"),
        ({"train_mask": np.zeros(120, bool)}, "train_mask: must leave"),
        ({"val_mask": np.zeros(120, bool)}, "val_mask: must leave"),
        ({"val_mask": np.arange(120)}, "val_mask: must hold a boolean"),
        ({"train_mask": np.ones(3, bool)}, "train_mask: must hold a boolean"),
    ],
)
def test_wrong_inputs(graph, masks, change, named):
    x, edges, y = graph
    given = {"x": x, "edge_index": edges, "y": y, "train_mask": masks[0], "val_mask": masks[1], **change}
    with pytest.raises(InputError, match=named):
        NodeClassifier(**SMALL).fit(**given)


@pytest.mark.parametrize(
    "settings",
    [
        {"p": 0},
        {"p": -2.0},
        {"depth": -1},
        {"conv": "gin"},
        {"dropout": 1.0},
        {"lr": 0},
        {"steps": 0},
        {"weight_decay": -1},
    ],
)
def test_wrong_settings(graph, settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        NodeClassifier(**settings).fit(*graph)


def test_one_class_in_training_and_constant_numbers(graph, masks):
    x, edges, _ = graph
    with pytest.raises(InputError, match="among the training nodes"):
        NodeClassifier(**SMALL).fit(x, edges, masks[1].astype(int), *masks)
    with pytest.raises(InputError, match="two different numbers"):
        NodeRegressor(**SMALL).fit(x, edges, np.ones(120), *masks)
    fitted = NodeRegressor(**SMALL).fit(x, edges, np.arange(120.0))
    with pytest.raises(InputError, match="x"):
        fitted.predict(x[:, :2], edges)
