"""Baselines for wrong labels: confident learning, trimmed loss, soft bootstrap."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression

from holdfast.baselines.confident_learning import confident_joint, label_issues
from holdfast.baselines.soft_bootstrap import SoftBootstrapLogistic, soft_bootstrap_loss
from holdfast.baselines.trimmed import trimmed_fit
from holdfast.errors import InputError

CASES = json.loads((Path(__file__).parents[1] / "vectors" / "confident_learning.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES)
def test_confident_learning_gives_what_cleanlab_gives(case):
    assert confident_joint(case["labels"], case["p"]).tolist() == case["joint"]
    assert np.flatnonzero(label_issues(case["labels"], case["p"])).tolist() == case["issues"]


@pytest.mark.parametrize("seed", range(5))
def test_confident_joint_is_that_of_loops(seed):
    rng = np.random.default_rng(seed)
    n, classes = 80, 3
    labels = np.r_[0, 1, 2, rng.integers(0, classes, n - 3)]
    p = rng.dirichlet([1.0] * classes, n)
    thresholds = [np.mean([p[i, j] for i in range(n) if labels[i] == j]) for j in range(classes)]
    counts = np.zeros((classes, classes))
    for i in range(n):
        reached = [j for j in range(classes) if p[i, j] >= thresholds[j]]
        if reached:
            counts[labels[i], max(reached, key=lambda j, i=i: p[i, j])] += 1
    np.fill_diagonal(counts, np.maximum(counts.diagonal(), 1))
    calibrated = counts / counts.sum(1, keepdims=True) * np.bincount(labels)[:, None]
    ours = confident_joint(labels, p)
    assert np.abs(ours - calibrated).max() < 1
    assert ours.sum(1).tolist() == np.bincount(labels).tolist()


def test_confident_learning_finds_turned_labels_and_refuses_bad_input():
    gold = np.arange(100) % 2
    p = np.where(gold[:, None] == [0, 1], 0.9, 0.1)
    labels = gold.copy()
    labels[:10] = 1 - labels[:10]
    assert np.flatnonzero(label_issues(labels, p)).tolist() == list(range(10))
    for named, change in {"labels": [0] * 100, "p": p + 1}.items():
        with pytest.raises(InputError, match=named):
            label_issues(**{"labels": labels, "p": p, named: change})
    with pytest.raises(InputError, match="as many rows"):
        label_issues(labels[:-1], p)


def test_trimmed_loss_ends_where_its_cases_have_the_smallest_losses():
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 2, 200)
    X = 3.0 * gold[:, None] + rng.normal(size=(200, 2))
    y = gold.copy()
    y[:50] = 1 - y[:50]
    model, kept = trimmed_fit(LogisticRegression(), X, y, 0.75, rounds=50)
    losses = -np.log(model.predict_proba(X)[np.arange(200), y])
    assert kept.sum() == 150
    assert losses[kept].max() <= losses[~kept].min()
    assert kept[50:].mean() > 0.9
    again = LogisticRegression().fit(X[kept], y[kept])
    np.testing.assert_allclose(model.coef_, again.coef_)
    assert trimmed_fit(LogisticRegression(), X, y, 1.0)[1].all()
    assert trimmed_fit(LogisticRegression(), X, y, 0.5, rounds=0)[1].all()
    for named, change in {"share": {"share": 0.001}, "y": {"y": np.zeros(200, int)}, "rounds": {"rounds": -1}}.items():
        with pytest.raises(InputError, match=named):
            trimmed_fit(**{"estimator": LogisticRegression(), "X": X, "y": y, "share": 0.5} | change)


def test_soft_bootstrap_is_the_formula():
    logits = torch.tensor([[1.0, -0.5, 0.2], [0.1, 2.0, -1.0]], dtype=torch.float64, requires_grad=True)
    target, beta = torch.tensor([2, 1]), 0.7
    expected = []
    for row, t in zip(logits.detach().numpy(), target.tolist(), strict=True):
        q = np.exp(row) / np.exp(row).sum()
        expected.append(-sum((beta * (k == t) + (1 - beta) * q[k]) * np.log(q[k]) for k in range(3)))
    each = soft_bootstrap_loss(logits, target, beta, reduction="none")
    np.testing.assert_allclose(each.detach(), expected)
    assert soft_bootstrap_loss(logits, target, beta).item() == pytest.approx(np.mean(expected))
    assert soft_bootstrap_loss(logits, target, beta, reduction="sum").item() == pytest.approx(np.sum(expected))
    assert torch.allclose(soft_bootstrap_loss(logits, target, 1.0), F.cross_entropy(logits, target))
    entropy = torch.distributions.Categorical(logits=logits).entropy().mean()
    assert torch.allclose(soft_bootstrap_loss(logits, target, 0.0), entropy)
    assert torch.autograd.gradcheck(lambda z: soft_bootstrap_loss(z, target, beta), logits)


def test_detached_targets_carry_no_gradient():
    logits = torch.tensor([[1.0, -0.5]], dtype=torch.float64, requires_grad=True)
    target, q = torch.tensor([1]), torch.softmax(logits.detach(), 1)
    (slope,) = torch.autograd.grad(soft_bootstrap_loss(logits, target, 0.6, detach=True), logits)
    mixed = 0.6 * torch.tensor([[0.0, 1.0]]) + 0.4 * q
    np.testing.assert_allclose(slope, q - mixed)
    (through,) = torch.autograd.grad(soft_bootstrap_loss(logits, target, 0.6), logits)
    assert not torch.allclose(slope, through)


def test_soft_bootstrap_regression_with_beta_1_is_balanced_logistic_regression():
    rng = np.random.default_rng(0)
    y = (rng.random(60) < 0.3).astype(int)
    X = y[:, None] + rng.normal(size=(60, 3))
    known = LogisticRegression(C=2.0, class_weight="balanced", tol=1e-8).fit(X, y)
    ours = SoftBootstrapLogistic(2.0, beta=1.0).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), known.predict_proba(X), atol=1e-3)
    surer = SoftBootstrapLogistic(2.0, beta=0.5).fit(X, y)
    assert np.abs(surer.predict_proba(X)[:, 1] - 0.5).mean() > np.abs(ours.predict_proba(X)[:, 1] - 0.5).mean()


@pytest.mark.parametrize(
    ("named", "change"),
    [("beta", {"beta": 2.0}), ("target", {"target": torch.tensor([3])}), ("reduction", {"reduction": "max"})],
)
def test_wrong_arguments_of_the_loss_are_named(named, change):
    with pytest.raises(InputError, match=named):
        soft_bootstrap_loss(**{"logits": torch.zeros(1, 2), "target": torch.tensor([0])} | change)
