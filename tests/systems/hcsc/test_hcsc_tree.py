"""The tree: levels, temperatures, files."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from holdfast.errors import InputError
from holdfast.systems.hcsc import PrototypeTree, hierarchical_kmeans
from holdfast.systems.hcsc.method.prototypes import concentration


def features(rows=120, dim=6, seed=0):
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def tree():
    return hierarchical_kmeans(features(), (20, 6, 2))


def test_every_level_follows_from_the_one_below(tree):
    assert [len(c) for c in tree.prototypes] == [20, 6, 2]
    for level in range(2):
        assert torch.equal(tree.assign[level + 1], tree.parent[level][tree.assign[level]])
    for c in tree.prototypes:
        torch.testing.assert_close(c.norm(dim=1), torch.ones(len(c)))
    assert tree.path(7) == tuple(int(a[7]) for a in tree.assign)
    assert tree.paths()[7].tolist() == list(tree.path(7))


def test_levels_are_k_means_of_unit_centroids(tree):
    x = F.normalize(features(), dim=1)
    for c in range(20):
        mean = F.normalize(x[tree.assign[0] == c].mean(0), dim=0)
        torch.testing.assert_close(tree.prototypes[0][c], mean, atol=1e-3, rtol=1e-3)
    for u in range(6):  # of the unit prototypes below, each of which counts once
        mean = F.normalize(tree.prototypes[0][tree.parent[0] == u].mean(0), dim=0)
        torch.testing.assert_close(tree.prototypes[1][u], mean, atol=1e-4, rtol=1e-4)


def test_lengths_of_features_do_not_matter():
    x = features()
    scaled = x * torch.linspace(0.1, 9, len(x))[:, None]
    assert torch.equal(hierarchical_kmeans(x, (8, 3)).assign[0], hierarchical_kmeans(scaled, (8, 3)).assign[0])


def test_temperatures_by_hand():
    members, centroids = features(60, 3), features(9, 3, 1)
    index = torch.cat([torch.arange(8).repeat(7), torch.tensor([1, 1, 2, 3])])  # cluster 8 is empty, 0 to 7 are not
    index[index == 7] = 6
    index[0] = 7  # a cluster of one
    got = concentration(members, centroids, index, 0.3)
    raw = []
    for c in range(9):
        own = [float((members[i] - centroids[c]).norm()) for i in range(60) if index[i] == c]
        raw.append(sum(own) / len(own) / math.log(len(own) + 10) if len(own) > 1 else None)
    most = max(v for v in raw if v is not None)
    sums = {7: float((members[0] - centroids[7]).norm()) / math.log(11)}  # its own may be the largest of all
    most = max(most, sums[7])
    phi = np.array([most if v is None else v for v in raw])
    phi = phi.clip(np.percentile(phi, 10), np.percentile(phi, 90))
    np.testing.assert_allclose(got, phi * 0.3 / phi.mean(), rtol=1e-5)
    assert float(got.mean()) == pytest.approx(0.3, rel=1e-6)


def test_temperatures_of_rows_that_are_all_at_their_centroids():
    x = torch.eye(4).repeat(3, 1)
    found = hierarchical_kmeans(x, (4, 2), temperature=0.2)
    torch.testing.assert_close(found.temperatures[0], torch.full((4,), 0.2))


def test_each_level_has_the_mean_temperature(tree):
    for phi in tree.temperatures:
        assert float(phi.mean()) == pytest.approx(0.2, rel=1e-5)


def test_each_level_has_a_seed_of_its_own():
    x = features(40)
    fine = hierarchical_kmeans(x, (10,), seed=3)
    assert torch.equal(hierarchical_kmeans(x, (10, 2), seed=3).assign[0], fine.assign[0])
    below = fine.prototypes[0]
    from holdfast.retrieval.kmeans import kmeans

    two = hierarchical_kmeans(x, (10, 4), seed=3, n_init=1, n_iter=1)
    one = hierarchical_kmeans(x, (10,), seed=3, n_init=1, n_iter=1).prototypes[0]
    assert torch.equal(two.parent[0], kmeans(one, 4, n_iter=1, n_init=1, seed=4)[1])
    assert below.shape == (10, 6)


def test_new_rows_get_the_path_of_the_nearest_prototype(tree):
    new = features(9, seed=5)
    got = tree.place(new)
    for row, path in zip(new, got.tolist(), strict=True):
        fine = int(np.argmax([float(row @ c) for c in tree.prototypes[0]]))
        assert path == [fine, int(tree.parent[0][fine]), int(tree.parent[1][tree.parent[0][fine]])]


def test_newick_names_every_prototype_under_its_parent(tree):
    text = tree.to_newick()
    assert text.endswith(");\n")
    assert text.count("(") == text.count(")")
    names = re.findall(r"(\d)\.(\d+)\[(\d+)\]:([\d.e-]+)", text)
    assert len(names) == 28
    assert sum(int(rows) for level, _, rows, _ in names if level == "1") == 120
    for u, inside in enumerate(_groups(text, "2")):
        assert sorted(inside) == [c for c in range(20) if int(tree.parent[0][c]) == _numbers(text, "2")[u]]
    length = {(int(a), int(b)): float(d) for a, b, _, d in names}
    c, u = 3, int(tree.parent[0][3])
    assert length[1, c] == pytest.approx(1 - float(tree.prototypes[0][c] @ tree.prototypes[1][u]), abs=1e-5)
    assert length[3, 0] == 0


def _numbers(text, level):
    return [int(n) for n in re.findall(rf"\){level}\.(\d+)", text)]


def _groups(text, level):
    """The numbers of the finest prototypes inside each group of a level."""
    for inside in re.findall(rf"\(([^()]*)\){level}\.\d+", text):
        yield [int(n) for n in re.findall(r"1\.(\d+)\[", inside)]


def test_the_file_has_all_numbers(tree, tmp_path):
    tree.save(tmp_path / "tree.json")
    read = json.loads((tmp_path / "tree.json").read_text())
    assert read["assign"] == tree.assign[0].tolist()
    for level, (stored, c, phi) in enumerate(zip(read["levels"], tree.prototypes, tree.temperatures, strict=True)):
        assert np.array_equal(np.array(stored["prototypes"], dtype=np.float32), c.numpy())
        assert np.array_equal(np.array(stored["temperatures"], dtype=np.float32), phi.numpy())
        assert stored.get("parent") == (tree.parent[level].tolist() if level < 2 else None)


def test_sizes_children_and_moving(tree):
    assert tree.sizes(0).tolist() == torch.bincount(tree.assign[0], minlength=20).tolist()
    assert sorted(c for group in tree.children(1) for c in group) == list(range(20))
    moved = tree.to("cpu")
    assert isinstance(moved, PrototypeTree)
    assert len(moved) == 3
    assert moved.parent[1].tolist() == tree.parent[1].tolist()


@pytest.mark.parametrize(
    ("x", "counts"),
    [
        (features(5), (6, 2)),
        (features(5), (3, 3)),
        (features(5), (2, 3)),
        (features(5), ()),
        (features(5), 3),
        (features(5), (0,)),
        (torch.zeros(5, 2), (2,)),
        (torch.full((5, 2), 3e38), (2,)),
        (features(5)[0], (2,)),
        (features(5) * float("nan"), (2,)),
    ],
)
def test_wrong_input_is_refused(x, counts):
    with pytest.raises(InputError):
        hierarchical_kmeans(x, counts)


def test_collapsed_features_are_said():
    x = torch.tensor([[1.0, 0.0]]).repeat(97, 1)
    x = torch.cat([x, torch.tensor([[0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])])
    with pytest.warns(UserWarning, match="97%"):
        hierarchical_kmeans(x, (4,))
