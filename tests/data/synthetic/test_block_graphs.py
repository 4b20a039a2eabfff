"""Block graphs: homophily, degree and mixing as asked for."""

import numpy as np
import pytest

from holdfast.data.synthetic.block_graphs import block_graph, class_features, ends_of_edges
from holdfast.errors import InputError


@pytest.mark.parametrize("homophily", [0.0, 0.2, 0.7, 1.0])
@pytest.mark.parametrize("mixing", ["ring", "even"])
def test_measured_homophily_degree_and_mixing(homophily, mixing):
    y, edges = block_graph(np.random.default_rng(1), 1000, 5, homophily=homophily, degree=8, mixing=mixing)
    one, other = y[edges[0]], y[edges[1]]
    count = 4000
    assert edges.shape == (2, 2 * count)
    assert abs((one == other).mean() - homophily) < 4 * np.sqrt(0.25 / count)
    far = (one - other) % 5
    next_to = np.isin(far, (1, 4)).sum() / max((far > 0).sum(), 1)
    assert homophily == 1 or abs(next_to - (1.0 if mixing == "ring" else 0.5)) < 0.05
    assert np.bincount(y).tolist() == [200] * 5


def test_each_edge_once_in_both_directions_and_no_loop():
    _, edges = block_graph(np.random.default_rng(0), 30, 3, homophily=0.5, degree=6)
    pairs = set(map(tuple, edges.T.tolist()))
    assert len(pairs) == edges.shape[1] == 180
    assert all((j, i) in pairs and i != j for i, j in pairs)


def test_shares():
    shares = ends_of_edges(5, 0.2)
    assert shares.sum() == pytest.approx(1)
    assert np.trace(shares) == pytest.approx(0.2)
    assert np.array_equal(shares, shares.T)
    assert shares[0].tolist() == pytest.approx([0.04, 0.08, 0, 0, 0.08])


def test_same_seed_same_graph():
    one, other, third = (block_graph(np.random.default_rng(s), 50, 4, homophily=0.3, degree=4)[1] for s in (1, 1, 2))
    assert np.array_equal(one, other)
    assert not np.array_equal(one, third)


def test_features_are_around_a_point_of_their_class():
    y = np.arange(4000) % 4
    x = class_features(np.random.default_rng(0), y, 32, distance=3.0)
    means = np.stack([x[y == k].mean(0) for k in range(4)])
    apart = [np.linalg.norm(means[i] - means[j]) for i in range(4) for j in range(i)]
    assert np.mean(apart) == pytest.approx(3 * np.sqrt(2), rel=0.15)
    assert (x - means[y]).std() == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize(
    "wrong", [{"classes": 2}, {"homophily": 1.5}, {"degree": 0}, {"degree": 300.0}, {"nodes": 2}, {"mixing": "none"}]
)
def test_what_is_refused(wrong):
    settings = {"nodes": 40, "classes": 4, "homophily": 0.2, "degree": 4.0, "mixing": "ring", **wrong}
    with pytest.raises(InputError):
        block_graph(np.random.default_rng(0), settings.pop("nodes"), settings.pop("classes"), **settings)
