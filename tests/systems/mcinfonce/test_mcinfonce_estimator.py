"""The estimator: pairs are what they should be, kappa finds what is ambiguous."""

import numpy as np
import pytest
import torch

from holdfast.errors import InputError
from holdfast.estimator.contract import NotFitted
from holdfast.systems.mcinfonce import ProbabilisticEncoder, cap_threshold
from holdfast.systems.mcinfonce.estimator import _ByLabel, _ByPair


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def blurred(seed=0, rows=400):
    """Four classes; a third of the rows lie between two of them."""
    rng = np.random.default_rng(seed)
    kind = np.arange(rows) % 4
    doubtful = rng.random(rows) < 1 / 3
    centres = 2 * np.eye(4)
    shown = np.where(doubtful & (rng.random(rows) < 0.5), (kind + 1) % 4, kind)
    mixed = (centres[kind] + centres[shown]) / 2
    mixed[doubtful] = 0.5
    return mixed + 0.2 * rng.normal(size=(rows, 4)), kind, doubtful


@pytest.fixture(scope="module")
def fitted():
    torch.set_num_threads(1)
    X, y, doubtful = blurred()
    return ProbabilisticEncoder(dim=3, steps=120, batch=64, width=16, lr=3e-3).fit(X, y), X, y, doubtful


def test_rows_that_may_be_anything_get_low_kappa(fitted):
    model, *_ = fitted
    X, _, doubtful = blurred(seed=1)
    kappa = model.concentrations(X)
    assert np.median(kappa[doubtful]) < 0.8 * np.median(kappa[~doubtful])


def test_rows_of_a_class_are_near_each_other(fitted):
    model, X, y, doubtful = fitted
    mu = model.directions(X)
    np.testing.assert_allclose(np.linalg.norm(mu, axis=1), 1, rtol=1e-5)
    cosine = mu[~doubtful] @ mu[~doubtful].T
    same = y[~doubtful][:, None] == y[~doubtful]
    assert cosine[same].mean() > cosine[~same].mean() + 0.5


def test_credible_sets(fitted):
    model, X, *_ = fitted
    mask, threshold = model.credible_sets(X[:5], X)
    mu, kappa = model.embed(X)
    np.testing.assert_allclose(threshold, cap_threshold(torch.from_numpy(kappa[:5]), 3), rtol=1e-6)
    assert np.array_equal(mask, mu[:5] @ mu.T >= threshold[:, None])
    assert np.array_equal(model.credible_counts(mu, kappa)[:5], mask.sum(1))


def test_positives_share_the_label_and_negatives_do_not():
    labels = torch.tensor([0, 1, 0, 2, 1, 0, 3])
    source = _ByLabel(labels)
    assert source.references().tolist() == [0, 1, 2, 4, 5]
    row = source.references().repeat(200)
    positive, negative = source.draw(row, 3, torch.Generator().manual_seed(0))
    assert torch.equal(labels[positive], labels[row])
    assert bool((positive != row).all())
    assert bool((labels[negative] != labels[row][:, None]).all())
    assert set(negative[row == 0].flatten().tolist()) == {1, 3, 4, 6}
    counts = negative[row == 0].flatten().bincount(minlength=7)[[1, 3, 4, 6]]
    assert int(counts.min()) > 100
    assert set(positive[row == 0].tolist()) == {2, 5}


def test_pairs_and_their_negatives():
    source = _ByPair(torch.tensor([[0, 3], [2, 1]]), 5)
    row = source.references().repeat(300)
    first, (positive, negative) = source.first(row), source.draw(row, 2, torch.Generator().manual_seed(0))
    assert {tuple(p) for p in torch.stack([first, positive], 1).tolist()} == {(0, 3), (3, 0), (2, 1), (1, 2)}
    assert bool((negative != first[:, None]).all())
    assert bool((negative != positive[:, None]).all())
    assert set(negative[first == 0].flatten().tolist()) == {1, 2, 4}


def test_fit_from_pairs_and_what_progress_says():
    X, y, _ = blurred(rows=60)
    pairs = [(i, j) for i in range(60) for j in range(i) if y[i] == y[j]][:40]
    said = []
    model = ProbabilisticEncoder(dim=2, steps=3, batch=8, width=8, negatives=2)
    model.fit(X, pairs=pairs, progress=lambda done, total: said.append((done, total)))
    assert model.directions(X.astype("float32")).shape == (60, 2)
    assert said == [(i, 6) for i in range(1, 7)]


def test_both_networks_learn_and_in_turn():
    X, y, _ = blurred(rows=60)
    model = ProbabilisticEncoder(dim=3, steps=2, batch=16, width=8, negatives=2).fit(X, y)
    start = model._head().calibrate(model.scale_(torch.as_tensor(X, dtype=torch.float32)))
    for name, weight in model.head_.named_parameters():
        assert not torch.equal(weight, dict(start.named_parameters())[name]), name
    assert torch.equal(model.head_.scale, start.scale)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"labels": None}, "labels: must be given"),
        ({"pairs": [[0, 1]]}, "labels: must be given"),
        ({"labels": np.arange(40)}, "two rows share"),
        ({"labels": np.zeros(40)}, "labels"),
        ({"labels": np.arange(39)}, "rows|length"),
        ({"labels": None, "pairs": [[0, 40]]}, "pairs"),
        ({"labels": None, "pairs": [[1, 1]]}, "pairs"),
        ({"labels": None, "pairs": [[0, 1, 2]]}, "pairs"),
        ({"X": np.full((40, 4), np.nan)}, "X"),
        ({"X": np.ones((40, 4))}, "different rows"),
        ({"X": np.ones(40)}, "X"),
    ],
)
def test_bad_input(change, named):
    X, y, _ = blurred(rows=40)
    given = {"X": X, "labels": y, **change}
    with pytest.raises(InputError, match=named):
        ProbabilisticEncoder(dim=2, steps=1, width=4, batch=8).fit(**given)


@pytest.mark.parametrize("setting", [{"dim": 1}, {"steps": 0}, {"kappa_pos": -1}, {"lr": 0}, {"negatives": 0}])
def test_bad_settings(setting):
    X, y, _ = blurred(rows=40)
    with pytest.raises(InputError, match=next(iter(setting))):
        ProbabilisticEncoder(**setting).fit(X, y)


def test_answers_are_checked(fitted):
    model, X, *_ = fitted
    for bad in (X[:, :3], X[0], np.full((2, 4), np.nan), [["a"] * 4]):
        with pytest.raises(InputError, match="X"):
            model.embed(bad)
    with pytest.raises(NotFitted):
        ProbabilisticEncoder().embed(X)
    np.testing.assert_allclose(model.concentrations(X[:3].tolist()), model.concentrations(X)[:3], rtol=1e-5)
