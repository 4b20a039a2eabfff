"""k-means against scikit-learn's, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from holdfast.errors import InputError
from holdfast.retrieval.kmeans import kmeans, nearest


def blobs(rows=30, seed=0):
    rng = np.random.default_rng(seed)
    centres = 4 * rng.normal(size=(5, 3))
    return torch.from_numpy((centres[:, None] + 0.3 * rng.normal(size=(5, rows, 3))).reshape(-1, 3)).float()


def test_it_is_as_good_as_scikit_learn_where_clusters_are_clear():
    x = blobs()
    centroids, assign = kmeans(x, 5, n_init=20)
    best = KMeans(5, n_init=20, random_state=0).fit(x.numpy())
    ours = float((x - centroids[assign]).square().sum())
    assert ours == pytest.approx(best.inertia_, rel=1e-4)
    assert sorted(torch.bincount(assign).tolist()) == [30] * 5


def test_centroids_are_the_means_of_their_rows_and_every_row_is_at_the_nearest():
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(1))
    centroids, assign = kmeans(x, 7, n_iter=200)
    for c in range(7):
        torch.testing.assert_close(centroids[c], x[assign == c].mean(0), atol=1e-4, rtol=1e-4)
    by_hand = torch.cdist(x, centroids).argmin(1)
    assert torch.equal(assign, by_hand)


def test_distances_do_not_depend_on_chunks(monkeypatch):
    x, c = blobs(), blobs(2, 1)
    whole = nearest(x, c)
    monkeypatch.setattr("holdfast.retrieval.kmeans.CHUNK", 30)
    for a, b in zip(nearest(x, c), whole, strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(whole[1], torch.cdist(x, c).min(1).values.square(), atol=1e-3, rtol=1e-3)


def test_one_start_more_is_never_worse():
    x = torch.randn(300, 3, generator=torch.Generator().manual_seed(2))
    totals = [float(nearest(x, kmeans(x, 12, n_init=n)[0])[1].sum()) for n in (1, 2, 8)]
    assert totals[0] >= totals[1] >= totals[2]
    assert totals[0] > totals[2]


def test_no_cluster_stays_empty_and_equal_rows_are_no_trouble():
    x = torch.cat([torch.zeros(20, 2), torch.tensor([[9.0, 0.0], [0.0, 9.0]])])
    centroids, assign = kmeans(x, 3, n_init=1, n_iter=5)
    assert len(assign.unique()) == 3
    assert bool(kmeans(torch.zeros(6, 2), 3)[0].isfinite().all())
    assert torch.equal(centroids[assign[20]], x[20])


def test_few_rows_of_many_move_centroids_but_all_get_one():
    x = blobs(200)
    centroids, assign = kmeans(x, 5, max_points=10, n_init=10)
    assert len(assign) == 1000
    assert not torch.allclose(centroids, kmeans(x, 5, n_init=10)[0])


@pytest.mark.parametrize("backend", ["faiss", "sklearn"])
def test_the_peers_find_clear_clusters_too(backend):
    if backend == "faiss":
        pytest.importorskip("faiss")
    x = blobs()
    assign = kmeans(x, 5, n_init=10, backend=backend)[1]
    ours = kmeans(x, 5, n_init=20)[1]
    assert len({(int(a), int(b)) for a, b in zip(assign, ours, strict=True)}) == 5


def test_the_same_seed_gives_the_same():
    x = torch.randn(100, 3, generator=torch.Generator().manual_seed(3))
    assert torch.equal(kmeans(x, 9, n_init=1, seed=4)[0], kmeans(x, 9, n_init=1, seed=4)[0])
    assert not torch.equal(kmeans(x, 9, n_init=1, n_iter=1, seed=4)[0], kmeans(x, 9, n_init=1, n_iter=1, seed=5)[0])


@pytest.mark.parametrize(("x", "k"), [(torch.zeros(3, 2), 4), (torch.tensor([[float("nan")]]), 1), (torch.zeros(3), 1)])
def test_wrong_input_is_refused(x, k):
    with pytest.raises(InputError):
        kmeans(x, k)
